"""The blocks of a message in Anthropic's shape."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from llm_gateway.domain import chat
from llm_gateway.wire.anthropic.refusals import FILES, SERVER_TOOLS
from llm_gateway.wire.messages import MOST_PARTS, CacheControl, CallId, image_address
from llm_gateway.wire.refusals import only, refused
from llm_gateway.wire.schema import Flag, Incoming

MOST_BLOCKS: Final = MOST_PARTS
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+=*")
_TEXT, _BLOCKS = "[text]", "[parts]"
_OWN_TOOL_NAME: Final = r"^[a-zA-Z0-9_-]{1,128}$"

ToolName = Annotated[str, Field(pattern=_OWN_TOOL_NAME)]
Marked = CacheControl | None


def _shape(content: Any) -> str | None:
    return _TEXT if isinstance(content, str) else _BLOCKS if isinstance(content, list) else None


_SHAPE: Final = Discriminator(
    _shape, custom_error_type="shape", custom_error_message="must be a string or a list of blocks"
)


def mark_of(control: CacheControl | None) -> chat.CacheControl | None:
    return control.to_domain() if control else None


class TextBlock(Incoming):
    """A piece of text."""

    type: Literal["text"]
    text: str
    cache_control: Marked = None
    citations: Annotated[list[Any], Field(max_length=0)] | None = None

    def parts(self) -> tuple[chat.Part, ...]:
        return (chat.TextPart(text=self.text, cache_control=mark_of(self.cache_control)),)


def _base64(data: str) -> str:
    if _BASE64.fullmatch(data) is None:
        raise ValueError("is not base64")
    return data


class Base64Image(Incoming):
    """An image's bytes."""

    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: Annotated[str, AfterValidator(_base64)]

    def address(self) -> str:
        return f"data:{self.media_type};base64,{self.data}"


class UrlImage(Incoming):
    """An image's address."""

    type: Literal["url"]
    url: Annotated[str, AfterValidator(image_address)]


class FileSource(Incoming):
    """A file that is kept at the provider, which the gateway does not do."""

    type: Literal["file"]
    file_id: Annotated[Any, refused(FILES, even_null=True)]


class ImageBlock(Incoming):
    """An image."""

    type: Literal["image"]
    source: Annotated[Base64Image | UrlImage | FileSource, Field(discriminator="type")]
    cache_control: Marked = None
    transformations: Annotated[Any, refused("send the image as it is to be seen")] = None

    def parts(self) -> tuple[chat.Part, ...]:
        source = self.source
        if isinstance(source, FileSource):
            return ()
        url = source.address() if isinstance(source, Base64Image) else source.url
        return (chat.ImagePart(url=url, cache_control=mark_of(self.cache_control)),)


def _pdf(data: str) -> str:
    from llm_gateway.domain.media import fault_in_pdf

    if fault := fault_in_pdf(data):
        raise ValueError(fault)
    return data


class PdfSource(Incoming):
    """The bytes of a PDF."""

    type: Literal["base64"]
    media_type: Literal["application/pdf"]
    data: Annotated[str, AfterValidator(_pdf)]


class PlainSource(Incoming):
    """A document that is plain text."""

    type: Literal["text"]
    media_type: Literal["text/plain"]
    data: str


class ContentSource(Incoming):
    """A document that is made of blocks."""

    type: Literal["content"]
    content: Annotated[
        Annotated[str, Tag(_TEXT)]
        | Annotated[
            list[Annotated[TextBlock | ImageBlock, Field(discriminator="type")]],
            Field(fail_fast=True, min_length=1, max_length=MOST_BLOCKS),
            Tag(_BLOCKS),
        ],
        _SHAPE,
    ]


class UrlSource(Incoming):
    """A document by its address, which the gateway does not load."""

    type: Literal["url"]
    url: Annotated[Any, refused("send the bytes of the PDF, as a base64 source", even_null=True)]


class Citations(Incoming):
    """Whether the answer is to cite the document."""

    enabled: Annotated[Any, only(False, instead="citations are not offered")] = None


class DocumentBlock(Incoming):
    """A document: its title and what is said of it stand before it."""

    type: Literal["document"]
    source: Annotated[PdfSource | PlainSource | ContentSource | UrlSource | FileSource, Field(discriminator="type")]
    title: Annotated[str, Field(max_length=500)] | None = None
    context: str | None = None
    cache_control: Marked = None
    citations: Citations | None = None

    def parts(self) -> tuple[chat.Part, ...]:
        source, mark = self.source, mark_of(self.cache_control)
        if isinstance(source, PdfSource):
            name = self.title[:255] if self.title else None
            document = chat.FilePart(data=source.data, filename=name, cache_control=mark)
            return (*_said(self.context), document)
        head = "\n".join(filter(None, (self.title, self.context)))
        if isinstance(source, PlainSource):
            text = f"{head}\n\n{source.data}" if head else source.data
            return (chat.TextPart(text=text, cache_control=mark),)
        if isinstance(source, ContentSource):
            return (*_said(head), *_marked(parts_of(source.content), mark))
        return ()


def _said(text: str | None) -> tuple[chat.Part, ...]:
    return (chat.TextPart(text=text),) if text else ()


def _marked(parts: tuple[chat.Part, ...], mark: chat.CacheControl | None) -> tuple[chat.Part, ...]:
    """`parts` with the mark of what they are parts of, which is that of the last one."""
    if mark is None or not parts:
        return parts
    return (*parts[:-1], replace(parts[-1], cache_control=mark))


class Caller(Incoming):
    """Who called a tool: the model itself."""

    elsewhere = {"tool_id": SERVER_TOOLS}

    type: Literal["direct"]


class ToolUseBlock(Incoming):
    """A tool call that an assistant's turn asked for."""

    type: Literal["tool_use"]
    id: CallId
    name: ToolName
    input: Annotated[dict[str, Any], Field(max_length=1000)]
    cache_control: Marked = None
    caller: Caller | None = None
    toolset_name: Annotated[Any, refused(SERVER_TOOLS)] = None

    def call(self) -> chat.ToolCall:
        arguments = json.dumps(self.input, ensure_ascii=False, separators=(",", ":"))
        return chat.ToolCall(id=self.id, name=self.name, arguments=arguments, cache_control=mark_of(self.cache_control))


ResultContent = Annotated[
    Annotated[str, Tag(_TEXT)]
    | Annotated[
        list[Annotated[TextBlock | ImageBlock | DocumentBlock, Field(discriminator="type")]],
        Field(fail_fast=True, max_length=MOST_BLOCKS),
        Tag(_BLOCKS),
    ],
    _SHAPE,
]


class ToolResultBlock(Incoming):
    """What a tool answered to the call `tool_use_id`."""

    type: Literal["tool_result"]
    tool_use_id: CallId
    content: ResultContent | None = None
    is_error: Flag = False
    cache_control: Marked = None
    toolset_name: Annotated[Any, refused(SERVER_TOOLS)] = None

    def message(self) -> chat.Message:
        return chat.Message(
            role=chat.MessageRole.TOOL,
            content=parts_of(self.content or ""),
            tool_call_id=self.tool_use_id,
            is_error=self.is_error,
            cache_control=mark_of(self.cache_control),
        )


class ThinkingBlock(Incoming):
    """A thought of the model, as an answer gave it. One without a signature was told to people alone, and is not sent."""

    type: Literal["thinking"]
    thinking: str
    signature: str = ""

    def thought(self) -> dict[str, Any]:
        return {"type": "thinking", "thinking": self.thinking, "signature": self.signature}


class RedactedBlock(Incoming):
    """A thought that nobody but its vendor can read, or what the gateway has sealed into one."""

    type: Literal["redacted_thinking"]
    data: str


UserBlock = Annotated[TextBlock | ImageBlock | DocumentBlock | ToolResultBlock, Field(discriminator="type")]
AssistantBlock = Annotated[TextBlock | ToolUseBlock | ThinkingBlock | RedactedBlock, Field(discriminator="type")]
_LENGTH: Final = Field(fail_fast=True, max_length=MOST_BLOCKS)
UserContent = Annotated[Annotated[str, Tag(_TEXT)] | Annotated[list[UserBlock], _LENGTH, Tag(_BLOCKS)], _SHAPE]
AssistantContent = Annotated[
    Annotated[str, Tag(_TEXT)] | Annotated[list[AssistantBlock], _LENGTH, Tag(_BLOCKS)], _SHAPE
]
TextContent = Annotated[Annotated[str, Tag(_TEXT)] | Annotated[list[TextBlock], _LENGTH, Tag(_BLOCKS)], _SHAPE]


def parts_of(content: str | Sequence[TextBlock | ImageBlock | DocumentBlock]) -> tuple[chat.Part, ...]:
    if isinstance(content, str):
        return (chat.TextPart(text=content),) if content else ()
    return tuple(part for block in content for part in block.parts())
