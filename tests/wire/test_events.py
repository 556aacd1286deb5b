"""Events as they go over the wire: each says how far its reader has come, and none breaks another."""

import json
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.chat import ReasoningDelta, TextDelta, ToolCallDelta
from llm_gateway.domain.streams import Opened, Position
from llm_gateway.wire.answers import AnswerShown
from llm_gateway.wire.events import LAST_ID, error_event, events
from llm_gateway.wire.problems import Problem

from tests.stores.values import query, succeeded

OPENED = Opened(query_id="qry_1", provider="openai", model="gpt")
DONE = succeeded(query())


class Source:
    """A generator that knows whether it was closed."""

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.closed = False

    def __call__(self) -> Generator[Any, None, None]:
        try:
            for item in self.items:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.closed = True


def sent(*items: Any, start: Position | None = None) -> list[bytes]:
    return list(events(Source(*items)(), start=start or Position()))


def read(event: bytes) -> tuple[str, str, Any]:
    """As the SSE specification has clients read it."""
    text = event.decode()
    assert text.endswith("\n\n")
    lines = text[:-2].split("\n")
    assert [line.partition(": ")[0] for line in lines] == ["event", "id", "data"]
    name, event_id, data = (line.partition(": ")[2] for line in lines)
    return name, event_id, json.loads(data)


def test_an_answer_from_its_opening_to_its_end() -> None:
    shown = [read(event) for event in sent(OPENED, TextDelta(text="Hel"), TextDelta(text="lo"), DONE)]
    assert shown[:3] == [
        ("query", "0", {"id": "qry_1", "provider": "openai", "model": "gpt"}),
        ("delta", "3", {"text": "Hel"}),
        ("delta", "5", {"text": "lo"}),
    ]
    name, event_id, data = shown[3]
    assert (name, event_id) == ("done", LAST_ID)
    assert DONE.answer is not None
    assert data == json.loads(AnswerShown.of(DONE, DONE.answer).model_dump_json(by_alias=True))
    assert data["output"]["json"] == {"is": ["an", "owl", None]}


def test_tool_calls_in_pieces() -> None:
    first = ToolCallDelta(index=0, id="call_1", name="weather", arguments='{"a":')
    second = ToolCallDelta(index=1, id="call_2", name="tide")
    shown = [read(event) for event in sent(TextDelta(text="x"), first, second, ToolCallDelta(index=0, arguments=" 1}"))]
    assert shown[1:] == [
        ("tool_call", "1.5", {"index": 0, "id": "call_1", "name": "weather", "arguments": '{"a":'}),
        ("tool_call", "1.5.0", {"index": 1, "id": "call_2", "name": "tide", "arguments": ""}),
        ("tool_call", "1.8.0", {"index": 0, "id": None, "name": None, "arguments": " 1}"}),
    ]


def test_what_is_thought_has_events_of_its_own() -> None:
    shown = [read(event) for event in sent(OPENED, ReasoningDelta(text="Let me"), TextDelta(text="x"), DONE)]
    assert [(name, event_id) for name, event_id, _ in shown] == [
        ("query", "0"),
        ("reasoning", "0r6"),
        ("delta", "1r6"),
        ("done", LAST_ID),
    ]
    assert shown[1][2] == {"text": "Let me"}


def test_ids_go_on_from_where_the_reader_was() -> None:
    start = Position(text=7, arguments=(3,))
    (event, _) = sent(TextDelta(text="abc"), DONE, start=start)
    assert read(event)[1] == "10.3"


@pytest.mark.parametrize(
    "text", ["a\nb", "a\r\n\r\nb", "\n\ndata: x\n\n", "\u2028\u2029\x85\x0b\x00", "\N{OWL}", "id: 5", ""]
)
def test_no_text_breaks_an_event(text: str) -> None:
    (event,) = sent(TextDelta(text=text))
    assert read(event) == ("delta", str(len(text)), {"text": text})
    assert b"\r" not in event
    assert event.count(b"\n") == 4


def test_half_a_surrogate_pair_is_replaced() -> None:
    (event,) = sent(TextDelta(text="a\ud83d"))
    assert read(event) == ("delta", "2", {"text": "a?"})


def test_an_error_is_an_end() -> None:
    problem = Problem(
        type="/errors/provider_error",
        title="T",
        status=502,
        detail="line\nbreak",
        code="provider_error",
        query_id="qry_1",
    )
    assert read(error_event(problem, root_path="/dev")) == (
        "error",
        LAST_ID,
        {
            "type": "/dev/errors/provider_error",
            "title": "T",
            "status": 502,
            "detail": "line\nbreak",
            "code": "provider_error",
            "query_id": "qry_1",
        },
    )


def test_an_end_without_an_answer_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="answer"):
        sent(replace(DONE, answer=None))


@pytest.mark.parametrize("how", ["read to its end", "closed", "broken"])
def test_its_source_is_closed_with_it(how: str) -> None:
    source = Source(OPENED, TextDelta(text="x"), *([ZeroDivisionError()] if how == "broken" else []))
    shown = events(source(), start=Position())
    next(shown)
    if how == "closed":
        shown.close()
    elif how == "broken":
        with pytest.raises(ZeroDivisionError):
            list(shown)
    else:
        list(shown)
    assert source.closed
