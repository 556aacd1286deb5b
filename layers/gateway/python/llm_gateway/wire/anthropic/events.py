"""A streamed answer in Anthropic's events, each block of it begun, continued and ended in its turn."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from llm_gateway.domain.chat import Delta, ReasoningDelta, ReasoningItem, TextDelta, ToolCallDelta, Usage
from llm_gateway.domain.queries import Query
from llm_gateway.domain.streams import Opened, Waiting
from llm_gateway.wire.anthropic import thoughts
from llm_gateway.wire.anthropic.answers import ending, gateway_of, head, thinking, usage_of

if TYPE_CHECKING:
    from llm_gateway.domain.queries import QueryAnswer
    from llm_gateway.services.queries.reading import Stream

JsonDict = dict[str, Any]


def event(kind: str, **members: Any) -> bytes:
    told = json.dumps({"type": kind, **members}, ensure_ascii=False)
    return f"event: {kind}\ndata: {told}\n\n".encode("utf-8", "replace")


@dataclass(slots=True)
class _Writer:
    """Where a stream stands: the block that is open, and how many there were.

    Thoughts that were told stay unsigned until all of them have come: their blocks end with the stream, and `told` has their
    texts by their place.
    """

    blocks: int = 0
    open: tuple[str, int] | None = None
    calls: dict[int, int] = field(default_factory=dict)
    told: dict[int, list[str]] = field(default_factory=dict)

    def take(self, delta: Delta) -> Iterator[bytes]:
        match delta:
            case ReasoningDelta(text=text):
                yield from self._think(text)
            case TextDelta(text=text):
                if self.open is None or self.open[0] != "text":
                    yield from self._begin("text", {"type": "text", "text": "", "citations": None})
                yield self._piece({"type": "text_delta", "text": text})
            case ToolCallDelta():
                yield from self._call(delta)

    def _think(self, text: str) -> Iterator[bytes]:
        if self.open is None or self.open[0] != "thinking":
            # A later thought is told after blank lines, which are none of it.
            text = text.lstrip("\n") if self.told else text
            if not text:
                return
            yield from self._begin("thinking", thinking(""))
        place = self.blocks - 1
        self.told.setdefault(place, []).append(text)
        yield self._piece({"type": "thinking_delta", "thinking": text})

    def _call(self, delta: ToolCallDelta) -> Iterator[bytes]:
        if delta.index not in self.calls:
            yield from self._begin(
                "tool_use", {"type": "tool_use", "id": delta.id or "", "name": delta.name or "", "input": {}}
            )
            self.calls[delta.index] = self.blocks - 1
        if delta.arguments:
            piece = {"type": "input_json_delta", "partial_json": delta.arguments}
            yield event("content_block_delta", index=self.calls[delta.index], delta=piece)

    def _begin(self, kind: str, block: JsonDict) -> Iterator[bytes]:
        yield from self._end()
        self.open = (kind, self.blocks)
        yield event("content_block_start", index=self.blocks, content_block=block)
        self.blocks += 1

    def _end(self) -> Iterator[bytes]:
        if self.open is not None and self.open[0] != "thinking":
            yield event("content_block_stop", index=self.open[1])
        self.open = None

    def _piece(self, delta: JsonDict) -> bytes:
        return event("content_block_delta", index=self.blocks - 1, delta=delta)

    def finish(self, answer: "QueryAnswer") -> Iterator[bytes]:
        """The ends of what is open, and the thoughts that no block could tell in its place."""
        yield from self._end()
        items = answer.output.reasoning.items if answer.output.reasoning else ()
        signatures = self._signatures(items)
        for number, place in enumerate(self.told):
            if signatures:
                signed = {"type": "signature_delta", "signature": signatures[number]}
                yield event("content_block_delta", index=place, delta=signed)
            yield event("content_block_stop", index=place)
        if items and not signatures:
            yield from self._begin("redacted_thinking", thoughts.sealed(items))
            yield from self._end()

    def _signatures(self, items: tuple[ReasoningItem, ...]) -> list[str]:
        """Those of the thoughts that were told, where they are all that there is: such blocks are the vendor's own."""
        said = ["".join(pieces) for pieces in self.told.values()]
        thought = [(item.item.get("thinking"), item.item.get("signature")) for item in items]
        are_own = all(item.vendor == thoughts.VENDOR and item.item.get("type") == "thinking" for item in items)
        if not are_own or [text for text, _ in thought] != said:
            return []
        signatures = [signature for _, signature in thought if isinstance(signature, str) and signature]
        return signatures if len(signatures) == len(said) else []


def events(items: "Stream") -> Generator[bytes, None, None]:
    """`message_start`, the blocks, `message_delta`, and `message_stop` with the gateway's own member; `ping` in silence."""
    writer = _Writer()
    begun = False
    with closing(items):
        for item in items:
            match item:
                case Waiting():
                    yield event("ping")
                case Opened():
                    if not begun:
                        begun = True
                        yield _start(item.query_id, item.model)
                case Query(answer=None):
                    raise ValueError("a stream cannot be done without an answer")
                case Query(answer=answer) if answer is not None:
                    if not begun:
                        yield _start(item.id, answer.model)
                    yield from writer.finish(answer)
                    yield from _stop(item, answer)
                case delta:
                    yield from writer.take(delta)  # type: ignore[arg-type]


def _start(query_id: str, model: str) -> bytes:
    # What was read is known at the end alone: the last count holds. Of the cache's parts no later event could tell: nothing is
    # said of them, since a client would keep a count of none beside the sum.
    begun = {**head(query_id, model), "usage": {**usage_of(Usage()), "cache_creation": None}}
    return event("message_start", message=begun)


def _stop(query: Query, answer: "QueryAnswer") -> Iterator[bytes]:
    usage = {
        name: value for name, value in usage_of(answer.usage).items() if name not in ("cache_creation", "service_tier")
    }
    yield event("message_delta", delta={"container": None, **ending(answer)}, usage=usage)
    yield event("message_stop", gateway=gateway_of(query, answer))
