"""Streams in Anthropic's events: whatever comes in which pieces, the SDK reads the same message as a buffered one."""

import json
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.chat import Reasoning, ReasoningDelta, ReasoningItem, TextDelta, ToolCall, ToolCallDelta
from llm_gateway.domain.queries import Output
from llm_gateway.domain.streams import Opened, Waiting
from llm_gateway.wire.anthropic.events import events
from llm_gateway.wire.anthropic.thoughts import opened

from tests.wire.answered import answered

OPENED = Opened(query_id="qry_1", provider="p", model="m")


def _told(*items: Any) -> list[dict[str, Any]]:
    def stream() -> Generator[Any, None, None]:
        yield from items

    told = []
    for event in events(stream()):
        name, data = event.decode().removesuffix("\n\n").split("\n")
        told.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {told[-1]['type']}"
    return told


def _blocks(told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks as a client puts them together; each must begin, go on and end."""
    blocks: list[dict[str, Any]] = []
    ended = set[int]()
    for event in told:
        match event["type"]:
            case "content_block_start":
                assert event["index"] == len(blocks)
                blocks.append({**event["content_block"], "json": ""})
            case "content_block_delta":
                assert event["index"] not in ended
                block, delta = blocks[event["index"]], event["delta"]
                name = {"input_json_delta": "json", "text_delta": "text"}.get(
                    delta["type"], delta["type"].removesuffix("_delta")
                )
                block[name] += delta[{"input_json_delta": "partial_json"}.get(delta["type"], name)]
            case "content_block_stop":
                ended.add(event["index"])
    assert ended == set(range(len(blocks)))
    return blocks


def _thought(text: str, signature: str, after: int = 0) -> ReasoningItem:
    item = {"type": "thinking", "thinking": text, "signature": signature}
    return ReasoningItem(vendor="anthropic", item=item, after=after)


def test_text_and_calls() -> None:
    calls = (ToolCall(id="1", name="f", arguments='{"a": 1}'), ToolCall(id="2", name="g", arguments="{}"))
    told = _told(
        OPENED,
        TextDelta(text="Hel"),
        TextDelta(text="lo"),
        ToolCallDelta(index=0, id="1", name="f", arguments='{"a"'),
        ToolCallDelta(index=0, arguments=": 1}"),
        ToolCallDelta(index=1, id="2", name="g", arguments="{}"),
        answered(Output(text="Hello", tool_calls=calls)),
    )
    text, first, second = _blocks(told)
    assert (text["type"], text["text"]) == ("text", "Hello")
    assert (first["id"], first["name"], first["json"]) == ("1", "f", '{"a": 1}')
    assert (second["id"], second["name"], second["json"]) == ("2", "g", "{}")
    assert told[0]["message"]["id"] == "msg_1"
    assert told[-1]["gateway"]["provider"] == "p"


def test_signatures_come_when_all_is_known() -> None:
    items = (_thought("One", "s1"), _thought("Two", "s2", after=1))
    told = _told(
        OPENED,
        ReasoningDelta(text="O"),
        ReasoningDelta(text="ne"),
        TextDelta(text="x"),
        ReasoningDelta(text="\n\n"),
        ReasoningDelta(text="Two"),
        answered(Output(text="x", reasoning=Reasoning(text="One\n\nTwo", items=items))),
    )
    blocks = _blocks(told)
    assert [(block["type"], block.get("signature")) for block in blocks] == [
        *(("thinking", "s1"), ("text", None), ("thinking", "s2"))
    ]
    assert [block["thinking"] for block in blocks if block["type"] == "thinking"] == ["One", "Two"]


@pytest.mark.parametrize(
    "items",
    [
        (_thought("Other words", "s1"),),
        (_thought("One", ""),),
        (ReasoningItem(vendor="openai", item={"type": "reasoning", "id": "rs_1"}),),
        (_thought("One", "s1"), ReasoningItem(vendor="anthropic", item={"type": "redacted_thinking", "data": "d"})),
    ],
)
def test_thoughts_that_were_not_told_as_they_are_come_sealed(items: tuple[ReasoningItem, ...]) -> None:
    answer = answered(Output(text="x", reasoning=Reasoning(text="One", items=items)))
    shown, text, sealed = _blocks(_told(OPENED, ReasoningDelta(text="One"), TextDelta(text="x"), answer))
    assert (shown["thinking"], shown["signature"], text["text"]) == ("One", "", "x")
    assert opened(sealed["data"]) == items


def test_silence_is_a_ping() -> None:
    assert _told(Waiting(), OPENED, answered(Output(text="")))[0] == {"type": "ping"}


def test_an_answer_without_an_opening_begins_all_the_same() -> None:
    told = _told(answered(Output(text="")))
    assert [event["type"] for event in told] == ["message_start", "message_delta", "message_stop"]


def test_a_stream_cannot_be_done_without_an_answer() -> None:
    with pytest.raises(ValueError, match="without an answer"):
        _told(OPENED, replace(answered(Output(text="")), answer=None))
