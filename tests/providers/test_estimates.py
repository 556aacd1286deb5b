"""Estimates of what nobody counted."""

from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.chat import ImagePart, Message, MessageRole, OutputFormat, Tool, ToolCall
from llm_gateway.providers.estimates import estimated_usage, quarter_of_bytes

from tests.providers.conftest import asking


@given(st.text())
def test_a_text_is_about_a_quarter_of_its_bytes(text: str) -> None:
    size = len(text.encode("utf-8", "replace"))

    assert size <= 4 * quarter_of_bytes(text) < size + 4


def test_everything_that_is_sent_counts() -> None:
    plain = asking()
    call = ToolCall(id="1", name="weather", arguments='{"city": "Paris"}')
    more = [
        asking(system="You are a very terse assistant."),
        asking(tools=(Tool(name="weather", parameters={"type": "object"}),)),
        asking(output=OutputFormat(type="json_schema", schema={"type": "object", "properties": {}})),
        asking(messages=(*plain.messages, Message(role=MessageRole.ASSISTANT, tool_calls=(call,)))),
        asking(messages=(*plain.messages, Message(role=MessageRole.USER, content=(ImagePart(url="https://x/y"),)))),
    ]

    least = estimated_usage(plain, "", count_tokens=quarter_of_bytes)
    assert least.estimated
    assert least.output_tokens == 0
    assert all(estimated_usage(request, "", count_tokens=len).input_tokens > least.input_tokens for request in more)


def test_counts_with_the_counter_it_is_given() -> None:
    assert estimated_usage(asking("abc"), "four", count_tokens=len).output_tokens == 4
