"""A conversation with a model: what is asked, what comes back, and the pieces in which it comes."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any, Final, Literal

from llm_gateway.values import dataclass

JsonObject = Mapping[str, Any]


class MessageRole(StrEnum):
    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheControl:
    """Asks a provider that caches prompts on request to cache everything up to this part."""

    ttl: Literal["5m", "1h"] = "5m"


@dataclass(frozen=True, slots=True, kw_only=True)
class TextPart:
    text: str
    cache_control: CacheControl | None = None
    type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePart:
    """An image by address: `https://…`, or `data:image/png;base64,…` with the bytes themselves."""

    url: str
    detail: Literal["auto", "low", "high"] | None = None
    cache_control: CacheControl | None = None
    type: Literal["image"] = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A document: its bytes in base64. A PDF is the one kind that the vendors have in common."""

    data: str
    filename: str | None = None
    media_type: Literal["application/pdf"] = "application/pdf"
    cache_control: CacheControl | None = None
    type: Literal["file"] = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioPart:
    """A recording: its bytes in base64."""

    data: str
    format: Literal["wav", "mp3"]
    cache_control: CacheControl | None = None
    type: Literal["audio"] = "audio"


Part = TextPart | ImagePart | FilePart | AudioPart


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """The model's wish to call a tool; `arguments` is a JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str
    cache_control: CacheControl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningItem:
    """A piece of a model's thought as `vendor` wrote it, for that vendor alone to read: it goes back exactly as it came.

    `after` is its place in the turn: 0 before the text, 1 after it, n + 1 after the n-th tool call.
    """

    vendor: str
    item: JsonObject
    after: int = 0


REASONING_TYPES: Final[Mapping[str, frozenset[str]]] = {
    # Where a message ends in the turn's text, and its phase.
    "openai": frozenset({"reasoning", "message"}),
    "anthropic": frozenset({"thinking", "redacted_thinking"}),
}
"""What the `type` of an item of each vendor may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasoning:
    """What a model thought before it answered. `text` is a summary for people, None where none was asked for or given."""

    text: str | None = None
    items: tuple[ReasoningItem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One turn. `tool_calls` and `reasoning` on an assistant's turn; `tool_call_id`, `is_error` and `cache_control`, which marks
    the whole result, on a tool's."""

    role: MessageRole
    content: tuple[Part, ...] = ()
    name: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    reasoning: tuple[ReasoningItem, ...] = ()
    is_error: bool = False
    cache_control: CacheControl | None = None

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.content if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may ask for; `parameters` is its JSON schema."""

    name: str
    description: str | None = None
    parameters: JsonObject = field(default_factory=dict)
    strict: bool | None = None
    cache_control: CacheControl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedTool:
    """The choice of exactly this tool."""

    name: str


ToolChoice = Literal["auto", "none", "required"] | NamedTool


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFormat:
    """`json_schema` asks for an answer that `schema` validates, `json` for any JSON value."""

    type: Literal["text", "json", "json_schema"] = "text"
    schema: JsonObject | None = None


ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
EFFORTS: Final[tuple[ReasoningEffort, ...]] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""How long a model may think before it answers, from not at all to as long as it can."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How to generate; None leaves a choice to the provider. `logprobs` is how many alternatives of each token are told."""

    temperature: float | None = None
    max_output_tokens: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    reasoning_effort: ReasoningEffort | None = None
    logprobs: int | None = None


_CHANGE_THE_PRICE: Final = ("service_tier", "speed", "inference_geo")
_USUAL_TIERS: Final = (None, "auto", "default", "standard", "standard_only", "global")
UNTOLD_TIER: Final = "untold"
"""What is known of how a call was served that asked for another tier than the usual one, and was not told which it got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What one candidate is asked: everything that affects its output. `system` precedes `messages`.

    `without_reasoning` keeps a model from thinking first that would otherwise refuse the request. `vendor` are members of the
    body that the caller put there for this kind of provider. `by_responses` asks by a vendor's Responses API. The first
    `cached_system_chars` of `system` come with other requests too: a provider that caches on request keeps them. Where
    `is_recomposed`, the gateway put in or left out words before the conversation's thoughts, other ones than in another turn.
    """

    model: str
    messages: tuple[Message, ...]
    system: str | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = "auto"
    output: OutputFormat = OutputFormat()
    parameters: Parameters = Parameters()
    without_reasoning: bool = False
    vendor: JsonObject = field(default_factory=dict)
    by_responses: bool = False
    cached_system_chars: int = 0
    is_recomposed: bool = False
    parallel_tool_calls: bool = True

    @property
    def may_change_its_price(self) -> bool:
        """Whether it asks to be served otherwise than the usual way."""
        return any(self.vendor.get(name) not in _USUAL_TIERS for name in _CHANGE_THE_PRICE) if self.vendor else False


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the provider counted them (`estimated` when it did not).

    `input_tokens` includes cached and cache-write tokens, `output_tokens` includes reasoning tokens, for every provider.
    `cache_write_1h_tokens` are those of `cache_write_tokens` that were written for an hour: they cost more.
    `audio_input_tokens` and `audio_output_tokens` are those of either that were sound. `service_tier` is the provider's word for
    how it served the call, where that changes the price.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    service_tier: str | None = None
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatAnswer:
    """A whole answer. `text` is None when only tools were called; `model` is the name that the provider gave.

    `json` is the parsed text of an answer that was asked for as JSON, once it is found to have the asked form.
    `annotations` (citations) and `logprobs` are in the provider's own words; None where it gave none. `warnings` tell what
    the provider, or the way to it, left out of the request. `stop_sequence` is the text to stop at that came, where the provider
    says which.
    """

    text: str | None
    finish_reason: FinishReason
    model: str
    usage: Usage
    tool_calls: tuple[ToolCall, ...] = ()
    json: Any = None
    reasoning: Reasoning | None = None
    annotations: tuple[JsonObject, ...] | None = None
    logprobs: tuple[JsonObject, ...] | None = None
    warnings: tuple[str, ...] = ()
    stop_sequence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasoningDelta:
    """A piece of the summary of what the model thinks."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallDelta:
    """A piece of the tool call number `index`; `id` and `name` come with its first piece, `arguments` are to be joined.

    Calls are numbered from 0 in the order in which they begin, which is their order in the answer.
    """

    index: int
    id: str | None = None
    name: str | None = None
    arguments: str = ""


Delta = TextDelta | ReasoningDelta | ToolCallDelta
"""A piece of an answer. A provider's stream is deltas and then, once and last, the whole `ChatAnswer`."""
