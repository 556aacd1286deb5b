"""Anthropic's own SDK against the gateway: what it takes, what it gives back, and what it raises."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest
from pydantic import BaseModel

from tests.adapters.upstream import Answer, HangUp, Raw, Refusal, ScriptedUpstream, StreamFault
from tests.adapters.upstream_wires import Counts, Said, SaidCall
from tests.clients.anthropic_house import CLAUDE, GPT, House, house

QUESTION: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
WEATHER: Any = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
THINKS: Any = {"type": "enabled", "budget_tokens": 2000}
CALLS = Said(pieces=("I look.",), calls=(SaidCall(name="weather"),), finish="tool_calls")
THINKS_AND_CALLS = Said(
    thoughts=("I should ", "look."), pieces=("I look.",), calls=(SaidCall(name="weather"),), finish="tool_calls"
)
ASK: dict[str, Any] = {"model": CLAUDE, "max_tokens": 5000, "messages": QUESTION}
VENDORS_KEYS = {name: f"sk-{name}-secret-1f3a" for name in ("claude", "gpt")}
DOWN = Refusal(status=529, type="overloaded_error")

both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def opened() -> Iterator[House]:
    with house() as opened:
        yield opened


@pytest.fixture
def at(opened: House) -> House:
    opened.reset()
    return opened


@pytest.fixture(params=[("claude", "gpt"), ("gpt", "claude")], ids="-".join)
def vendors(request: pytest.FixtureRequest, at: House) -> tuple[str, str]:
    """One that is to fail, and another. Both are new, because a circuit counts the failures of all tests in a minute."""
    for name in request.param:
        path = f"/api/v1/llm/providers/{name}"
        told = json.loads(at.serving.call("GET", path)[1])
        assert at.serving.call("DELETE", path)[0].status == 204
        members = ("id", "name", "kind", "base_url", "default_model", "priority", "retry", "circuit")
        own = {member: told[member] for member in members} | {"credentials": {"api_key": VENDORS_KEYS[name]}}
        assert at.serving.call("POST", "/api/v1/llm/providers", own)[0].status == 201
    return request.param


def test_a_stream_counts_what_a_cache_took_as_one_sum(at: House) -> None:
    counts = Counts(input=50, cached=20, cache_write=10, cache_write_1h=4, output=9, reasoning=3)
    at.claude.script(Answer(counts=counts))
    with at.client().messages.stream(**ASK) as stream:
        usage = stream.get_final_message().usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (20, 20, 10)
    assert usage.cache_creation is None


@pytest.mark.parametrize("path", ["/v1/messages?beta=true", "/v1/messages/count_tokens?beta=true"])
def test_what_older_clients_add_to_the_address_is_taken(at: House, path: str) -> None:
    body: dict[str, Any] = {name: ASK[name] for name in ("model", "messages")}
    body |= {"max_tokens": 9} if path.startswith("/v1/messages?") else {}
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "context-1m-2025-08-07,interleaved-thinking-2025-05-14",
    }
    nothing = dict.fromkeys(("context_management", "mcp_servers", "betas"))
    assert at.serving.call("POST", path, body | nothing, **headers)[0].status == 200
    assert at.serving.call("GET", "/v1/models?beta=true", **headers)[0].status == 200
    assert at.serving.call("POST", f"{path}&gamma=true", body, **headers)[0].status == 400
    assert at.serving.call("POST", path, body | {"context_management": {"edits": [7]}}, **headers)[0].status == 400


def test_a_message(at: House) -> None:
    at.claude.script(
        Answer(counts=Counts(input=50, cached=20, cache_write=10, cache_write_1h=4, output=9, reasoning=3))
    )
    message = at.client().messages.create(**ASK)
    assert message.id.startswith("msg_")
    assert (message.type, message.role, message.model) == ("message", "assistant", "model-2026-11-01")
    (block,) = message.content
    assert block.type == "text"
    assert block.text == "Hello there."
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (20, 20, 10)
    assert usage.cache_creation is not None
    assert usage.cache_creation.ephemeral_1h_input_tokens == 4
    assert usage.output_tokens == 9
    assert usage.output_tokens_details is not None
    assert usage.output_tokens_details.thinking_tokens == 3
    told = message.model_extra or {}
    assert told["gateway"]["provider"] == "claude"
    assert told["gateway"]["query_id"] == "qry_" + message.id.removeprefix("msg_")
    assert [attempt["outcome"] for attempt in told["gateway"]["attempts"]] == ["ok"]


def test_what_an_answer_says_of_itself_beside_its_body(at: House) -> None:
    raw = at.client().messages.with_raw_response.create(**ASK)
    message, headers = raw.parse(), raw.headers
    told = (message.model_extra or {})["gateway"]
    assert headers["X-Gateway-Query-Id"] == told["query_id"]
    assert headers["X-Gateway-Provider"] == "claude"
    assert headers["X-Gateway-Cost-Usd"] == told["cost_usd"]
    assert headers["request-id"] == headers["X-Request-Id"] == message._request_id


def test_a_stream_is_the_message_in_pieces(at: House) -> None:
    at.claude.script(Answer(counts=Counts(input=50, cached=20, output=9)))
    with at.client().messages.stream(**ASK) as stream:
        assert list(stream.text_stream) == ["Hello", " there", "."]
        message = stream.get_final_message()
    assert message.id.startswith("msg_")
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.cache_read_input_tokens) == (30, 20)
    assert message.usage.output_tokens == 9


def test_a_streams_events_come_in_the_vendors_order(at: House) -> None:
    at.claude.script(Answer(said=CALLS))
    events = list(at.client().messages.create(**ASK, tools=[WEATHER], stream=True))
    assert [event.type for event in events] == [
        "message_start",
        *("content_block_start", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        "message_delta",
        "message_stop",
    ]
    told = (events[-1].model_extra or {})["gateway"]
    assert (told["provider"], told["cache"]) == ("claude", {"hit": False})


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_is_called_and_answers(at: House, streamed: bool) -> None:
    at.claude.script(Answer(said=CALLS))
    message = _message(at, ASK | {"tools": [WEATHER]}, streamed=streamed)
    assert message.stop_reason == "tool_use"
    call = message.content[-1]
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("weather", {"city": "Paris"})
    failed = {"type": "tool_result", "tool_use_id": call.id, "content": "No such city.", "is_error": True}
    turns = [*QUESTION, {"role": "assistant", "content": message.content}, {"role": "user", "content": [failed]}]
    _message(at, ASK | {"tools": [WEATHER], "messages": turns}, streamed=streamed)
    *_, said, result = at.claude.requests[-1].body["messages"]
    assert [block["type"] for block in said["content"]] == ["text", "tool_use"]
    assert result["content"] == [
        {**failed, "tool_use_id": "call_1", "content": [{"type": "text", "text": "No such city."}]}
    ]


def test_the_sdks_tool_runner_sends_the_conversation_itself(at: House) -> None:
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """The weather in a city."""
        return f"Rain in {city}."

    asked: dict[str, Any] = ASK | {"tools": [weather]}
    with pytest.raises(anthropic.BadRequestError, match=r"thread: is not a known field here: .* thread=False"):
        at.client().beta.messages.tool_runner(**asked).until_done()
    at.claude.script(Answer(said=CALLS))
    answer = at.client().beta.messages.tool_runner(**asked, thread=False).until_done()
    assert answer.content[-1].type == "text"
    *_, result = at.claude.requests[-1].body["messages"]
    assert result["content"][0]["content"] == [{"type": "text", "text": "Rain in Paris."}]


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_go_back_exactly_as_they_came(at: House, streamed: bool) -> None:
    at.claude.script(Answer(said=THINKS_AND_CALLS))
    at.claude.thoughts = []
    asked = ASK | {"tools": [WEATHER], "thinking": THINKS}
    message = _message(at, asked, streamed=streamed)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    thought = message.content[0]
    assert thought.type == "thinking"
    assert (thought.thinking, thought.signature) == ("I should look.", "sig-1")
    _message(at, asked | {"messages": _answered(message)}, streamed=streamed)
    assert at.claude.requests[-1].body["messages"][1]["content"][0] == thought.to_dict()


@pytest.mark.parametrize("streamed", [False, True])
def test_thoughts_that_nobody_may_read_go_back_in_their_places(at: House, streamed: bool) -> None:
    secrets = Said(secrets=("one", "two"), pieces=("I look.",), calls=(SaidCall(name="weather"),), finish="tool_calls")
    at.claude.script(Answer(said=secrets))
    asked = ASK | {"tools": [WEATHER], "thinking": THINKS}
    message = _message(at, asked, streamed=streamed)
    _message(at, asked | {"messages": _answered(message)}, streamed=streamed)
    said = at.claude.requests[-1].body["messages"][1]["content"]
    assert [block["type"] for block in said] == ["redacted_thinking", "text", "redacted_thinking", "tool_use"]
    assert [block["data"] for block in said if "data" in block] == ["one", "two"]


def test_what_was_asked_reaches_anthropic_as_it_was_written(at: House) -> None:
    cached = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    at.client().messages.create(
        **ASK,
        system=[{"type": "text", "text": "Be brief.", **cached}],
        tools=[WEATHER | cached],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 3000},
        stop_sequences=["END"],
        metadata={"user_id": "ada"},
        service_tier="standard_only",
        inference_geo="us",
    )
    body = at.claude.requests[-1].body
    assert body["system"] == [{"type": "text", "text": "Be brief.", **cached}]
    assert body["tools"] == [WEATHER | cached]
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 3000}
    assert (body["stop_sequences"], body["metadata"]) == (["END"], {"user_id": "ada"})
    assert (body["service_tier"], body["inference_geo"], body["max_tokens"]) == ("standard_only", "us", 5000)


def test_an_effort_alone_says_nothing_of_thinking(at: House) -> None:
    at.client().messages.create(**ASK | {"model": "claude/claude-sonnet-5"}, output_config={"effort": "medium"})
    body = at.claude.requests[-1].body
    assert body["output_config"] == {"effort": "medium"}
    assert "thinking" not in body


def test_sampling_is_taken_where_the_model_takes_it(at: House) -> None:
    at.client().messages.create(**ASK, extra_body={"temperature": 0.5, "top_k": 5})
    body = at.claude.requests[-1].body
    assert (body["temperature"], body["top_k"]) == (0.5, 5)
    newer = ASK | {"model": "claude/claude-sonnet-5"}
    with pytest.raises(anthropic.BadRequestError, match=r"temperature: claude-sonnet-5 cannot take this") as refused:
        at.client().messages.create(**newer, extra_body={"temperature": 0.5})
    assert "parameters." not in str(refused.value)


class City(BaseModel):
    name: str
    country: str


def test_structured_output_is_parsed(at: House) -> None:
    at.claude.script(Answer(said=Said(pieces=('{"name": "Paris", ', '"country": "France"}'))))
    message = at.client().messages.parse(**ASK, output_format=City)
    assert message.parsed_output == City(name="Paris", country="France")
    assert at.claude.requests[-1].body["output_config"]["format"]["type"] == "json_schema"


def test_images_and_documents_are_read(at: House) -> None:
    pdf, pixel = "JVBERi0xLjQKJSVFT0Y=", "iVBORw0KGgo="
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": pixel}}
    document = {
        "type": "document",
        "title": "a.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": pdf},
    }
    plain = {
        "type": "document",
        "title": "Notes",
        "source": {"type": "text", "media_type": "text/plain", "data": "Words."},
    }
    content = [image, document, plain, {"type": "text", "text": "What is it?"}]
    at.client().messages.create(**ASK | {"messages": [{"role": "user", "content": content}]})
    assert at.claude.requests[-1].body["messages"][0]["content"] == [
        image,
        document,
        {"type": "text", "text": "Notes\n\nWords."},
        content[-1],
    ]


def test_the_text_to_stop_at_is_told(at: House) -> None:
    struck = Raw(
        body=b'{"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [{"type": "text",'
        b' "text": "One"}], "stop_reason": "stop_sequence", "stop_sequence": "END", "usage": {"input_tokens": 1,'
        b' "output_tokens": 1}}'
    )
    at.claude.script(struck)
    message = at.client().messages.create(**ASK, stop_sequences=["END"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "END")


@pytest.mark.parametrize(
    ("finish", "reason"), [("length", "max_tokens"), ("content_filter", "refusal"), ("stop", "end_turn")]
)
def test_reasons_to_stop(at: House, finish: str, reason: str) -> None:
    at.claude.script(Answer(said=Said(finish=finish)))
    assert at.client().messages.create(**ASK).stop_reason == reason


@both_ways
def test_another_vendor_answers_where_the_first_fails(at: House, vendors: tuple[str, str], streamed: bool) -> None:
    _upstream(at, vendors[0]).otherwise = _refusal(vendors[0], 503)
    message = _message(at, _asked(*vendors), streamed=streamed)
    assert [block.to_dict()["text"] for block in message.content] == ["Hello there."]
    assert (message.role, message.stop_reason, message.usage.output_tokens) == ("assistant", "end_turn", 7)
    assert [len(_upstream(at, name).requests) for name in vendors] == [1, 1]


def test_an_answer_tells_who_failed_and_who_answered(at: House, vendors: tuple[str, str]) -> None:
    first, second = vendors
    _upstream(at, first).otherwise = _refusal(first, 503)
    whole = at.client().messages.create(**_asked(*vendors))
    *_, last = at.client().messages.create(**_asked(*vendors), stream=True)
    for said in (whole, last):
        told = (said.model_extra or {})["gateway"]
        assert told["provider"] == second
        assert [(each["provider"], each["outcome"]) for each in told["attempts"]] == [(first, "error"), (second, "ok")]
        assert told["warnings"]
        assert VENDORS_KEYS[first] not in str(told)


def test_another_vendor_answers_where_the_first_ones_stream_breaks_before_its_first_word(
    at: House, vendors: tuple[str, str]
) -> None:
    _upstream(at, vendors[0]).script(Answer(fault=StreamFault(kind="disconnect", after=0)))
    with at.client().messages.stream(**_asked(*vendors)) as stream:
        assert list(stream.text_stream) == ["Hello", " there", "."]
    assert [len(_upstream(at, name).requests) for name in vendors] == [1, 1]


@both_ways
def test_a_tool_that_another_vendor_calls_answers_to_either(
    at: House, vendors: tuple[str, str], streamed: bool
) -> None:
    first, second = vendors
    _upstream(at, first).script(_refusal(first, 503))
    _upstream(at, second).script(Answer(said=CALLS))
    asked = _asked(*vendors) | {"tools": [WEATHER]}
    message = _message(at, asked, streamed=streamed)
    assert [block.type for block in message.content] == ["text", "tool_use"]
    assert message.stop_reason == "tool_use"
    assert (message.content[-1].name, message.content[-1].input) == ("weather", {"city": "Paris"})
    for answering in vendors:
        answer = _message(at, asked | {"messages": _answered(message)}, streamed=streamed)
        assert (answer.content[0].to_dict()["text"], answer.stop_reason) == ("Hello there.", "end_turn")
        assert "Rain." in json.dumps(_upstream(at, answering).requests[-1].body)
        # It was up again for one request.
        _upstream(at, first).script(_refusal(first, 503))
    roles = [turn["role"] for turn in at.gpt.requests[-1].body["messages"]]
    assert roles == ["user", "assistant", "tool"]


@pytest.mark.parametrize(
    ("refused_with", "kind", "status", "error"),
    [
        (503, anthropic.OverloadedError, 529, "overloaded_error"),
        (401, anthropic.OverloadedError, 529, "overloaded_error"),
        (429, anthropic.RateLimitError, 429, "rate_limit_error"),
        (None, anthropic.OverloadedError, 529, "overloaded_error"),
    ],
    ids=["down", "wrong key", "limited", "hangs up"],
)
@both_ways
def test_where_all_vendors_fail_the_sdks_own_error_tells_no_secret(
    at: House,
    vendors: tuple[str, str],
    streamed: bool,
    refused_with: int | None,
    kind: type[anthropic.APIStatusError],
    status: int,
    error: str,
) -> None:
    for name in vendors:
        _upstream(at, name).otherwise = HangUp() if refused_with is None else _refusal(name, refused_with)
    with pytest.raises(anthropic.APIStatusError) as failed:
        _message(at, _asked(*vendors), streamed=streamed)
    assert (type(failed.value), failed.value.status_code) == (kind, status)
    assert failed.value.response.headers["x-should-retry"] == "false"
    body: Any = failed.value.body
    assert body["error"]["type"] == error
    assert [attempt["provider"] for attempt in body["gateway"]["attempts"]] == [*vendors]
    assert ("[redacted]" in str(failed.value)) is (refused_with is not None)
    for name in vendors:
        (request,) = _upstream(at, name).requests
        assert VENDORS_KEYS[name] in str(request.headers)
    _check_no_secret(failed.value, at)


def test_another_vendor_is_told_to_call_one_tool_at_a_time(at: House) -> None:
    twice = Said(
        calls=(SaidCall(name="weather"), SaidCall(name="weather", id="call_2")), pieces=(), finish="tool_calls"
    )
    at.gpt.script(Answer(said=twice))
    choice: Any = {"type": "any", "disable_parallel_tool_use": True}
    message = at.client().messages.create(**ASK | {"model": f"gpt/{GPT}"}, tools=[WEATHER], tool_choice=choice)
    assert [block.type for block in message.content] == ["tool_use"]
    assert "the first call alone" in (message.model_extra or {})["gateway"]["warnings"][0]
    assert at.gpt.requests[-1].body["parallel_tool_calls"] is False


def test_tokens_are_counted_by_the_provider_or_by_the_gateway(at: House) -> None:
    at.claude.script(Raw(body=b'{"input_tokens": 42}'))
    asked: dict[str, Any] = {"model": CLAUDE, "messages": QUESTION}
    assert at.client().messages.count_tokens(**asked).input_tokens == 42
    assert "count_tokens" in at.claude.requests[-1].path
    assert at.client().messages.count_tokens(**asked | {"model": f"gpt/{GPT}"}).input_tokens > 3
    assert at.gpt.requests == []


@pytest.mark.parametrize("name", ["workspace_id", "user_profile_id"])
def test_what_the_sdk_sends_as_a_header_is_refused_by_name(at: House, name: str) -> None:
    """Nothing is dropped silently: it would have changed what Anthropic does."""
    more: dict[str, Any] = {name: "one-of-theirs"}
    messages = at.client().messages
    for ask in (
        lambda: messages.create(**ASK, **more),
        lambda: messages.create(**ASK, **more, stream=True),
        lambda: messages.count_tokens(model=CLAUDE, messages=QUESTION, **more),
    ):
        with pytest.raises(anthropic.BadRequestError, match=name):
            ask()


def test_counting_counts_as_a_request(at: House) -> None:
    limits = {"requests_per_minute": 60, "burst": 2}
    client = at.client(api_key=at.secret(limits=_limits(**limits)))
    for _ in range(2):
        client.messages.count_tokens(model=f"gpt/{GPT}", messages=QUESTION)
    with pytest.raises(anthropic.RateLimitError):
        client.messages.count_tokens(model=f"gpt/{GPT}", messages=QUESTION)


def test_a_limit_shows_in_the_vendors_headers(at: House) -> None:
    client = at.client(api_key=at.secret(limits=_limits(requests_per_minute=60, burst=1)))
    headers = client.messages.with_raw_response.create(**ASK).headers
    assert headers["anthropic-ratelimit-requests-limit"] == "60"
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    with pytest.raises(anthropic.RateLimitError) as limited:
        client.messages.create(**ASK)
    assert int(limited.value.response.headers["Retry-After"]) >= 1
    assert "x-should-retry" not in limited.value.response.headers


@pytest.mark.parametrize(
    ("changes", "kind", "status", "error"),
    [
        ({"model": "nobody"}, anthropic.NotFoundError, 404, "not_found_error"),
        ({"model": "prompt:nobody"}, anthropic.NotFoundError, 404, "not_found_error"),
        ({"max_tokens": 0}, anthropic.BadRequestError, 400, "invalid_request_error"),
        ({"messages": []}, anthropic.BadRequestError, 400, "invalid_request_error"),
        ({"extra_body": {"top_q": 1}}, anthropic.BadRequestError, 400, "invalid_request_error"),
        (
            {"extra_headers": {"anthropic-version": "2020-01-01"}},
            anthropic.BadRequestError,
            400,
            "invalid_request_error",
        ),
    ],
)
def test_what_is_refused_raises_the_sdks_own(
    at: House, changes: dict[str, Any], kind: type[anthropic.APIStatusError], status: int, error: str
) -> None:
    with pytest.raises(kind) as refused:
        at.client().messages.create(**ASK | changes)
    body: Any = refused.value.body
    assert (refused.value.status_code, body["type"], body["error"]["type"]) == (status, "error", error)
    assert refused.value.request_id == body["request_id"]
    assert at.claude.requests == []


def test_a_wrong_key(at: House) -> None:
    with pytest.raises(anthropic.AuthenticationError):
        at.client(api_key="wrong").messages.create(**ASK)


def test_a_key_in_either_header(at: House) -> None:
    for named in ({"x-api-key": at.serving.key}, {"Authorization": f"Bearer {at.serving.key}"}):
        response, _ = at.serving.call("POST", "/v1/messages", ASK, **{"Authorization": ""} | named)
        assert response.status == 200


@pytest.mark.parametrize(
    ("met", "kind", "status"),
    [
        (Refusal(status=500), anthropic.InternalServerError, 502),
        (DOWN, anthropic.InternalServerError, 502),
        (Refusal(status=429), anthropic.RateLimitError, 429),
        (HangUp(), anthropic.InternalServerError, 502),
    ],
)
def test_what_a_provider_fails_at_is_not_to_be_tried_again(at: House, met: Any, kind: Any, status: int) -> None:
    at.claude.script(met)
    with pytest.raises(kind) as failed:
        at.client().messages.create(**ASK | {"model": f"claude/{CLAUDE}"})
    assert failed.value.status_code == status
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert failed.value.body["gateway"]["attempts"][0]["provider"] == "claude"


def test_a_stream_that_breaks_off_raises(at: House) -> None:
    at.claude.script(Answer(fault=StreamFault(kind="disconnect")))
    with at.client().messages.stream(**ASK) as stream, pytest.raises(anthropic.APIStatusError) as broken:
        list(stream)
    body: Any = broken.value.body
    assert body["error"]["type"] == "api_error"


def test_an_overflow_in_a_stream_is_told_before_it(at: House) -> None:
    with pytest.raises(anthropic.NotFoundError), at.client().messages.stream(**ASK | {"model": "nobody"}):
        pass


def test_a_prompt_is_asked_for_as_a_model(at: House) -> None:
    prompt = {
        "id": "greeting",
        "name": "Greeting",
        "template": {
            "system": {"text": "You are kind."},
            "messages": [{"role": "user", "content": "Greet {{ customer }}."}],
            "variables": {"customer": {"type": "string"}},
        },
        "defaults": {"model": f"claude/{CLAUDE}"},
    }
    assert at.serving.call("POST", "/api/v1/llm/prompts", prompt)[0].status in (201, 409)
    named = {"gateway": {"prompt": {"variables": {"customer": "Ada"}}}}
    for model in ("prompt:greeting", "prompt:greeting@latest", "prompt:greeting@1"):
        at.client().messages.create(model=model, max_tokens=50, messages=[], system="Be brief.", extra_body=named)
        body = at.claude.requests[-1].body
        assert [block["text"] for block in body["system"]] == ["You are kind.", "Be brief."]
        assert body["messages"][0]["content"][0]["text"] == "Greet Ada."
    at.claude.script(Raw(body=b'{"input_tokens": 11}'))
    counted = at.client().messages.count_tokens(model="prompt:greeting", messages=[], extra_body=named)
    assert counted.input_tokens == 11
    assert at.claude.requests[-1].body["messages"][0]["content"][0]["text"] == "Greet Ada."


def test_the_cache_answers_again(at: House) -> None:
    asked = ASK | {"extra_body": {"gateway": {"cache": "force"}}, "system": "Of the cache alone."}
    first, second = (at.client().messages.create(**asked) for _ in range(2))
    assert first.content == second.content
    assert (second.model_extra or {})["gateway"]["cache"]["hit"] is True
    with at.client().messages.stream(**asked) as stream:
        assert stream.get_final_message().content[0].to_dict()["text"] == "Hello there."
    assert len(at.claude.requests) == 1


def test_the_asynchronous_client(at: House) -> None:
    async def ask() -> None:
        async with at.async_client() as client:
            message = await client.messages.create(**ASK)
            assert message.content[0].to_dict()["text"] == "Hello there."
            async with client.messages.stream(**ASK) as stream:
                assert [text async for text in stream.text_stream] == ["Hello", " there", "."]
            with pytest.raises(anthropic.NotFoundError):
                await client.messages.create(**ASK | {"model": "nobody"})
            at.claude.script(Raw(body=b'{"input_tokens": 7}'))
            assert (await client.messages.count_tokens(model=CLAUDE, messages=QUESTION)).input_tokens == 7

    asyncio.run(ask())


def _message(at: House, asked: dict[str, Any], *, streamed: bool) -> Any:
    if not streamed:
        return at.client().messages.create(**asked)
    with at.client().messages.stream(**asked) as stream:
        return stream.get_final_message()


def _asked(first: str, second: str) -> dict[str, Any]:
    """A question for the one, and for the other where it fails."""
    model = {"claude": CLAUDE, "gpt": GPT}[first]
    return ASK | {"model": f"{first}/{model}", "extra_body": {"gateway": {"fallback": [second]}}}


def _upstream(at: House, name: str) -> ScriptedUpstream:
    return {"claude": at.claude, "gpt": at.gpt}[name]


def _refusal(name: str, status: int) -> Refusal:
    """An error of a vendor's that repeats the key."""
    words = f"Incorrect API key provided: {VENDORS_KEYS[name]}"
    return Refusal(status=status, body=json.dumps({"error": {"type": "x", "message": words}}).encode())


def _check_no_secret(error: anthropic.APIStatusError, at: House) -> None:
    told = f"{error!r} {error} {error.body} {error.response.text} {error.response.headers}"
    for secret in (*VENDORS_KEYS.values(), at.serving.key):
        assert secret not in told


def _answered(message: Any) -> list[Any]:
    """The conversation with that answer, and the result of the tool that it calls."""
    (call,) = [block for block in message.content if block.type == "tool_use"]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "Rain."}
    return [*QUESTION, {"role": "assistant", "content": message.content}, {"role": "user", "content": [result]}]


def _limits(**said: int) -> Any:
    from llm_gateway.domain.keys import KeyLimits

    return KeyLimits(**said)
