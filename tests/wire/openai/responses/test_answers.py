"""Output items: what the model thought, said and called, in the places that they had, whole and in a stream."""

import json
from collections.abc import Generator
from typing import Any

import pytest
from llm_gateway.domain.chat import (
    FinishReason,
    Reasoning,
    ReasoningDelta,
    ReasoningItem,
    TextDelta,
    ToolCall,
    ToolCallDelta,
)
from llm_gateway.domain.queries import Output, Query
from llm_gateway.domain.streams import Opened, Waiting
from llm_gateway.entrypoints.validation import validated
from llm_gateway.wire.openai.responses.answers import response_of
from llm_gateway.wire.openai.responses.events import Story
from llm_gateway.wire.openai.responses.requests import ResponsesBody

from tests.wire.answered import answered

BODY = validated(ResponsesBody, {"model": "m", "input": "?"})
OPENED = Opened(query_id="qry_01J00000000000000000000000", provider="p", model="m")
CALL = ToolCall(id="call_1", name="f", arguments="{}")
SECRET = {"type": "reasoning", "id": "rs_9", "summary": [], "encrypted_content": "SECRET"}


def _mark(text: str, phase: str | None = None, after: int = 1) -> ReasoningItem:
    return ReasoningItem(vendor="openai", item={"type": "message", "phase": phase, "length": len(text)}, after=after)


def _thought(after: int = 0, vendor: str = "openai") -> ReasoningItem:
    item = SECRET if vendor == "openai" else {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    return ReasoningItem(vendor=vendor, item=item, after=after)


def _items(**said: Any) -> list[dict[str, Any]]:
    query = answered(Output(**{"text": None, "tool_calls": ()} | said))
    assert query.answer is not None
    return list(response_of(query, query.answer, body=BODY)["output"])


def test_openais_own_thoughts_stand_where_they_stood() -> None:
    items = (_mark("One. ", "commentary"), _thought(after=1), _mark("Two."), _thought(after=2))
    told = _items(text="One. Two.", tool_calls=(CALL,), reasoning=Reasoning(items=items))
    assert [item["type"] for item in told] == ["message", "reasoning", "message", "function_call", "reasoning"]
    assert [item["content"][0]["text"] for item in told if item["type"] == "message"] == ["One. ", "Two."]
    assert (told[0]["phase"], "phase" in told[2], told[1]) == ("commentary", False, SECRET)
    ids = [item["id"] for item in told if item["type"] == "message"]
    assert len(set(ids)) == 2


@pytest.mark.parametrize("length", [3, "9", None, True])
def test_marks_that_do_not_fit_the_text_leave_it_whole(length: Any) -> None:
    mark = ReasoningItem(vendor="openai", item={"type": "message", "phase": None, "length": length}, after=1)
    told = _items(text="One. Two.", reasoning=Reasoning(items=(_thought(), mark)))
    assert [item["type"] for item in told] == ["reasoning", "message"]
    assert told[1]["content"][0]["text"] == "One. Two."


def test_words_for_people_alone_are_a_thought_too() -> None:
    thought, _ = _items(text="One.", reasoning=Reasoning(text="Hm."))
    assert (thought["summary"], thought["encrypted_content"]) == ([{"type": "summary_text", "text": "Hm."}], None)


def _stream(query: Query, *deltas: Any) -> list[dict[str, Any]]:
    def items() -> Generator[Any, None, None]:
        yield from (Waiting(), OPENED, OPENED, *deltas, query)

    written = [event.decode() for event in Story(body=BODY, created=1).events(items())]
    assert written[0].startswith(":")
    return [json.loads(event.split("\n")[1].removeprefix("data: ")) for event in written[1:]]


def _checked(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The output, which is what the items were that ended, each after it began and in its place."""
    begun = [event["item"]["id"] for event in told if event["type"] == "response.output_item.added"]
    places = [event["output_index"] for event in told if event["type"] == "response.output_item.added"]
    done = {event["output_index"]: event["item"] for event in told if event["type"] == "response.output_item.done"}
    assert places == list(range(len(begun)))
    assert [done[place]["id"] for place in sorted(done)] == begun
    output: list[dict[str, Any]] = told[-1]["response"]["output"]
    assert output == [done[place] for place in sorted(done)]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    return output


def test_pieces_come_in_any_order() -> None:
    output = Output(
        text="One. Two.", tool_calls=(CALL,), reasoning=Reasoning(text="Hm. Hm.", items=(_thought(vendor="anthropic"),))
    )
    begun = ToolCallDelta(index=0, id="call_1", name="f", arguments="{")
    told = _checked(
        _stream(
            answered(output),
            TextDelta(text="One. "),
            begun,
            ReasoningDelta(text="Hm. "),
            TextDelta(text="Two."),
            ToolCallDelta(index=0, arguments="}"),
            ReasoningDelta(text="Hm."),
        )
    )
    assert [item["type"] for item in told] == ["message", "function_call", "reasoning"]
    assert told[0]["content"][0]["text"] == "One. Two."
    assert told[1]["arguments"] == "{}"
    assert told[2]["summary"][0]["text"] == "Hm. Hm."
    assert told[2]["encrypted_content"].startswith("llm-gateway.1.")


def test_a_phase_alone_is_the_messages() -> None:
    output = Output(text="One.", tool_calls=(), reasoning=Reasoning(items=(_mark("One.", "final_answer"),)))
    (message,) = _checked(_stream(answered(output), TextDelta(text="One.")))
    assert message["phase"] == "final_answer"


def test_text_that_a_filter_cut_off_is_not_told_as_an_answer() -> None:
    query = answered(Output(text="One.", tool_calls=()), finish_reason=FinishReason.CONTENT_FILTER)
    told = _stream(query, TextDelta(text="One."))
    (message,) = _checked(told)
    assert message["content"] == [{"type": "refusal", "refusal": "One."}]
    assert not any(event["type"] == "response.output_text.done" for event in told)


def test_a_stream_without_a_word_begins_and_ends() -> None:
    query = answered(Output(text=None, tool_calls=()))
    told = [event.decode() for event in Story(body=BODY, created=1).events(item for item in (query,))]
    assert ['"response.created"' in told[0], '"response.completed"' in told[-1]] == [True, True]


def test_a_stream_needs_an_answer() -> None:
    from dataclasses import replace

    query = replace(answered(Output(text=None, tool_calls=())), answer=None)
    with pytest.raises(ValueError, match="without an answer"):
        list(Story(body=BODY, created=1).events(item for item in (query,)))
