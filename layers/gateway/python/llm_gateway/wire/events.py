"""Server-sent events: a streamed answer as it goes over the wire."""

import json
from collections.abc import Iterator
from typing import Any

from llm_gateway.domain.chat import Delta, TextDelta
from llm_gateway.domain.queries import Query
from llm_gateway.domain.streams import Opened, Position
from llm_gateway.wire.answers import AnswerShown
from llm_gateway.wire.problems import Problem

MEDIA_TYPE = "text/event-stream"
KEEP_ALIVE = b": keep-alive\n\n"
LAST_ID = "end"
"""The id of the event after which nothing follows."""


def events(items: Iterator[Opened | Delta | Query], *, start: Position) -> Iterator[bytes]:
    """`query`, `delta` and `tool_call`, then `done`; every id says how far a reader has come who has read so far."""
    position = start
    for item in items:
        match item:
            case Opened():
                opened = {"id": item.query_id, "provider": item.provider, "model": item.model}
                yield _event("query", str(position), opened)
            case Query():
                yield _done(item)
            case TextDelta():
                position = position.after(item)
                yield _event("delta", str(position), {"text": item.text})
            case _:
                position = position.after(item)
                call = {"index": item.index, "id": item.id, "name": item.name, "arguments": item.arguments}
                yield _event("tool_call", str(position), call)


def error_event(problem: Problem) -> bytes:
    """The end of a stream that failed after something was sent."""
    return _raw("error", LAST_ID, problem.model_dump_json(exclude_none=True))


def _done(query: Query) -> bytes:
    if query.answer is None:
        raise ValueError("a stream cannot be done without an answer")
    return _raw("done", LAST_ID, AnswerShown.of(query, query.answer).model_dump_json(by_alias=True))


def _event(name: str, event_id: str, data: dict[str, Any]) -> bytes:
    return _raw(name, event_id, json.dumps(data, ensure_ascii=False))


def _raw(name: str, event_id: str, data: str) -> bytes:
    # JSON text has no raw line breaks, so one data line holds it.
    return f"event: {name}\nid: {event_id}\ndata: {data}\n\n".encode("utf-8", "replace")
