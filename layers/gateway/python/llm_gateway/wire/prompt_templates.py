"""Templates over HTTP: texts and messages with places to fill, and the variables that fill them."""

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from llm_gateway.domain import chat
from llm_gateway.domain.prompts import templates
from llm_gateway.domain.prompts.templates import VariableType
from llm_gateway.wire.messages import CacheControl
from llm_gateway.wire.schema import Flag, Incoming, wrong

MOST_MESSAGES: Final = 200
MOST_PARTS: Final = 100
MOST_VARIABLES: Final = 100
MOST_ROLES: Final = 20
_LONGEST_TEXT: Final = 131_072
_TEXT, _PARTS = "[text]", "[parts]"


def _few(variables: Any) -> Any:
    if isinstance(variables, dict) and len(variables) > MOST_VARIABLES:
        raise ValueError(f"must have at most {MOST_VARIABLES} variables")
    return variables


def _shape(content: Any) -> str | None:
    return _TEXT if isinstance(content, str) else _PARTS if isinstance(content, list) else None


_SHAPE: Final = Discriminator(
    _shape, custom_error_type="shape", custom_error_message="must be a string or a list of parts"
)
Text = Annotated[str, Field(max_length=_LONGEST_TEXT)]
RoleName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}(@[a-z0-9][a-z0-9-]{0,62})?$")]
Number = Annotated[float, Field(strict=True)]
Length = Annotated[int, Field(strict=True, ge=0, le=10_000_000)]


class TemplateText(Incoming):
    """A piece of text, which is a template."""

    type: Literal["text"]
    text: Text
    cache_control: CacheControl | None = None

    def to_domain(self) -> chat.TextPart:
        cache_control = self.cache_control.to_domain() if self.cache_control else None
        return chat.TextPart(text=self.text, cache_control=cache_control)


class TemplateImageUrl(Incoming):
    """Where the image is: an address, its bytes as a data URL, or one variable alone, such as `{{ photo }}`."""

    url: Text
    detail: Literal["auto", "low", "high"] | None = None


class TemplateImage(Incoming):
    """An image."""

    type: Literal["image_url"]
    image_url: TemplateImageUrl
    cache_control: CacheControl | None = None

    def to_domain(self) -> chat.ImagePart:
        cache_control = self.cache_control.to_domain() if self.cache_control else None
        return chat.ImagePart(url=self.image_url.url, detail=self.image_url.detail, cache_control=cache_control)


Part = Annotated[TemplateText | TemplateImage, Field(discriminator="type")]
Parts = Annotated[list[Part], Field(fail_fast=True, min_length=1, max_length=MOST_PARTS), Tag(_PARTS)]
Content = Annotated[Annotated[Text, Tag(_TEXT)] | Parts, _SHAPE]


class TemplateMessage(Incoming):
    """A message with places to fill. Turns of user and assistant in exchange show a model how to answer."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Content
    name: Annotated[str, Field(max_length=256)] | None = None

    @model_validator(mode="after")
    def _shows_images_as_the_user(self) -> "TemplateMessage":
        if self.role != "user" and any(isinstance(part, TemplateImage) for part in self.content):
            raise wrong("content", "has an image: only a user's message may")
        return self

    def to_domain(self) -> chat.Message:
        parts = [TemplateText(type="text", text=self.content)] if isinstance(self.content, str) else self.content
        content = tuple(part.to_domain() for part in parts)
        return chat.Message(role=chat.MessageRole(self.role), content=content, name=self.name)


class TemplateVariable(Incoming):
    """What may be filled in. Null leaves a bound out."""

    type: VariableType
    required: Flag | None = None
    default: Any = None
    enum: Annotated[list[Any], Field(max_length=200)] | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    min_length: Length | None = None
    max_length: Length | None = None
    pattern: Annotated[str, Field(max_length=1000)] | None = None
    items: "TemplateVariable | None" = None

    @model_validator(mode="after")
    def _is_required_or_has_a_default(self) -> "TemplateVariable":
        if self.required and self.default is not None:
            raise wrong("required", "goes without a default, which would never be taken")
        return self

    def to_domain(self) -> templates.Variable:
        said = {name: getattr(self, name) for name in type(self).model_fields}
        return templates.Variable(
            **said
            | {
                "required": self.default is None if self.required is None else self.required,
                "enum": None if self.enum is None else tuple(self.enum),
                "items": self.items.to_domain() if self.items else None,
            }
        )

    @classmethod
    def of(cls, variable: templates.Variable) -> "TemplateVariable":
        said = {name: getattr(variable, name) for name in cls.model_fields}
        return cls(
            **said
            | {
                "enum": None if variable.enum is None else list(variable.enum),
                "items": cls.of(variable.items) if variable.items else None,
            }
        )


class TemplateSystem(Incoming):
    """The system part: roles, each `id`, `id@version` or `id@label`, and then a text."""

    roles: Annotated[list[RoleName], Field(fail_fast=True, max_length=MOST_ROLES)] = []
    text: Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _is_an_object(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError('must be an object like {"text": "…"}')
        return value


class Template(Incoming):
    """What a prompt says, with places to fill such as `{{ name }}`. A role has `system.text` and `variables` alone."""

    system: TemplateSystem | None = None
    messages: Annotated[list[TemplateMessage], Field(fail_fast=True, max_length=MOST_MESSAGES)] = []
    variables: Annotated[
        dict[Annotated[str, Field(max_length=64)], TemplateVariable],
        Field(max_length=MOST_VARIABLES),
        BeforeValidator(_few),
    ] = {}

    def to_domain(self) -> templates.PromptTemplate:
        system = self.system or TemplateSystem()
        return templates.PromptTemplate(
            messages=tuple(message.to_domain() for message in self.messages),
            system_text=system.text or None,
            roles=tuple(system.roles),
            variables={name: variable.to_domain() for name, variable in self.variables.items()},
        )

    @classmethod
    def of(cls, template: templates.PromptTemplate) -> "Template":
        return cls(
            system=TemplateSystem(roles=list(template.roles), text=template.system_text),
            messages=[message_of(message) for message in template.messages],
            variables={name: TemplateVariable.of(variable) for name, variable in template.variables.items()},
        )


def message_of(message: chat.Message) -> TemplateMessage:
    """The message as it is shown. It is not checked again: what was filled in may be longer than a template."""
    match message.content:
        case (chat.TextPart(text=text, cache_control=None),):
            content: Any = text
        case parts:
            content = [_part(part) for part in parts]
    role: Any = message.role.value
    return TemplateMessage.model_construct(role=role, content=content, name=message.name)


def _part(part: chat.Part) -> TemplateText | TemplateImage:
    cached = CacheControl(type="ephemeral", ttl=part.cache_control.ttl) if part.cache_control else None
    match part:
        case chat.TextPart():
            return TemplateText.model_construct(type="text", text=part.text, cache_control=cached)
        case chat.ImagePart():
            url = TemplateImageUrl.model_construct(url=part.url, detail=part.detail)
            return TemplateImage.model_construct(type="image_url", image_url=url, cache_control=cached)
    raise ValueError(f"templates have no part like {type(part).__name__}")
