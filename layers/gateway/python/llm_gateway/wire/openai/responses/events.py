"""A streamed answer in the events of OpenAI's Responses API, each item of it begun, continued and ended."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.chat import Delta, FinishReason, ReasoningDelta, ReasoningItem, TextDelta, ToolCallDelta
from llm_gateway.domain.queries import Query
from llm_gateway.domain.streams import Opened, Waiting
from llm_gateway.wire.media_types import KEEP_ALIVE
from llm_gateway.wire.openai.responses import answers

if TYPE_CHECKING:
    from llm_gateway.domain.queries import QueryAnswer
    from llm_gateway.errors import GatewayError
    from llm_gateway.services.queries.reading import Stream
    from llm_gateway.wire.openai.responses.requests import ResponsesBody
    from llm_gateway.wire.problems import Problem

JsonDict = dict[str, Any]

_LIMITS: Final = ("rate_limited", "provider_rate_limited", "budget_exceeded")


@dataclass(slots=True)
class _Item:
    """An item that has begun: its place in the output, and its pieces."""

    place: int
    id: str
    pieces: list[str] = field(default_factory=list)
    call_id: str = ""
    name: str = ""

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def at(self) -> JsonDict:
        return {"item_id": self.id, "output_index": self.place}


@dataclass(slots=True, kw_only=True)
class Story:
    """Tells one stream. Items end with the stream: what a thought needs on its way back is known then.

    The output has one thought at most, which holds all that was thought and where; one message, and the calls.
    """

    body: "ResponsesBody"
    created: int
    number: int = 0
    query_id: str = ""
    head: JsonDict = field(default_factory=dict)
    thought: _Item | None = None
    message: _Item | None = None
    calls: dict[int, _Item] = field(default_factory=dict)

    def events(self, items: "Stream") -> Generator[bytes, None, None]:
        """`response.created`, what comes of each item, and `response.completed` or `response.incomplete`."""
        with closing(items):
            for item in items:
                match item:
                    case Waiting():
                        yield KEEP_ALIVE
                    case Opened():
                        yield from self._begin(item.query_id, item.model)
                    case Query(answer=None):
                        raise ValueError("a stream cannot be done without an answer")
                    case Query(answer=answer) if answer is not None:
                        yield from self._begin(item.id, answer.model)
                        yield from self._finish(item, answer)
                    case delta:
                        yield from self._take(delta)  # type: ignore[arg-type]

    def break_off(self, error: "GatewayError", problem: "Problem") -> bytes:
        """`response.failed`: the answer as far as it came."""
        code = "rate_limit_exceeded" if error.code in _LIMITS else "server_error"
        failed = {
            **self.head,
            "status": "failed",
            "error": {"code": code, "message": problem.detail},
            "gateway": {"query_id": problem.query_id, "code": problem.code},
        }
        return self._event("response.failed", response=failed)

    def _event(self, kind: str, **members: Any) -> bytes:
        told = json.dumps({"type": kind, **members, "sequence_number": self.number}, ensure_ascii=False)
        self.number += 1
        return f"event: {kind}\ndata: {told}\n\n".encode("utf-8", "replace")

    def _begin(self, query_id: str, model: str) -> Iterator[bytes]:
        if self.head:
            return
        self.query_id = query_id
        self.head = answers.head(query_id, model, self.created, body=self.body)
        yield self._event("response.created", response=self.head)
        yield self._event("response.in_progress", response=self.head)

    def _take(self, delta: Delta) -> Iterator[bytes]:
        match delta:
            case ReasoningDelta(text=text):
                yield from self._think(text)
            case TextDelta(text=text):
                yield from self._say(text)
            case ToolCallDelta():
                yield from self._call(delta)

    @property
    def _begun(self) -> int:
        return len(self.calls) + sum(item is not None for item in (self.thought, self.message))

    def _add(self, prefix: str, item: JsonDict, *, number: int = 0) -> tuple[_Item, bytes]:
        begun = _Item(self._begun, answers.item_id(prefix, self.query_id, number))
        told = {"id": begun.id, **item}
        return begun, self._event("response.output_item.added", output_index=begun.place, item=told)

    def _think(self, text: str) -> Iterator[bytes]:
        if self.thought is None:
            self.thought, event = self._add("rs", {"type": "reasoning", "summary": [], "status": "in_progress"})
            yield event
            part = {"type": "summary_text", "text": ""}
            yield self._event("response.reasoning_summary_part.added", **self.thought.at, summary_index=0, part=part)
        self.thought.pieces.append(text)
        yield self._event("response.reasoning_summary_text.delta", **self.thought.at, summary_index=0, delta=text)

    def _say(self, text: str) -> Iterator[bytes]:
        if self.message is None:
            begun = {"type": "message", "role": "assistant", "status": "in_progress", "content": []}
            self.message, event = self._add("msg", begun)
            yield event
            part = answers.output_text("")
            yield self._event("response.content_part.added", **self.message.at, content_index=0, part=part)
        self.message.pieces.append(text)
        place = {**self.message.at, "content_index": 0}
        yield self._event("response.output_text.delta", **place, delta=text, logprobs=[])

    def _call(self, delta: ToolCallDelta) -> Iterator[bytes]:
        if delta.index not in self.calls:
            called = {"call_id": delta.id or "", "name": delta.name or ""}
            told = {"type": "function_call", "status": "in_progress", **called, "arguments": ""}
            begun, event = self._add("fc", told, number=delta.index)
            begun.call_id, begun.name = called["call_id"], called["name"]
            self.calls[delta.index] = begun
            yield event
        if delta.arguments:
            item = self.calls[delta.index]
            item.pieces.append(delta.arguments)
            yield self._event("response.function_call_arguments.delta", **item.at, delta=delta.arguments)

    def _finish(self, query: Query, answer: "QueryAnswer") -> Iterator[bytes]:
        output: dict[int, JsonDict] = {}
        yield from self._end_thought(answer, output)
        yield from self._end_message(answer, output)
        yield from self._end_calls(output)
        whole = answers.finished(query, answer, [output[place] for place in sorted(output)], head=self.head)
        yield self._event(f"response.{whole['status']}", response=whole)

    def _end_thought(self, answer: "QueryAnswer", output: dict[int, JsonDict]) -> Iterator[bytes]:
        items = answer.output.reasoning.items if answer.output.reasoning else ()
        if self.thought is None and (not items or _phase_alone(items)):
            return
        if self.thought is None:
            # It was told to nobody, and goes back all the same.
            self.thought, event = self._add("rs", {"type": "reasoning", "summary": [], "status": "in_progress"})
            yield event
        elif self.thought.pieces:
            text = self.thought.text
            at = {**self.thought.at, "summary_index": 0}
            yield self._event("response.reasoning_summary_text.done", **at, text=text)
            part = {"type": "summary_text", "text": text}
            yield self._event("response.reasoning_summary_part.done", **at, part=part)
        item = answers.thought(self.thought.id, self.thought.text, items)
        yield self._done(self.thought, item, output)

    def _end_message(self, answer: "QueryAnswer", output: dict[int, JsonDict]) -> Iterator[bytes]:
        if self.message is None:
            return
        items = answer.output.reasoning.items if answer.output.reasoning else ()
        phase = items[0].item.get("phase") if _phase_alone(items) else None
        item = answers.message(self.message.id, self.message.text, answer, phase=phase)
        at, part = {**self.message.at, "content_index": 0}, item["content"][0]
        if answer.finish_reason is not FinishReason.CONTENT_FILTER:
            told = {"text": self.message.text, "logprobs": part["logprobs"]}
            yield self._event("response.output_text.done", **at, **told)
        yield self._event("response.content_part.done", **at, part=part)
        yield self._done(self.message, item, output)

    def _end_calls(self, output: dict[int, JsonDict]) -> Iterator[bytes]:
        for called in self.calls.values():
            item = {
                "id": called.id,
                "type": "function_call",
                "status": "completed",
                "call_id": called.call_id,
                "name": called.name,
                "arguments": called.text,
            }
            yield self._event("response.function_call_arguments.done", **called.at, arguments=called.text)
            yield self._done(called, item, output)

    def _done(self, begun: _Item, item: JsonDict, output: dict[int, JsonDict]) -> bytes:
        output[begun.place] = item
        return self._event("response.output_item.done", output_index=begun.place, item=item)


def _phase_alone(items: tuple[ReasoningItem, ...]) -> bool:
    """Whether nothing is kept but the phase of the one message, which can say it itself."""
    return len(items) == 1 and items[0].item.get("type") == "message"
