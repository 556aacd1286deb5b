"""Messages, tools and output formats in OpenAI's chat shape."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from llm_gateway.domain import chat
from llm_gateway.domain.addresses import fault_in_image_url
from llm_gateway.wire.schema import Incoming, wrong

_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+;base64,[A-Za-z0-9+/]+=*")
_PDF_URL = "data:application/pdf;base64,"
# A list stops at its first wrong member where each could bring an error of its own.
MOST_PARTS: Final = 1000
MOST_CALLS: Final = 128
MOST_THOUGHTS: Final = 256
MOST_MEMBERS: Final = 1000
"""Of the first level of a JSON schema."""

ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]


# As long as browsers and servers take one. An image's bytes are as long as the body lets them be.
_LONGEST_ADDRESS = 8_000


def image_address(url: str) -> str:
    if _DATA_URL.fullmatch(url):
        return url
    if not url.startswith("https://"):
        raise ValueError("must be an https address or data:image/…;base64,…")
    if len(url) > _LONGEST_ADDRESS:
        raise ValueError(f"is too long for an address: {_LONGEST_ADDRESS} characters at most")
    # Private addresses pass here: whether they are allowed, the deployment says.
    if fault := fault_in_image_url(url, private_allowed=True):
        raise ValueError(fault)
    return url


class CacheControl(Incoming):
    """Asks a provider that caches prompts on request to cache everything up to this part."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"

    def to_domain(self) -> chat.CacheControl:
        return chat.CacheControl(ttl=self.ttl)


class TextPart(Incoming):
    """A piece of text."""

    type: Literal["text"]
    text: str
    cache_control: CacheControl | None = None

    def to_domain(self) -> chat.Part:
        return chat.TextPart(
            text=self.text, cache_control=self.cache_control.to_domain() if self.cache_control else None
        )


class ImageUrl(Incoming):
    """Where the image is: an https address, or its bytes as a data URL."""

    url: Annotated[str, AfterValidator(image_address)]
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Incoming):
    """An image."""

    type: Literal["image_url"]
    image_url: ImageUrl
    cache_control: CacheControl | None = None

    def to_domain(self) -> chat.Part:
        return chat.ImagePart(
            url=self.image_url.url,
            detail=self.image_url.detail,
            cache_control=self.cache_control.to_domain() if self.cache_control else None,
        )


def pdf_address(url: str) -> str:
    from llm_gateway.domain.media import fault_in_pdf

    if not url.startswith(_PDF_URL):
        raise ValueError(f"must be the bytes of a PDF, as {_PDF_URL}…")
    if fault := fault_in_pdf(url.removeprefix(_PDF_URL)):
        raise ValueError(fault)
    return url


class File(Incoming):
    """A document's name, and its bytes as a data URL."""

    elsewhere = dict.fromkeys(("file_id", "file_url"), "send the bytes of the file as file_data")

    file_data: Annotated[str, AfterValidator(pdf_address)]
    filename: Annotated[str, Field(min_length=1, max_length=255)] | None = None


class FilePart(Incoming):
    """A document, which is a PDF."""

    type: Literal["file"]
    file: File
    cache_control: CacheControl | None = None

    def to_domain(self) -> chat.Part:
        return chat.FilePart(
            data=self.file.file_data.removeprefix(_PDF_URL),
            filename=self.file.filename,
            cache_control=self.cache_control.to_domain() if self.cache_control else None,
        )


class InputAudio(Incoming):
    """A recording: its bytes in base64."""

    format: Literal["wav", "mp3"]
    data: str

    @model_validator(mode="after")
    def _is_what_it_says(self) -> "InputAudio":
        from llm_gateway.domain.media import fault_in_audio

        if fault := fault_in_audio(self.data, self.format):
            raise wrong("data", fault)
        return self


class AudioPart(Incoming):
    """A recording."""

    type: Literal["input_audio"]
    input_audio: InputAudio
    cache_control: CacheControl | None = None

    def to_domain(self) -> chat.Part:
        return chat.AudioPart(
            data=self.input_audio.data,
            format=self.input_audio.format,
            cache_control=self.cache_control.to_domain() if self.cache_control else None,
        )


def _shape(content: Any) -> str | None:
    return _TEXT if isinstance(content, str) else _PARTS if isinstance(content, list) else None


# No field of a client's is called like this.
_TEXT, _PARTS, _WORD, _TOOL = "[text]", "[parts]", "[word]", "[tool]"
_SHAPE = Discriminator(_shape, custom_error_type="shape", custom_error_message="must be a string or a list of parts")
Text = Annotated[str, Tag(_TEXT)]
Part = Annotated[TextPart | ImagePart | FilePart | AudioPart, Field(discriminator="type")]
_LENGTH = Field(fail_fast=True, min_length=1, max_length=MOST_PARTS)
Content = Annotated[Text | Annotated[list[Part], _LENGTH, Tag(_PARTS)], _SHAPE]
TextContent = Annotated[Text | Annotated[list[TextPart], _LENGTH, Tag(_PARTS)], _SHAPE]
Author = Annotated[str, Field(max_length=256)]
CallId = Annotated[str, Field(min_length=1, max_length=1000)]
JsonSchema = Annotated[dict[str, Any], Field(max_length=MOST_MEMBERS)]


class CalledFunction(Incoming):
    """Which function, and with what arguments (a JSON text)."""

    name: ToolName
    arguments: str
    # OpenAI's SDK has read them already, and sends them along with the text that they come from.
    parsed_arguments: Any = None


class ToolCall(Incoming):
    """A tool call that an assistant's turn asked for."""

    id: CallId
    type: Literal["function"] = "function"
    function: CalledFunction
    # As OpenAI's SDK puts a call together from a stream. The list has the order already.
    index: int | None = None

    def to_domain(self) -> chat.ToolCall:
        return chat.ToolCall(id=self.id, name=self.function.name, arguments=self.function.arguments)


class Instruction(Incoming):
    """An instruction in the middle of a conversation."""

    role: Literal["system", "developer"]
    content: TextContent
    name: Author | None = None

    def to_domain(self) -> chat.Message:
        return chat.Message(role=chat.MessageRole(self.role), content=_parts(self.content), name=self.name)


class UserMessage(Incoming):
    """What the user says."""

    role: Literal["user"]
    content: Content
    name: Author | None = None

    def to_domain(self) -> chat.Message:
        return chat.Message(role=chat.MessageRole.USER, content=_parts(self.content), name=self.name)


Nothing = Annotated[list[Any], Field(max_length=0)]


class ReasoningItem(Incoming):
    """A piece of a model's thought, as an answer gave it. It is sent to that vendor's models alone, exactly as it is."""

    vendor: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    item: Annotated[dict[str, Any], Field(max_length=100)]
    after: Annotated[int, Field(strict=True, ge=0, le=MOST_CALLS + 1)] = 0

    @model_validator(mode="after")
    def _is_a_thought(self) -> "ReasoningItem":
        types = chat.REASONING_TYPES.get(self.vendor)
        if types is not None and self.item.get("type") not in types:
            raise wrong("item", f"is none that {self.vendor} gave: its type is {' or '.join(sorted(types))}")
        return self

    def to_domain(self) -> chat.ReasoningItem:
        return chat.ReasoningItem(vendor=self.vendor, item=self.item, after=self.after)


class Reasoning(Incoming):
    """What the model thought before that turn: `output.reasoning` of its answer, as it came. Its text is not sent."""

    items: Annotated[list[ReasoningItem], Field(fail_fast=True, max_length=MOST_THOUGHTS)] = []
    text: str | None = None


class AssistantMessage(Incoming):
    """What the model said: text, tool calls or both."""

    role: Literal["assistant"]
    content: TextContent | None = None
    name: Author | None = None
    tool_calls: Annotated[list[ToolCall], Field(fail_fast=True, max_length=MOST_CALLS)] | None = None
    reasoning: Reasoning | None = None
    # As OpenAI's SDK dumps an answer: what it has no value for is null or empty, and says nothing.
    refusal: Literal[""] | None = None
    annotations: Nothing | None = None
    audio: None = None
    function_call: None = None
    # What OpenAI's SDK has read in the content; the content is sent.
    parsed: Any = None

    @model_validator(mode="after")
    def _says_something(self) -> "AssistantMessage":
        if self.content is None and not self.tool_calls:
            raise ValueError("an assistant's message needs content or tool_calls")
        return self

    def to_domain(self) -> chat.Message:
        return chat.Message(
            role=chat.MessageRole.ASSISTANT,
            content=_parts(self.content) if self.content is not None else (),
            name=self.name,
            tool_calls=tuple(call.to_domain() for call in self.tool_calls or ()),
            reasoning=tuple(item.to_domain() for item in self.reasoning.items) if self.reasoning else (),
        )


class ToolMessage(Incoming):
    """What a tool answered to the call `tool_call_id`."""

    role: Literal["tool"]
    content: TextContent
    tool_call_id: CallId
    # The call says which tool it was: nobody needs its name again, but many send it.
    name: Author | None = None

    def to_domain(self) -> chat.Message:
        return chat.Message(role=chat.MessageRole.TOOL, content=_parts(self.content), tool_call_id=self.tool_call_id)


Message = Annotated[Instruction | UserMessage | AssistantMessage | ToolMessage, Field(discriminator="role")]


class FunctionTool(Incoming):
    """A function that the model may call; `parameters` is a JSON schema."""

    name: ToolName
    description: str | None = None
    parameters: JsonSchema = {}
    strict: Annotated[bool, Field(strict=True)] | None = None


class Tool(Incoming):
    """A tool that the model may call."""

    elsewhere = {name: f"it is function.{name}" for name in ("name", "description", "parameters", "strict")}

    type: Literal["function"] = "function"
    function: FunctionTool

    def to_domain(self) -> chat.Tool:
        function = self.function
        return chat.Tool(
            name=function.name,
            description=function.description,
            parameters=function.parameters,
            strict=function.strict,
        )


class ChosenFunction(Incoming):
    """The name of the tool that must be called."""

    name: ToolName


class ChosenTool(Incoming):
    """The choice of exactly one tool."""

    type: Literal["function"] = "function"
    function: ChosenFunction

    def to_domain(self) -> chat.ToolChoice:
        return chat.NamedTool(name=self.function.name)


def _choice(choice: Any) -> str | None:
    return _WORD if isinstance(choice, str) else _TOOL if isinstance(choice, dict) else None


ToolChoice = Annotated[
    Annotated[Literal["auto", "none", "required"], Tag(_WORD)] | Annotated[ChosenTool, Tag(_TOOL)],
    Discriminator(
        _choice,
        custom_error_type="choice",
        custom_error_message="must be 'auto', 'none', 'required' or an object that names a tool",
    ),
]


class OutputFormat(Incoming):
    """The form of the answer; `json_schema` needs a `schema`, against which the answer is validated."""

    elsewhere = {"json_schema": "its schema is output.schema"}

    type: Literal["text", "json", "json_schema"] = "text"
    json_schema: Annotated[JsonSchema | None, Field(alias="schema")] = None

    @model_validator(mode="after")
    def _has_its_schema(self) -> "OutputFormat":
        if self.type == "json_schema" and self.json_schema is None:
            raise wrong("schema", "is required where type is 'json_schema'")
        if self.type != "json_schema" and self.json_schema is not None:
            raise wrong("schema", f"goes with type 'json_schema', not with {self.type!r}")
        return self

    def to_domain(self) -> chat.OutputFormat:
        return chat.OutputFormat(type=self.type, schema=self.json_schema)


def _parts(content: str | list[TextPart] | list[Part]) -> tuple[chat.Part, ...]:
    if isinstance(content, str):
        return (chat.TextPart(text=content),)
    return tuple(part.to_domain() for part in content)
