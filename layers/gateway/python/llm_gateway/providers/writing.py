"""An answer as far as it is written: what the joiner of every wire keeps, and makes the whole answer of."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Final

from llm_gateway.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Delta,
    Reasoning,
    ReasoningDelta,
    ReasoningItem,
    TextDelta,
    Usage,
)
from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.domain.model_table import ModelProfile
from llm_gateway.providers import untrusted
from llm_gateway.providers.billing import Bill
from llm_gateway.providers.bounds import MOST_ANNOTATIONS, MOST_THOUGHTS
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.finish_reasons import finish_reason
from llm_gateway.providers.sse import Event
from llm_gateway.providers.tool_calls import Growing, ToolCalls

LEFT_OUT: Final = "The provider left out some of the reasoning that was sent back."
_BETWEEN_THOUGHTS: Final = "\n\n"
_CUT: Final = (
    "The model called several tools at once, though one at a time was asked for: the first call alone was kept."
)


@dataclass(kw_only=True)
class Joiner(ABC):
    """Puts an answer together, from the events of a stream or from one document: both are read by the same functions.

    `generating` once the model has made anything, be it reasoning that nobody sees. `reason` is why it stopped, in the
    provider's word; `closed` once the wire's last event has come.
    """

    request: ChatRequest
    profile: ModelProfile
    faults: FaultTable
    generating: bool = False
    closed: bool = False
    reason: object = None
    stop_sequence: str | None = None
    text: Growing = field(default_factory=Growing)
    thought: Growing = field(default_factory=Growing)
    items: list[ReasoningItem] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    model: str | None = None
    calls: ToolCalls = field(init=False)
    bill: Bill = field(init=False)

    def __post_init__(self) -> None:
        self.calls = ToolCalls(request=self.request)
        self.bill = Bill(request=self.request, profile=self.profile)

    @property
    @abstractmethod
    def whole(self) -> bool:
        """Whether nothing of the answer itself is still to come."""

    @abstractmethod
    def take_record(self, data: str) -> list[Delta]:
        """What an event of a stream adds. Raises a fault for an error event, or for one that cannot be read."""

    @abstractmethod
    def take_document(self, body: dict[str, Any]) -> list[Delta]:
        """What a whole answer holds. Raises likewise."""

    def take(self, event: Event) -> list[Delta]:
        if isinstance(event, str):
            return self.take_record(event)
        body = untrusted.record(untrusted.parsed(event.data), name="body")
        self.closed = True
        return self.take_document(body)

    def end(self) -> list[Delta]:
        """What is left to be handed on when nothing more comes. Raises where the answer is not whole."""
        if not self.whole:
            raise ProviderResponseInvalid("The provider ended its answer before it was whole.")
        thought, rest = self.thought.end(), self.text.end()
        return [*self._shown(thought), *([TextDelta(text=rest)] if rest else []), *self.calls.end()]

    def answer(self) -> ChatAnswer:
        """The whole answer, after `end`. Raises `ProviderResponseInvalid` for a reason that the gateway does not know."""
        text = str(self.text)
        if self.calls.is_cut:
            self.warn(_CUT)
        return ChatAnswer(
            text=text or (None if self.calls else ""),
            finish_reason=finish_reason(self.reason, calls=bool(self.calls)),
            model=self.model or self.request.model,
            usage=self.bill.whole(self._generated()),
            tool_calls=self.calls.whole(),
            reasoning=self._reasoning(),
            annotations=tuple(self.annotations) or None,
            logprobs=tuple(self.logprobs) or None,
            warnings=tuple(self.warnings),
            stop_sequence=self.stop_sequence,
        )

    def filter(self) -> None:
        """The provider's content filter ended the answer, which some servers tell with an error."""
        self.reason, self.closed = "content_filter", True

    def usage_so_far(self) -> Usage | None:
        """What a call that fails here is billed, as far as anybody knows; None before anything came."""
        if not (self.generating or self.bill.counts):
            return None
        return (self.bill.whole if self.whole else self.bill.so_far)(self._generated())

    def add_text(self, piece: str) -> list[Delta]:
        self.generating = self.generating or bool(piece)
        ready = self.text.add(piece)
        return [TextDelta(text=ready)] if ready else []

    def add_thought(self, piece: str) -> list[Delta]:
        """A piece of what the model tells of its thought: it is shown to those who set an effort."""
        self.generating = self.generating or bool(piece)
        return self._shown(self.thought.add(piece))

    def part_thoughts(self) -> list[Delta]:
        """Another part of the summary begins."""
        return self._shown(self.thought.add(_BETWEEN_THOUGHTS)) if self.thought.pieces else []

    def keep_thought(self, vendor: str, item: object) -> None:
        """Keeps an item to be sent back, with its place among what was said before it."""
        if len(self.items) >= MOST_THOUGHTS:
            raise ProviderResponseInvalid(f"The provider's answer has more than {MOST_THOUGHTS} pieces of reasoning.")
        said = len(self.calls.calls) + 1 if self.calls or self.text.pieces else 0
        self.items.append(ReasoningItem(vendor=vendor, item=untrusted.tidy(item), after=said))

    def annotate(self, annotations: object) -> None:
        room = MOST_ANNOTATIONS - len(self.annotations)
        self.annotations += (untrusted.tidy(each) for each in untrusted.tolerated(annotations)[:room])

    def tell_probabilities(self, logprobs: object) -> None:
        """They count where they are asked for, and some servers send them unasked."""
        if self.request.parameters.logprobs is not None:
            self.logprobs += (untrusted.tidy(each) for each in untrusted.tolerated(logprobs))

    def warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)

    def name_model(self, name: object) -> None:
        self.model = self.model or untrusted.model_name(name, asked=self.request.model)

    def _generated(self) -> str:
        return str(self.thought) + str(self.text) + self.calls.generated()

    def _shown(self, thought: str) -> list[Delta]:
        return [ReasoningDelta(text=thought)] if thought and self._shows_thoughts else []

    @property
    def _shows_thoughts(self) -> bool:
        return self.request.parameters.reasoning_effort not in (None, "none")

    def _reasoning(self) -> Reasoning | None:
        text = str(self.thought) if self._shows_thoughts else ""
        return Reasoning(text=text or None, items=tuple(self.items)) if text or self.items else None
