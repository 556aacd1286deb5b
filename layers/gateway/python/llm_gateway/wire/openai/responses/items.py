"""The items of a conversation in the shape of OpenAI's Responses API."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from llm_gateway.domain import chat
from llm_gateway.wire import sealed_thoughts
from llm_gateway.wire.messages import MOST_PARTS, CallId, ToolName, image_address, pdf_address
from llm_gateway.wire.refusals import only, refused
from llm_gateway.wire.schema import Incoming, wrong

_FILES: Final = "files are not kept at a provider: send the bytes, or an image's address"
_AT_ONCE: Final = "calls are answered in turn"
_SERVER_TOOLS: Final = "tools that run at OpenAI are not offered"
_PDF: Final = "data:application/pdf;base64,"
_TEXT, _PARTS = "[text]", "[parts]"

Status = Literal["in_progress", "completed", "incomplete"]
Phase = Literal["commentary", "final_answer"]
ItemId = Annotated[str, Field(max_length=1000)]


class Breakpoint(Incoming):
    """Asks a provider that caches prompts on request to cache everything up to this part."""

    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | None = None

    def to_domain(self) -> chat.CacheControl:
        return chat.CacheControl(ttl="1h" if self.ttl else "5m")


class InputPart(Incoming):
    """What a user's message, or a tool's output, is made of."""

    prompt_cache_breakpoint: Breakpoint | None = None

    @property
    def mark(self) -> chat.CacheControl | None:
        return self.prompt_cache_breakpoint.to_domain() if self.prompt_cache_breakpoint else None


class InputText(InputPart):
    """A piece of text."""

    type: Literal["input_text"]
    text: str

    def to_domain(self) -> chat.Part:
        return chat.TextPart(text=self.text, cache_control=self.mark)


class InputImage(InputPart):
    """An image: an https address, or its bytes as a data URL."""

    type: Literal["input_image"]
    image_url: Annotated[str, AfterValidator(image_address)]
    detail: Literal["auto", "low", "high"] | None = None
    file_id: Annotated[Any, refused(_FILES)] = None

    def to_domain(self) -> chat.Part:
        # OpenAI's types want a detail for each image: the usual one asks for nothing, and not every vendor has the others.
        detail = None if self.detail == "auto" else self.detail
        return chat.ImagePart(url=self.image_url, detail=detail, cache_control=self.mark)


class InputFile(InputPart):
    """A document, which is a PDF: its bytes as a data URL."""

    type: Literal["input_file"]
    file_data: Annotated[str, AfterValidator(pdf_address)]
    filename: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    file_id: Annotated[Any, refused(_FILES)] = None
    file_url: Annotated[Any, refused(_FILES)] = None
    detail: Annotated[Any, only("auto", instead="a document is read as it is")] = None

    def to_domain(self) -> chat.Part:
        return chat.FilePart(data=self.file_data.removeprefix(_PDF), filename=self.filename, cache_control=self.mark)


class OutputText(Incoming):
    """What the model said. What an answer tells of its text besides is for people, and not sent."""

    type: Literal["output_text"]
    text: str
    annotations: Annotated[list[Any], Field(max_length=MOST_PARTS)] | None = None
    logprobs: list[Any] | None = None


class Refusal(Incoming):
    """Why the model did not answer."""

    type: Literal["refusal"]
    refusal: str

    @property
    def text(self) -> str:
        return self.refusal


def _shape(content: Any) -> str | None:
    return _TEXT if isinstance(content, str) else _PARTS if isinstance(content, list) else None


_SHAPE: Final = Discriminator(
    _shape, custom_error_type="shape", custom_error_message="must be a string or a list of parts"
)
_LENGTH: Final = Field(fail_fast=True, max_length=MOST_PARTS)
AnyInput = Annotated[InputText | InputImage | InputFile, Field(discriminator="type")]
AnyOutput = Annotated[OutputText | Refusal | InputText, Field(discriminator="type")]
InputContent = Annotated[Annotated[str, Tag(_TEXT)] | Annotated[list[AnyInput], _LENGTH, Tag(_PARTS)], _SHAPE]
OutputContent = Annotated[Annotated[str, Tag(_TEXT)] | Annotated[list[AnyOutput], _LENGTH, Tag(_PARTS)], _SHAPE]


class InputMessage(Incoming):
    """What the user or the developer says."""

    type: Literal["message"] = "message"
    role: Literal["user", "system", "developer"]
    content: InputContent
    id: ItemId | None = None
    status: Status | None = None
    phase: Annotated[Any, refused("it is an assistant's message that has a phase")] = None

    def message(self) -> chat.Message | None:
        parts = parts_of(self.content)
        return chat.Message(role=chat.MessageRole(self.role), content=parts) if parts else None


class OutputMessage(Incoming):
    """What the model said, as an answer gave it or as a client puts it."""

    type: Literal["message"] = "message"
    role: Literal["assistant"]
    content: OutputContent
    id: ItemId | None = None
    status: Status | None = None
    phase: Phase | None = None

    def texts(self) -> list[str]:
        said = [self.content] if isinstance(self.content, str) else [part.text for part in self.content]
        return [text for text in said if text]


class Caller(Incoming):
    """Who called a tool: the model itself."""

    elsewhere = {"caller_id": _SERVER_TOOLS}

    type: Literal["direct"]


class FunctionCall(Incoming):
    """A call that the model asked for; `arguments` is a JSON text."""

    type: Literal["function_call"]
    call_id: CallId
    name: ToolName
    arguments: str
    id: ItemId | None = None
    status: Status | None = None
    caller: Caller | None = None
    namespace: Annotated[Any, refused(_SERVER_TOOLS)] = None
    asynchronous: Annotated[Any, Field(alias="async"), only(False, instead=_AT_ONCE)] = None
    # As the SDK dumps an answer.
    async_: Annotated[Any, only(False, instead=_AT_ONCE)] = None

    def call(self) -> chat.ToolCall:
        return chat.ToolCall(id=self.call_id, name=self.name, arguments=self.arguments)


class FunctionCallOutput(Incoming):
    """What a function answered to the call `call_id`."""

    type: Literal["function_call_output"]
    call_id: CallId
    output: InputContent
    id: ItemId | None = None
    status: Status | None = None
    # The call says which function it was.
    name: Annotated[str, Field(max_length=256)] | None = None
    caller: Caller | None = None
    namespace: Annotated[Any, refused(_SERVER_TOOLS)] = None

    def message(self) -> chat.Message:
        return chat.Message(role=chat.MessageRole.TOOL, content=parts_of(self.output), tool_call_id=self.call_id)


class ReasoningItem(Incoming):
    """A model's thought, as an answer gave it. One without `encrypted_content` is for people alone, and is not sent."""

    model_config = ConfigDict(extra="allow")

    type: Literal["reasoning"]
    id: ItemId | None = None
    summary: Annotated[list[dict[str, Any]], Field(fail_fast=True, max_length=MOST_PARTS)] = []
    content: Annotated[list[dict[str, Any]], Field(fail_fast=True, max_length=MOST_PARTS)] | None = None
    encrypted_content: str | None = None
    status: Status | None = None

    @model_validator(mode="after")
    def _is_as_it_was_given(self) -> "ReasoningItem":
        try:
            sealed_thoughts.opened(self.encrypted_content or "")
        except ValueError as fault:
            raise wrong("encrypted_content", str(fault)) from None
        return self

    def sealed(self) -> tuple[chat.ReasoningItem, ...] | None:
        """All thoughts of its turn, where the gateway packed them into this one."""
        return sealed_thoughts.opened(self.encrypted_content or "")

    def thought(self) -> dict[str, Any]:
        """The item as OpenAI gave it: clients add members that are null."""
        return self.model_dump(exclude_unset=True, exclude_none=True)


_KINDS: Final = ("function_call", "function_call_output", "reasoning")


def _kind(item: Any) -> str | None:
    if not isinstance(item, dict):
        return None
    kind = item.get("type", "message")
    if kind == "message":
        return "[output]" if item.get("role") == "assistant" else "[input]"
    return f"[{kind}]" if kind in _KINDS else None


Item = Annotated[
    Annotated[InputMessage, Tag("[input]")]
    | Annotated[OutputMessage, Tag("[output]")]
    | Annotated[FunctionCall, Tag("[function_call]")]
    | Annotated[FunctionCallOutput, Tag("[function_call_output]")]
    | Annotated[ReasoningItem, Tag("[reasoning]")],
    Discriminator(
        _kind,
        custom_error_type="item",
        custom_error_message=(
            "must be a message, a function_call, a function_call_output or a reasoning: tools that run at OpenAI are not"
            " offered, and nothing is kept that could be referred to"
        ),
    ),
]


def parts_of(content: "str | list[AnyInput]") -> tuple[chat.Part, ...]:
    if isinstance(content, str):
        return (chat.TextPart(text=content),) if content else ()
    return tuple(part.to_domain() for part in content)
