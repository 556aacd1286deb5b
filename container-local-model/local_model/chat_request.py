"""The body of a chat request, checked field by field: what would change the answer and is not supported is refused by name."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError, from_json

from local_model.errors import InvalidRequest, UnsupportedParameter
from local_model.generation import ChatMessage

# Fields of OpenAI's API that leave the answer as it is.
_WITHOUT_EFFECT = frozenset(
    {"metadata", "parallel_tool_calls", "prediction", "prompt_cache_key", "prompt_cache_retention"}
    | {"safety_identifier", "service_tier", "store", "user"}
)
# Fields that are not supported, with the values that ask for nothing.
_NEUTRAL: Mapping[str, tuple[object, ...]] = {
    "audio": (),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "n": (1,),
    "reasoning_effort": (),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": (),
    "web_search_options": (),
}


RequestT = TypeVar("RequestT", bound=BaseModel)

# Far more than the context of any model that runs here holds.
_MOST_MESSAGES = 2000
_MOST_PARTS = 1000
# Of a schema's first level.
_MOST_MEMBERS = 1000
# More unknown fields than that are no misspelling, and each would be an error of its own.
_MOST_UNKNOWN = 20


class Strict(BaseModel):
    """Takes its fields alone, each of its own type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _has_few_members(cls, value: object) -> object:
        if isinstance(value, dict) and len(value) > len(cls.model_fields) + _MOST_UNKNOWN:
            raise PydanticCustomError("fields", "Far too many fields: {count}", {"count": len(value)})
        return value


def _without_empty_fields(message: object) -> object:
    """Answers of OpenAI's API carry empty fields, and clients send them back as they came."""
    if not isinstance(message, dict) or len(message) > _MOST_MEMBERS:
        return message
    return {name: value for name, value in message.items() if value is not None and (name == "content" or value != [])}


def _joined_text(content: object) -> object:
    if isinstance(content, list) and len(content) > _MOST_PARTS:
        raise PydanticCustomError("content", "At most {most} parts make a message", {"most": _MOST_PARTS})
    return "\n".join(_text_of_part(part) for part in content) if isinstance(content, list) else content


def _text_of_part(part: object) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    text = part.get("text") if isinstance(part, dict) else None
    if kind != "text" or not isinstance(text, str):
        raise PydanticCustomError(
            "content", "Only parts of type 'text' are supported, this one is {kind}", {"kind": repr(kind)}
        )
    return text


class Message(Strict):
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_joined_text)]

    def value(self) -> ChatMessage:
        return ChatMessage(role="system" if self.role == "developer" else self.role, content=self.content)


Messages = Annotated[
    list[Annotated[Message, BeforeValidator(_without_empty_fields)]],
    Field(fail_fast=True, min_length=1, max_length=_MOST_MESSAGES),
]


class StreamOptions(Strict):
    include_usage: bool = False
    include_obfuscation: bool = False


class JsonSchema(Strict):
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
    document: Annotated[dict[str, Any], Field(alias="schema", max_length=_MOST_MEMBERS)]
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(Strict):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _schema_where_it_belongs(self) -> Self:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise PydanticCustomError("json_schema", "json_schema belongs to the type 'json_schema', and only to it")
        return self


def _as_list(stop: object) -> object:
    return [stop] if isinstance(stop, str) else stop


class ChatRequest(Strict):
    model: str
    messages: Messages
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    # Small models wander at OpenAI's default of 1.
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7
    top_p: Annotated[float, Field(ge=0, le=1)] = 0.95
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Annotated[
        # The bound right at the list: behind a validator it would be looked at after every member.
        list[Annotated[str, Field(min_length=1, max_length=1000)]],
        Field(fail_fast=True, max_length=4),
        BeforeValidator(_as_list),
    ] = []
    response_format: ResponseFormat | None = None

    @property
    def most_tokens(self) -> int | None:
        return self.max_completion_tokens or self.max_tokens

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        if self.stream_options and not self.stream:
            raise PydanticCustomError("stream_options", "stream_options is only allowed when stream is true")
        if self.max_tokens and self.max_completion_tokens and self.max_tokens != self.max_completion_tokens:
            raise PydanticCustomError("max_tokens", "max_tokens and max_completion_tokens differ; send one of them")
        return self


class TokenizeRequest(Strict):
    model: str | None = None
    messages: Messages | None = None
    text: str | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.messages is None) == (self.text is None):
            raise PydanticCustomError("text", "send either messages or text")
        return self


def parse_chat_request(body: bytes) -> ChatRequest:
    """Raises InvalidRequest naming the first field that is wrong."""
    return validated(ChatRequest, {name: value for name, value in fields_of(body).items() if _matters(name, value)})


def parse_tokenize_request(body: bytes) -> TokenizeRequest:
    """Raises InvalidRequest naming the first field that is wrong."""
    return validated(TokenizeRequest, fields_of(body))


def fields_of(body: bytes) -> dict[str, Any]:
    """The members of a JSON object that are not null. Raises InvalidRequest."""
    try:
        fields = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"the body is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InvalidRequest("the body must be a JSON object")
    return {name: value for name, value in fields.items() if value is not None}


def _matters(name: str, value: object) -> bool:
    if name not in _NEUTRAL:
        return name not in _WITHOUT_EFFECT
    if any(type(value) is type(neutral) and value == neutral for neutral in _NEUTRAL[name]):
        return False
    raise UnsupportedParameter(f"{name} is not supported by this model", param=name)


def validated(kind: type[RequestT], fields: dict[str, Any]) -> RequestT:
    """Raises InvalidRequest naming the first field that is wrong."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        param = ".".join(str(step) for step in first["loc"]) or first["type"]
        if first["type"] == "extra_forbidden":
            raise UnsupportedParameter(f"unknown field: {param}", param=param) from error
        raise InvalidRequest(f"{param}: {first['msg']}", param=param) from error
