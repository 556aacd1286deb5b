"""Server-sent events, out of the bytes of a stream, and what the gateway says in them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from llm_gateway_client.answers import DeltaEvent, QueryEvent, QueryResponse, ReasoningEvent, ToolCallEvent
from llm_gateway_client.errors import AnswerUnreadable

StreamEvent = QueryEvent | ReasoningEvent | DeltaEvent | ToolCallEvent | QueryResponse
"""`query` once, then `reasoning`, `delta` and `tool_call` in pieces, and at last the whole answer."""

KINDS: Final[Mapping[str, type[StreamEvent]]] = {
    "query": QueryEvent,
    "reasoning": ReasoningEvent,
    "delta": DeltaEvent,
    "tool_call": ToolCallEvent,
    "done": QueryResponse,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """`id` is what the stream can be resumed after."""

    name: str
    data: str
    id: str

    def problem(self) -> dict[str, Any]:
        """The problem that an `error` event tells of. Raises AnswerUnreadable."""
        try:
            told = json.loads(self.data)
        except ValueError as error:
            raise AnswerUnreadable("A stream's error event cannot be read.", status=200) from error
        return told if isinstance(told, dict) else {}


@dataclass(slots=True)
class EventDecoder:
    """Takes a stream's bytes in whatever pieces they come, and gives the events that are complete."""

    _rest: bytes = b""
    _name: str = ""
    _id: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        return [event for line in lines if (event := self._take(line.removesuffix(b"\r").decode("utf-8", "replace")))]

    def _take(self, line: str) -> ServerEvent | None:
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._name = value
        elif name == "id":
            self._id = value
        elif name == "data":
            self._data.append(value)
        return None

    def _end(self) -> ServerEvent | None:
        event = ServerEvent(name=self._name, data="\n".join(self._data), id=self._id) if self._data else None
        self._name, self._data = "", []
        return event
