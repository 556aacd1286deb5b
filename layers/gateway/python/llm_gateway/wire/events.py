"""Server-sent events: a streamed answer as it goes over the wire."""

import json
from collections.abc import Generator
from contextlib import closing
from typing import Any

from llm_gateway.domain.chat import Delta, ReasoningDelta, TextDelta, ToolCallDelta
from llm_gateway.domain.queries import Query
from llm_gateway.domain.streams import Opened, Position, Waiting
from llm_gateway.wire.answers import AnswerShown
from llm_gateway.wire.media_types import KEEP_ALIVE
from llm_gateway.wire.problems import Problem
from llm_gateway.wire.schema import served_under

LAST_ID = "end"
"""The id of the event after which nothing follows."""

_DELTAS = (TextDelta, ReasoningDelta, ToolCallDelta)
_ENCODER = json.JSONEncoder(ensure_ascii=False)


def events(
    items: Generator[Opened | Waiting | Delta | Query, None, None], *, start: Position
) -> Generator[bytes, None, None]:
    """`query`, `reasoning`, `delta` and `tool_call`, then `done`; every id says how far a reader has come who has read so far."""
    position = start
    with closing(items):
        for item in items:
            if isinstance(item, _DELTAS):
                position = position.after(item)
            yield _event_of(item, str(position))


def error_event(problem: Problem, *, root_path: str) -> bytes:
    """The end of a stream that failed after something was sent."""
    return _raw("error", LAST_ID, problem.model_dump_json(context=served_under(root_path)))


def _event_of(item: Opened | Waiting | Delta | Query, event_id: str) -> bytes:
    match item:
        case TextDelta():
            return _raw("delta", event_id, _of_text(item.text))
        case ReasoningDelta():
            return _raw("reasoning", event_id, _of_text(item.text))
        case Waiting():
            return KEEP_ALIVE
        case Opened():
            return _event("query", event_id, {"id": item.query_id, "provider": item.provider, "model": item.model})
        case ToolCallDelta():
            call = {"index": item.index, "id": item.id, "name": item.name, "arguments": item.arguments}
            return _event("tool_call", event_id, call)
        case Query():
            return _done(item)


def _done(query: Query) -> bytes:
    if query.answer is None:
        raise ValueError("a stream cannot be done without an answer")
    return _raw("done", LAST_ID, AnswerShown.of(query, query.answer).model_dump_json(by_alias=True))


def _of_text(text: str) -> str:
    # A text alone has no need of what goes through a document, and takes half the time.
    return f'{{"text": {_ENCODER.encode(text)}}}'


def _event(name: str, event_id: str, data: dict[str, Any]) -> bytes:
    return _raw(name, event_id, _ENCODER.encode(data))


def _raw(name: str, event_id: str, data: str) -> bytes:
    # JSON text has no raw line breaks, so one data line holds it.
    return f"event: {name}\nid: {event_id}\ndata: {data}\n\n".encode("utf-8", "replace")
