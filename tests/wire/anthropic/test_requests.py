"""Anthropic's requests as queries, and what is refused of them by name."""

from typing import Any

import pytest
from llm_gateway.domain import chat
from llm_gateway.domain.chat import CacheControl, MessageRole, NamedTool, ReasoningItem, TextPart

from tests.wire.anthropic.bodies import HELLO, read, refused

TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object"}}
MARK = {"type": "ephemeral", "ttl": "1h"}
HOUR = CacheControl(ttl="1h")


def test_a_text_is_a_message_of_one_part() -> None:
    (message,) = read().messages
    assert (message.role, message.content) == (MessageRole.USER, (TextPart(text="Hello."),))


def test_a_system_text_stands_before_the_conversation() -> None:
    assert read(system="Be brief.").system == "Be brief."


def test_system_blocks_keep_their_marks() -> None:
    query = read(system=[{"type": "text", "text": "Be brief.", "cache_control": MARK}])
    assert query.system is None
    assert query.messages[0] == chat.Message(
        role=MessageRole.SYSTEM, content=(TextPart(text="Be brief.", cache_control=HOUR),)
    )


def test_the_gateways_own_text_comes_first() -> None:
    query = read(system="Be brief.", gateway={"system": {"text": "Be kind."}})
    assert query.system == "Be kind."
    assert query.messages[0].text == "Be brief."


def test_results_of_tools_are_messages_of_their_own_in_their_order() -> None:
    content = [
        {"type": "text", "text": "one"},
        {"type": "tool_result", "tool_use_id": "a", "content": "two", "is_error": True, "cache_control": MARK},
        {"type": "tool_result", "tool_use_id": "b"},
        {"type": "text", "text": "three"},
    ]
    messages = read(messages=[{"role": "user", "content": content}]).messages
    assert [message.role for message in messages] == ["user", "tool", "tool", "user"]
    assert messages[1] == chat.Message(
        role=MessageRole.TOOL,
        content=(TextPart(text="two"),),
        tool_call_id="a",
        is_error=True,
        cache_control=HOUR,
    )
    assert (messages[2].content, messages[2].is_error) == ((), False)


def test_an_assistants_turn_is_one_message_with_its_thoughts_in_their_places() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    secret = {"type": "redacted_thinking", "data": "d"}
    call = {"type": "tool_use", "id": "c", "name": "f", "input": {"a": [1]}, "cache_control": MARK}
    content = [thought, {"type": "text", "text": "I look."}, call, secret]
    (_, message) = read(messages=[*HELLO["messages"], {"role": "assistant", "content": content}]).messages
    assert message.text == "I look."
    assert message.tool_calls == (chat.ToolCall(id="c", name="f", arguments='{"a":[1]}', cache_control=HOUR),)
    assert message.reasoning == (
        ReasoningItem(vendor="anthropic", item=thought, after=0),
        ReasoningItem(vendor="anthropic", item=secret, after=2),
    )


def test_what_says_nothing_is_no_message() -> None:
    shown = {"type": "thinking", "thinking": "Told to people.", "signature": ""}
    turns = [*HELLO["messages"], {"role": "assistant", "content": [shown]}, {"role": "user", "content": ""}]
    assert len(read(messages=turns).messages) == 1


@pytest.mark.parametrize(
    ("choice", "meant", "parallel"),
    [
        ({"type": "auto"}, "auto", True),
        ({"type": "auto", "disable_parallel_tool_use": True}, "auto", False),
        ({"type": "any"}, "required", True),
        ({"type": "tool", "name": "f", "disable_parallel_tool_use": True}, NamedTool(name="f"), False),
        ({"type": "none"}, "none", True),
    ],
)
def test_choices_of_tools(choice: dict[str, Any], meant: Any, parallel: bool) -> None:
    query = read(tools=[TOOL], tool_choice=choice)
    assert (query.tool_choice, query.parallel_tool_calls) == (meant, parallel)


def test_a_tool() -> None:
    told = TOOL | {"description": "d", "strict": True, "type": "custom", "cache_control": MARK}
    told |= {"allowed_callers": ["direct"], "defer_loading": False, "eager_input_streaming": True}
    assert read(tools=[told]).tools == (
        chat.Tool(name="f", description="d", parameters={"type": "object"}, strict=True, cache_control=HOUR),
    )


@pytest.mark.parametrize(
    ("said", "effort", "thinking"),
    [
        ({}, None, ...),
        ({"thinking": {"type": "disabled"}}, "none", {"type": "disabled"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, "low", {"type": "enabled", "budget_tokens": 2000}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 9000}},
            "medium",
            {"type": "enabled", "budget_tokens": 9000},
        ),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 32000}},
            "high",
            {"type": "enabled", "budget_tokens": 32000},
        ),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, "high", {"type": "adaptive", "display": "omitted"}),
        ({"thinking": {"type": "between_tools"}}, "high", {"type": "between_tools"}),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "max", {"type": "adaptive"}),
        ({"output_config": {"effort": "low"}}, "low", None),
    ],
)
def test_thinking_is_an_effort_and_reaches_anthropic_as_it_is(said: dict[str, Any], effort: Any, thinking: Any) -> None:
    query = read(**said)
    assert query.parameters.reasoning_effort == effort
    assert query.vendor.get("anthropic", {}).get("thinking", ...) == thinking


def test_parameters() -> None:
    query = read(temperature=0.5, top_p=0.9, stop_sequences=["a", "b"], stream=True)
    assert query.parameters == chat.Parameters(temperature=0.5, top_p=0.9, stop=("a", "b"), max_output_tokens=100)
    assert (query.mode, query.timeout_s) == ("stream", 240)


def test_what_is_handed_on() -> None:
    query = read(
        top_k=5,
        service_tier="auto",
        inference_geo="us",
        speed="fast",
        metadata={"user_id": "ada"},
        cache_control={"type": "ephemeral"},
    )
    assert query.vendor == {
        "anthropic": {
            "top_k": 5,
            "service_tier": "auto",
            "inference_geo": "us",
            "speed": "fast",
            "metadata": {"user_id": "ada"},
            "cache_control": {"type": "ephemeral"},
        },
        "openai": {"safety_identifier": "ada"},
    }
    assert query.kinds_for == dict.fromkeys(("speed", "top_k", "inference_geo"), ("anthropic",))
    assert "openai" not in read(metadata={"user_id": "a" * 65}).vendor


def test_a_schema_is_the_outputs() -> None:
    schema = {"type": "object", "properties": {}}
    query = read(output_config={"format": {"type": "json_schema", "schema": schema}})
    assert query.output == chat.OutputFormat(type="json_schema", schema=schema)


def test_the_gateways_options() -> None:
    query = read(gateway={"provider": "p", "fallback": ["*"], "cache": "force", "timeout_s": 9, "metadata": {"a": 1}})
    assert (query.provider, query.fallback, query.cache, query.timeout_s) == ("p", ("*",), "force", 9)
    assert query.metadata == {"a": 1}


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"container": "c"}, "container", "not offered"),
        ({"diagnostics": {}}, "diagnostics", "keeps no state"),
        ({"mcp_servers": []}, "mcp_servers", "not offered"),
        ({"context_management": {"edits": [1]}}, "context_management", "keep all thoughts"),
        ({"user_profile_id": "u"}, "user_profile_id", "header"),
        ({"max_tokens": 0}, "max_tokens", "at least 1"),
        ({"tools": [TOOL | {"type": "bash_20250124"}]}, "tools[0].type", "Anthropic's own"),
        ({"tools": [TOOL | {"input_examples": [{}]}]}, "tools[0].input_examples", "description"),
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools[0].defer_loading", "not offered"),
        ({"tools": [TOOL, TOOL]}, "tools", "two tools"),
        ({"tool_choice": {"type": "any"}}, "tool_choice", "send tools too"),
        ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "tool_choice", "none of tools"),
        ({"messages": []}, "messages", "must say something"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}]},
            "messages[0].content[0].x",
            "known",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "search_result"}]}]},
            "messages[0].content[0].type",
            "must be one of",
        ),
        ({"model": "prompt:"}, "model", "prompt:<id>"),
        ({"gateway": {"prompt": {}}}, "gateway.prompt.id", "is required"),
        ({"temperature": 1.5}, "temperature", "at most 1"),
    ],
)
def test_what_is_refused_by_name(changes: dict[str, Any], field: str, words: str) -> None:
    ((found, message),) = refused(**changes)
    assert found == field
    assert words in message


@pytest.mark.parametrize(
    ("block", "field"),
    [
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, "source.file_id"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}}, "source.data"),
        ({"type": "image", "source": {"type": "url", "url": "http://a.example/b.png"}}, "source.url"),
        ({"type": "document", "source": {"type": "url", "url": "https://a.example/b.pdf"}}, "source.url"),
        ({"type": "document", "source": {"type": "file", "file_id": None}}, "source.file_id"),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "a"},
                "citations": {"enabled": True},
            },
            "citations.enabled",
        ),
    ],
)
def test_blocks_that_are_refused(block: dict[str, Any], field: str) -> None:
    ((found, _),) = refused(messages=[{"role": "user", "content": [block]}])
    assert found.removeprefix("messages[0].content[0].") == field


def test_documents_are_text_where_they_are_text() -> None:
    made = {"type": "document", "title": "T", "context": "C", "cache_control": MARK}
    blocks = [
        made | {"source": {"type": "text", "media_type": "text/plain", "data": "D"}},
        made | {"source": {"type": "content", "content": [{"type": "text", "text": "E"}]}},
        {"type": "document", "source": {"type": "content", "content": "F"}},
        {"type": "image", "source": {"type": "url", "url": "https://a.example/b.png"}},
    ]
    (message,) = read(messages=[{"role": "user", "content": blocks}]).messages
    assert message.content == (
        TextPart(text="T\nC\n\nD", cache_control=HOUR),
        TextPart(text="T\nC"),
        TextPart(text="E", cache_control=HOUR),
        TextPart(text="F"),
        chat.ImagePart(url="https://a.example/b.png"),
    )


def test_a_prompt_by_its_model_or_by_its_option() -> None:
    from llm_gateway.entrypoints.validation import validated
    from llm_gateway.wire.anthropic.requests import MessagesBody

    for changes in (
        {"model": "prompt:greeting@3", "gateway": {"prompt": {"variables": {"a": 1}}}},
        {"gateway": {"prompt": {"id": "greeting", "version": 3, "variables": {"a": 1}}}},
    ):
        body = validated(MessagesBody, HELLO | changes | {"messages": []})
        choices = body.choices()
        assert choices is not None
        assert choices.prompt is not None
        assert (choices.prompt.id, choices.prompt.version, choices.prompt.variables) == ("greeting", 3, {"a": 1})
    assert validated(MessagesBody, HELLO).choices() is None
