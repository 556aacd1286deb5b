"""Queries over HTTP: how what is asked reaches the core."""

import json
from typing import Any

import pytest
from llm_gateway.domain import chat
from llm_gateway.wire.queries import QueryBody, StreamBody
from pydantic import ValidationError

_HELLO = {"role": "user", "content": "Hello"}


def _asked(**changes: Any) -> Any:
    return QueryBody.model_validate_json(json.dumps({"messages": [_HELLO]} | changes)).to_domain()


def test_what_is_left_out_has_its_default() -> None:
    asked = _asked()
    assert asked.messages == (chat.Message(role=chat.MessageRole.USER, content=(chat.TextPart(text="Hello"),)),)
    assert (asked.system, asked.model, asked.provider, asked.fallback) == (None, None, None, None)
    assert (asked.cache, asked.mode, asked.priority, asked.tool_choice) == ("auto", "sync", "normal", "auto")
    assert asked.parameters == chat.Parameters()
    assert asked.output == chat.OutputFormat()
    assert asked.metadata == {}


def test_no_fallback_is_another_thing_than_any() -> None:
    assert _asked(fallback=[]).fallback == ()
    assert _asked(fallback=None).fallback is None
    assert _asked(fallback=["a", "b/m"]).fallback == ("a", "b/m")


def test_each_way_of_asking_has_its_own_time() -> None:
    assert _asked().timeout_s == 25
    assert _asked(mode="async").timeout_s == 300
    assert _asked(mode="async", timeout_s=840).timeout_s == 840
    assert StreamBody.model_validate({"messages": [_HELLO]}).to_domain().timeout_s == 300
    assert StreamBody.model_validate({"messages": [_HELLO], "timeout_s": 840}).to_domain().timeout_s == 840
    for body, timeout_s in ((QueryBody, 28.001), (StreamBody, 840.5), (StreamBody, 0.5)):
        with pytest.raises(ValidationError):
            body.model_validate({"messages": [_HELLO], "timeout_s": timeout_s})


def test_a_stream_has_no_mode() -> None:
    assert StreamBody.model_validate({"messages": [_HELLO]}).to_domain().mode == "stream"
    with pytest.raises(ValidationError):
        StreamBody.model_validate({"messages": [_HELLO], "mode": "async"})


def test_a_conversation_with_tools() -> None:
    messages = [
        {"role": "developer", "content": "Be brief.", "name": "house"},
        {"role": "user", "content": [{"type": "text", "text": "Weather?", "cache_control": {"type": "ephemeral"}}]},
        {
            "role": "assistant",
            "content": "Let me see.",
            "refusal": None,
            "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "weather", "arguments": '{"in": "Bern"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "Snow"}]},
    ]
    first, second, third, fourth = _asked(messages=messages).messages
    assert (first.role, first.name) == (chat.MessageRole.DEVELOPER, "house")
    assert second.content == (chat.TextPart(text="Weather?", cache_control=chat.CacheControl(ttl="5m")),)
    assert third.tool_calls == (chat.ToolCall(id="1", name="weather", arguments='{"in": "Bern"}'),)
    assert (fourth.role, fourth.tool_call_id) == (chat.MessageRole.TOOL, "1")


def test_tools_and_the_choice_of_one() -> None:
    schema = {"type": "object", "properties": {"in": {"type": "string"}}}
    tools = [
        {"type": "function", "function": {"name": "weather", "description": "d", "parameters": schema, "strict": True}}
    ]
    asked = _asked(tools=tools, tool_choice={"type": "function", "function": {"name": "weather"}})
    assert asked.tools == (chat.Tool(name="weather", description="d", parameters=schema, strict=True),)
    assert asked.tool_choice == chat.NamedTool(name="weather")
    assert _asked(tools=tools, tool_choice="required").tool_choice == "required"


@pytest.mark.parametrize(
    "url", ["https://example.com/a.png", "data:image/png;base64,iVBORw0KGgo=", "data:image/svg+xml;base64,AAAA"]
)
def test_images_that_are_taken(url: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}]
    (message,) = _asked(messages=[{"role": "user", "content": content}]).messages
    assert message.content == (chat.ImagePart(url=url, detail="low"),)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://example.com/a.png",
        "file:///etc/passwd",
        "ftp://example.com/a.png",
        "data:text/html;base64,AAAA",
        "data:image/png,AAAA",
        "data:image/png;base64,",
        "data:image/png;base64,A A",
        "data:image/png;base64,AAAA\n",
        "HTTPS:example.com",
        "https://",
        "https://example.com/a b.png",
        "https://example.com/a.png\r\nX-A: b",
        "https://example.com/\x00.png",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:a9fe:a9fe]/",
        "https://metadata.google.internal/a.png",
        "https://example.com/" + "a" * 8_000,
    ],
)
def test_images_that_are_not(url: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    with pytest.raises(ValidationError):
        _asked(messages=[{"role": "user", "content": content}])


def test_the_form_of_the_answer() -> None:
    schema = {"type": "object"}
    assert _asked(output={"type": "json_schema", "schema": schema}).output == chat.OutputFormat(
        type="json_schema", schema=schema
    )
    assert _asked(output={"type": "json"}).output == chat.OutputFormat(type="json")
    for wrong in (
        {"type": "json_schema"},
        {"type": "text", "schema": schema},
        {"type": "json_schema", "json_schema": schema},
    ):
        with pytest.raises(ValidationError):
            _asked(output=wrong)


def test_metadata_is_small() -> None:
    room = 16_384 - len(json.dumps({"a": ""}))
    assert _asked(metadata={"a": "x" * room}).metadata == {"a": "x" * room}
    with pytest.raises(ValidationError):
        _asked(metadata={"a": "x" * (room + 1)})


@pytest.mark.parametrize("calls", [[], [{"id": "1", "type": "function", "function": {"name": "w", "arguments": "{}"}}]])
def test_an_answer_goes_back_as_openais_sdk_dumps_it(calls: list[dict[str, Any]]) -> None:
    from openai.types.chat import ChatCompletionMessage

    said = ChatCompletionMessage.model_validate(
        {"role": "assistant", "content": "Hi", "refusal": "", "annotations": [], "tool_calls": calls or None}
    )
    turn, _ = _asked(
        messages=[said.model_dump(), {"role": "tool", "tool_call_id": "1", "name": "w", "content": "x"}]
    ).messages

    assert (turn.text, len(turn.tool_calls)) == ("Hi", len(calls))


@pytest.mark.parametrize(
    "said",
    [{"annotations": [{"type": "url_citation"}]}, {"refusal": "no"}, {"function_call": {"name": "w"}}, {"audio": {}}],
)
def test_what_has_a_value_is_not_dropped(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        _asked(messages=[{"role": "assistant", "content": "Hi", **said}])


_PDF = "data:application/pdf;base64,JVBERi0xLjc="


def _refused(**changes: Any) -> list[tuple[Any, ...]]:
    with pytest.raises(ValidationError) as caught:
        _asked(**changes)
    return [(error["loc"], error["msg"]) for error in caught.value.errors()]


def test_documents_and_recordings() -> None:
    content = [
        {"type": "file", "file": {"filename": "a.pdf", "file_data": _PDF}, "cache_control": {"type": "ephemeral"}},
        {"type": "input_audio", "input_audio": {"data": "SUQzBA==", "format": "mp3"}},
    ]
    (message,) = _asked(messages=[{"role": "user", "content": content}]).messages
    assert message.content == (
        chat.FilePart(data="JVBERi0xLjc=", filename="a.pdf", cache_control=chat.CacheControl()),
        chat.AudioPart(data="SUQzBA==", format="mp3"),
    )


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,UEsDBA=="}}, "is no PDF"),
        ({"type": "file", "file": {"file_data": "data:text/plain;base64,aGk="}}, "must be the bytes of a PDF"),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE Ri0="}}, "is not base64"),
        ({"type": "input_audio", "input_audio": {"data": "SUQzBA==", "format": "wav"}}, "is no wav"),
        ({"type": "input_audio", "input_audio": {"data": "SUQzBA==", "format": "flac"}}, "'wav' or 'mp3'"),
    ],
)
def test_what_is_not_what_it_says(part: dict[str, Any], told: str) -> None:
    ((_, message),) = _refused(messages=[{"role": "user", "content": [part]}])
    assert told in message


def test_documents_are_few() -> None:
    part = {"type": "file", "file": {"file_data": _PDF}}
    assert len(_asked(messages=[{"role": "user", "content": [part] * 50}]).messages[0].content) == 50
    ((_, message),) = _refused(messages=[{"role": "user", "content": [part] * 26}] * 2)
    assert "more than 50" in message


def test_the_depth_of_thought_and_what_else_can_be_asked_for() -> None:
    asked = _asked(parameters={"reasoning_effort": "xhigh", "logprobs": 20})
    assert (asked.parameters.reasoning_effort, asked.parameters.logprobs) == ("xhigh", 20)
    for wrong in ({"reasoning_effort": "deep"}, {"logprobs": 21}, {"logprobs": -1}, {"logprobs": True}):
        _refused(parameters=wrong)


@pytest.mark.parametrize(("vendor", "kind"), [("openai", "thinking"), ("anthropic", "reasoning"), ("openai", None)])
def test_a_thought_is_one_that_its_vendor_can_have_had(vendor: str, kind: str | None) -> None:
    item = {"vendor": vendor, "item": {"type": kind}}
    _refused(messages=[{"role": "assistant", "content": "x", "reasoning": {"items": [item]}}])


def test_a_thought_alone_says_nothing() -> None:
    item = {"vendor": "openai", "item": {"type": "reasoning"}}
    _refused(messages=[{"role": "assistant", "reasoning": {"items": [item]}}])


def test_the_vendors_own_switches() -> None:
    effort = {"additionalModelRequestFields": {"reasoning_effort": "low", "top_k": 5}}
    vendor = {"openai": {"service_tier": "flex"}, "anthropic": {"top_k": 5}, "bedrock": effort}
    assert _asked(vendor=vendor).vendor == vendor
    assert _asked().vendor == {}


@pytest.mark.parametrize(
    ("vendor", "told"),
    [
        ({"openai": {"temperature": 1}}, "it is parameters.temperature"),
        ({"openai": {"store": True}}, "no state"),
        ({"openai_compatible": {"n": 2}}, "one answer"),
        ({"anthropic": {"thinking": {"type": "enabled"}}}, "it is parameters.reasoning_effort"),
        # Servers written in Go read names in any case, and by these letters too.
        ({"openai_compatible": {"Model": "dearer"}}, "it is model"),
        ({"openai_compatible": {"\u017ftream": True}}, "/query/stream"),
        ({"llama_cpp": {"n_predict": 100_000}}, "it is parameters.max_output_tokens"),
        # A proxy's own members would name another model or another server.
        ({"openai_compatible": {"extra_body": {"model": "dearer"}}}, "members of vendor.openai_compatible itself"),
        ({"openai_compatible": {"models": ["dearer"]}}, "it is fallback"),
        ({"openai_compatible": {"api_base": "https://elsewhere.example"}}, "the provider's own"),
        ({"bedrock": {"additionalModelRequestFields": {"max_tokens": 9}}}, "it is parameters.max_output_tokens"),
        ({"bedrock": {"additionalModelRequestFields": {"Tools": []}}}, "it is tools"),
        ({"bedrock": {"additionalModelRequestFields": {"service_tier": "priority"}}}, "what it costs then"),
        ({"mistral": {}}, "is no kind of provider: openai"),
        ({"openai": {"metadata": "x" * 20_000}}, "16 KiB"),
    ],
)
def test_what_the_gateway_sets_itself_is_no_option(vendor: dict[str, Any], told: str) -> None:
    ((_, message),) = _refused(vendor=vendor)
    assert told in message
