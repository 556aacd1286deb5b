"""Answers in Anthropic's shape: blocks in their places, reasons, and tokens as Anthropic counts them."""

from dataclasses import replace
from typing import Any

import pytest
from anthropic.types import Message
from llm_gateway.domain.chat import FinishReason, Reasoning, ReasoningItem, ToolCall, Usage
from llm_gateway.domain.queries import CacheNote, Output
from llm_gateway.wire.anthropic.answers import message_of
from llm_gateway.wire.anthropic.thoughts import opened

from tests.wire.answered import answered


def _shown(output: Output, **changes: Any) -> dict[str, Any]:
    query = answered(output, **changes)
    assert query.answer is not None
    shown = message_of(query, query.answer)
    # The SDK checks nothing of what it is sent; its types say what must be there.
    Message.model_validate(shown)
    return shown


def test_thoughts_stand_where_they_were_thought() -> None:
    first, second = ({"type": "redacted_thinking", "data": data} for data in "ab")
    items = tuple(
        ReasoningItem(vendor="anthropic", item=item, after=after) for item, after in ((first, 0), (second, 2))
    )
    calls = (ToolCall(id="1", name="f", arguments="{}"), ToolCall(id="2", name="g", arguments='{"a": 1}'))
    shown = _shown(Output(text="x", tool_calls=calls, reasoning=Reasoning(items=items)))
    assert [block.get("data") or block.get("id") or block["type"] for block in shown["content"]] == [
        *("a", "text", "1", "b", "2")
    ]


def test_another_vendors_thoughts_are_told_and_sealed() -> None:
    item = ReasoningItem(vendor="openai", item={"type": "reasoning", "id": "rs"}, after=0)
    shown = _shown(Output(text="x", reasoning=Reasoning(text="Hm.", items=(item,))))
    thinking, hidden, text = shown["content"]
    assert thinking == {"type": "thinking", "thinking": "Hm.", "signature": ""}
    assert opened(hidden["data"]) == (item,)
    assert text["text"] == "x"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("", {}),
        ('{"a": 1}', {"a": 1}),
        ("[1]", {"arguments": "[1]"}),
        ('{"a": ', {"arguments": '{"a": '}),
    ],
)
def test_arguments_are_an_object(arguments: str, shown: dict[str, Any]) -> None:
    (block,) = _shown(Output(text=None, tool_calls=(ToolCall(id="1", name="f", arguments=arguments),)))["content"]
    assert block["input"] == shown


@pytest.mark.parametrize(
    ("reason", "struck", "told"),
    [
        (FinishReason.STOP, None, "end_turn"),
        (FinishReason.STOP, "END", "stop_sequence"),
        (FinishReason.LENGTH, None, "max_tokens"),
        (FinishReason.TOOL_CALLS, None, "tool_use"),
        (FinishReason.CONTENT_FILTER, None, "refusal"),
        (None, None, None),
    ],
)
def test_reasons(reason: Any, struck: str | None, told: str | None) -> None:
    shown = _shown(Output(text="x", stop_sequence=struck), finish_reason=reason)
    assert (shown["stop_reason"], shown["stop_sequence"]) == (told, struck)
    assert (shown["stop_details"] is not None) == (told == "refusal")


def test_input_leaves_out_what_a_cache_gave_or_took() -> None:
    usage = Usage(
        input_tokens=100,
        output_tokens=9,
        cached_input_tokens=60,
        cache_write_tokens=30,
        cache_write_1h_tokens=10,
        reasoning_tokens=4,
        service_tier="priority",
    )
    shown = _shown(Output(text="x"), usage=usage)["usage"]
    assert (shown["input_tokens"], shown["cache_read_input_tokens"], shown["cache_creation_input_tokens"]) == (
        10,
        60,
        30,
    )
    assert shown["cache_creation"] == {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10}
    assert shown["output_tokens_details"] == {"thinking_tokens": 4}
    assert shown["service_tier"] == "priority"
    assert _shown(Output(text="x"), usage=replace(usage, service_tier="flex"))["usage"]["service_tier"] is None


def test_what_the_gateway_adds() -> None:
    shown = _shown(Output(text="x"), cache=CacheNote(hit=True, age_s=3), warnings=("w",), cost_usd=None)
    assert shown["id"] == "msg_01J00000000000000000000000"
    assert shown["gateway"] == {
        "query_id": "qry_01J00000000000000000000000",
        "provider": "p",
        "cost_usd": None,
        "cache": {"hit": True, "age_s": 3, "saved_usd": None},
        "attempts": [],
        "warnings": ["w"],
    }
