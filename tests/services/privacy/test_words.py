"""Every word is looked at: a text that is added to requests or answers and forgotten here fails a test."""

from collections import Counter
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest
from llm_gateway.domain.chat import (
    AudioPart,
    CacheControl,
    FilePart,
    ImagePart,
    Message,
    MessageRole,
    OutputFormat,
    Parameters,
    Reasoning,
    ReasoningItem,
    TextPart,
    Tool,
    ToolCall,
)
from llm_gateway.domain.queries import Output, QueryRequest
from llm_gateway.domain.query_context import ContextItem, ContextReport, ContextWish, ItemReport
from llm_gateway.services.privacy.words import Reading, _free

NO_WORDS = {
    # Names of the gateway's own, and choices among a few.
    *("type", "media_type", "format", "detail", "role", "ttl", "vendor", "strategy", "ranking", "outcome", "cache"),
    *("mode", "priority", "on_disconnect", "model", "provider", "embedding_model", "tool_choice", "reasoning_effort"),
    "reason",
}
REQUEST = QueryRequest(
    messages=(
        Message(role=MessageRole.USER, content=(TextPart(text="w", cache_control=CacheControl()),), name="w"),
        Message(
            role=MessageRole.USER,
            content=(
                TextPart(text="w"),
                ImagePart(url="https://w"),
                ImagePart(url="data:image/png;base64,w"),
                FilePart(data="w", filename="w"),
                AudioPart(data="w", format="wav"),
            ),
        ),
        Message(
            role=MessageRole.ASSISTANT,
            tool_calls=(ToolCall(id="w", name="w", arguments='{"w": "w", "n": 1234567, "list": ["w", true, 1.5]}'),),
            reasoning=(ReasoningItem(vendor="openai", item={"type": "w", "text": "w", "encrypted_content": "opaque"}),),
        ),
        Message(role=MessageRole.TOOL, content=(TextPart(text="w"),), tool_call_id="w"),
    ),
    system="w",
    context=ContextWish(items=(ContextItem(id="w", text="w", source="w"),)),
    tools=(Tool(name="w", description="w", parameters={"w": {"enum": ["w"]}}),),
    output=OutputFormat(type="json_schema", schema={"w": "w"}),
    parameters=Parameters(stop=("w",)),
    vendor={"openai": {"user": "w"}},
    metadata={"w": ["w"]},
)
OUTPUT = Output(
    text='{"w": "w"}',
    json={"w": "w"},
    tool_calls=(ToolCall(id="w", name="w", arguments="not json: w"),),
    reasoning=Reasoning(text="w", items=(ReasoningItem(vendor="openai", item={"summary": "w"}),)),
    annotations=({"title": "w"},),
    stop_sequence="w",
)


def left(value: Any, where: str = "") -> list[str]:
    """Where a text still stands as it was."""
    if isinstance(value, str):
        return [where] if "w" in value else []
    if is_dataclass(value):
        return [
            place
            for field in fields(value)
            if field.name not in NO_WORDS
            for place in left(getattr(value, field.name), f"{where}.{field.name}")
        ]
    if isinstance(value, Enum) or value is None:
        return []
    if isinstance(value, dict):
        return [place for name, part in value.items() for place in (*left(name, where), *left(part, f"{where}.{name}"))]
    if isinstance(value, list | tuple):
        return [place for number, part in enumerate(value) for place in left(part, f"{where}[{number}]")]
    return []


def change(text: str, _field: str) -> str:
    return text.replace("w", "X")


EVERYTHING = Reading(change=change, fixed=change, data=change)


@pytest.mark.holds("LLM02")
def test_no_word_of_a_request_is_passed_over() -> None:
    assert left(REQUEST) != []
    changed = EVERYTHING.request(REQUEST)
    assert left(changed) == []
    assert changed.messages[2].tool_calls[0].arguments == '{"X": "X", "n": 1234567, "list": ["X", true, 1.5]}'
    assert changed.messages[2].reasoning[0].item["encrypted_content"] == "opaque"


def test_no_word_of_an_answer_is_passed_over() -> None:
    changed = EVERYTHING.output(OUTPUT, is_json=True)
    assert left(changed) == []
    assert (changed.text, changed.json) == ('{"X": "X"}', {"X": "X"})


def test_nothing_changes_where_nothing_is_to() -> None:
    as_it_is = Reading(change=lambda text, _: text)
    assert as_it_is.request(REQUEST) == REQUEST
    assert as_it_is.output(OUTPUT, is_json=False) == OUTPUT


def test_a_long_number_is_a_text_too() -> None:
    numbers = Reading(change=lambda text, _: "[N]" if text.isdecimal() else text)
    assert numbers.json({"card": 4111111111111111, "age": 41, "on": True, "share": 0.5}, "f") == {
        "card": "[N]",
        "age": 41,
        "on": True,
        "share": 0.5,
    }


def test_fields_are_named_as_the_api_has_them() -> None:
    named = list[str]()

    def note(text: str, field: str) -> str:
        named.append(field)
        return text

    Reading(change=note, fixed=note, data=note).request(REQUEST)
    assert named[:7] == [
        "system.text",
        "messages[0].content",
        "messages[0].name",
        "messages[1].content[0]",
        "messages[1].content[1].image_url",
        "messages[1].content[2].image_url",
        "messages[1].content[3].file.filename",
    ]
    assert "messages[2].tool_calls[0].function.arguments.list[0]" in named
    assert {"context.items[0].text", "tools[0].function.description", "vendor.openai.user", "metadata.w[0]"} <= set(
        named
    )


def test_the_report_names_items_anew() -> None:
    report = ContextReport(
        items=(ItemReport(id="w", outcome="dropped", duplicate_of="w"), ItemReport(id="w", outcome="included"))
    )
    assert [(item.id, item.duplicate_of) for item in EVERYTHING.report(report).items] == [("X", "X"), ("X", None)]


def test_members_whose_names_become_one_are_all_kept() -> None:
    reading = Reading(change=lambda text, _: "[email]" if "@" in text else text)
    told = reading.json({"a@example.com": 1, "[email] 2": 2, "b@example.com": 3, "c@example.com": 4}, "metadata")
    assert told == {"[email]": 1, "[email] 2": 2, "[email] 3": 3, "[email] 4": 4}


def test_many_members_whose_names_become_one_take_no_longer_each() -> None:
    looked_up = 0

    class Counted(dict[str, int]):
        def __contains__(self, name: object) -> bool:
            nonlocal looked_up
            looked_up += 1
            return super().__contains__(name)

    met, taken = Counter[str](), Counted()
    for number in range(1000):
        taken[_free("[email]", taken, met)] = number
    assert (len(taken), looked_up) == (1000, 2 * 1000 - 1)


def test_a_number_of_a_schema_is_looked_at_and_stays_one() -> None:
    looked_at = list[str]()

    def note(text: str, _field: str) -> str:
        looked_at.append(text)
        return text

    schema = {"properties": {"n": {"maximum": 4111111111111111, "enum": ["w"]}}}
    request = replace(REQUEST, output=OutputFormat(type="json_schema", schema=schema))
    masked = Reading(change=lambda text, _: f"<{text}>", fixed=note).request(request)
    assert masked.output.schema == {"<properties>": {"<n>": {"<maximum>": 4111111111111111, "<enum>": ["<w>"]}}}
    assert "4111111111111111" in looked_at
