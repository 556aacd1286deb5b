"""What a prompt comes to, over HTTP."""

from typing import Annotated, Any

from pydantic import Field, model_validator

from llm_gateway.domain.prompts.choices import SystemChoice
from llm_gateway.services.prompts.rendering import Rendered, RenderWish
from llm_gateway.wire.prompt_templates import MOST_ROLES, MOST_VARIABLES, RoleName, TemplateMessage, message_of
from llm_gateway.wire.schema import Flag, Incoming, Outgoing, Slug, wrong

Values = Annotated[dict[str, Any], Field(max_length=MOST_VARIABLES)]
VersionNumber = Annotated[int, Field(strict=True, ge=0, lt=10**12)]


class RenderSystem(Incoming):
    """What a query would say of its system message."""

    roles: Annotated[list[RoleName], Field(fail_fast=True, max_length=MOST_ROLES)] = []
    variables: Values = {}
    text: str | None = None
    base: Flag | None = None

    def to_domain(self) -> SystemChoice:
        return SystemChoice(roles=tuple(self.roles), variables=self.variables, text=self.text, base=self.base)


class RenderBody(Incoming):
    """Which version to fill, and with what. Without `version` and `label`: `production` if it is set, else the newest one."""

    version: VersionNumber | None = None
    label: Slug | None = None
    variables: Values = {}
    system: RenderSystem | None = None

    @model_validator(mode="after")
    def _names_one_version(self) -> "RenderBody":
        if self.version is not None and self.label is not None:
            raise wrong("label", "goes without version: name one of the two")
        return self

    def to_domain(self) -> RenderWish:
        return RenderWish(
            version=self.version,
            label=self.label,
            variables=self.variables,
            system=(self.system or RenderSystem()).to_domain(),
        )


class SystemPartShown(Outgoing):
    """A part of the system message, and where it comes from."""

    source: str
    text: str


class RenderedShown(Outgoing):
    """What a query would send. `system` is the parts' texts, one after the other; null where there is none."""

    version: int
    messages: list[TemplateMessage]
    system: str | None
    parts: list[SystemPartShown]
    tokens: int
    warnings: list[str]

    @classmethod
    def of(cls, rendered: Rendered) -> "RenderedShown":
        composition = rendered.composition
        return cls(
            version=rendered.version,
            messages=[message_of(message) for message in composition.messages],
            system=composition.system,
            parts=[SystemPartShown(source=part.source, text=part.text) for part in composition.parts],
            tokens=rendered.tokens,
            warnings=list(composition.warnings),
        )
