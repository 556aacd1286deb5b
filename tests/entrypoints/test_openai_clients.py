"""OpenAI's own SDK, pointed at the gateway: it finds there what it knows from OpenAI, whichever provider answers."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import openai
import pytest
from llm_gateway.domain.keys import Budget, Role
from pydantic import BaseModel

from tests.adapters.upstream import Answer, HangUp, Refusal, ScriptedUpstream, StreamFault
from tests.adapters.upstream_wires import Counts, Said, SaidCall
from tests.entrypoints.dropped_in import MODELS, PROVIDERS, client_of, register, served
from tests.entrypoints.serving import Serving

QUESTION: list[Any] = [{"role": "user", "content": "Say hello."}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
VENDORS_KEY = "sk-a-vendors-own-secret-1f3a"
QUOTING = b'{"error": {"message": "Incorrect API key provided: %s", "type": "x"}}' % VENDORS_KEY.encode()
"""An error of a vendor's that repeats the key."""
DOWN = Refusal(status=503, body=QUOTING)
Upstreams = dict[str, ScriptedUpstream]


@pytest.fixture(scope="module")
def upstreams() -> Iterator[Upstreams]:
    with ScriptedUpstream() as a, ScriptedUpstream() as b, ScriptedUpstream() as d:
        yield {"a": a, "b": b, "d": d}


@pytest.fixture(scope="module")
def serving(upstreams: Upstreams) -> Iterator[Serving]:
    with served(upstreams) as serving:
        yield serving


@pytest.fixture
def client(serving: Serving, upstreams: Upstreams) -> Iterator[openai.OpenAI]:
    for upstream in upstreams.values():
        upstream.reset()
    with client_of(serving) as client:
        yield client


@pytest.fixture(params=[("a", "b"), ("b", "a")], ids="-".join)
def vendors(request: pytest.FixtureRequest, serving: Serving, upstreams: Upstreams) -> tuple[str, str]:
    """One that is to fail, and another. Both are new, because a circuit counts the failures of all tests in a minute."""
    for name in request.param:
        assert serving.call("DELETE", f"{PROVIDERS}/{name}")[0].status == 204
        register(serving, name, upstreams[name])
    return request.param


everybody = pytest.mark.parametrize("name", sorted(MODELS))
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


def _asked(first: str, second: str) -> dict[str, Any]:
    """A question for the one, and for the other where it fails."""
    fall_back = {"gateway": {"fallback": [second], "timeout_s": 60}}
    return {"model": f"{first}/{MODELS[first]}", "messages": QUESTION, "extra_body": fall_back}


def _complete(client: openai.OpenAI, *, streamed: bool, **asked: Any) -> tuple[list[Any], Any]:
    """The chunks of a stream, and the whole answer."""
    if not streamed:
        return [], client.chat.completions.create(**asked)
    with client.chat.completions.stream(**asked) as stream:
        return [event.chunk for event in stream if event.type == "chunk"], stream.get_final_completion()


# Answers


@everybody
def test_an_answer(client: openai.OpenAI, name: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=f"{name}/{MODELS[name]}", messages=QUESTION)
    answer = raw.parse()
    assert answer.id.startswith("chatcmpl-")
    assert (answer.object, answer.model) == ("chat.completion", "model-2026-11-01")
    (choice,) = answer.choices
    assert (choice.message.content, choice.message.role, choice.finish_reason) == ("Hello there.", "assistant", "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (20, 7, 27)
    told = answer.to_dict()["gateway"]
    assert isinstance(told, dict)
    assert told["provider"] == raw.headers["X-Gateway-Provider"] == name
    assert told["query_id"] == raw.headers["X-Gateway-Query-Id"]
    assert told["cost_usd"] == raw.headers["X-Gateway-Cost-Usd"] == "0.000027"
    assert [attempt["outcome"] for attempt in told["attempts"]] == ["ok"]
    assert told["cache"] == {"hit": False, "age_s": None, "saved_usd": None}


def test_the_query_is_kept_like_any_other(client: openai.OpenAI, serving: Serving) -> None:
    answer = client.chat.completions.create(model=MODELS["a"], messages=QUESTION, metadata={"customer": "42"})
    query_id = answer.to_dict()["gateway"]["query_id"]  # type: ignore[index,call-overload]
    response, body = serving.call("GET", f"/api/v1/llm/query/{query_id}/result")
    assert response.status == 200
    assert json.loads(body)["metadata"] == {"customer": "42"}


@everybody
def test_details_of_the_usage(client: openai.OpenAI, upstreams: Upstreams, name: str) -> None:
    upstreams[name].script(Answer(counts=Counts(input=20, output=7, cached=5)))
    usage = client.chat.completions.create(model=f"{name}/{MODELS[name]}", messages=QUESTION).usage
    assert usage is not None
    assert usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens) == (20, 5)


@everybody
def test_a_stream(client: openai.OpenAI, name: str) -> None:
    stream = client.chat.completions.create(
        model=f"{name}/{MODELS[name]}", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    words = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(words) == "Hello there."
    assert len([word for word in words if word]) == 3
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    *others, last = chunks
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 27
    assert all(chunk.usage is None for chunk in others)
    assert last.to_dict()["gateway"]["provider"] == name  # type: ignore[index,call-overload]


def test_a_stream_without_usage_ends_with_the_finish_reason(client: openai.OpenAI) -> None:
    *_, last = client.chat.completions.create(model=MODELS["a"], messages=QUESTION, stream=True)
    assert last.choices[0].finish_reason == "stop"
    assert last.to_dict()["gateway"]["provider"] == "a"  # type: ignore[index,call-overload]


def test_a_stream_ends_with_done(client: openai.OpenAI, serving: Serving) -> None:
    body = {"model": MODELS["a"], "messages": QUESTION, "stream": True}
    response, sent = serving.call("POST", "/v1/chat/completions", body)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert sent.endswith(b"data: [DONE]\n\n")


def test_the_async_client(client: openai.OpenAI, serving: Serving) -> None:
    async def ask() -> tuple[str | None, str]:
        async with openai.AsyncOpenAI(base_url=client.base_url, api_key=serving.key, max_retries=0) as asking:
            answer = await asking.chat.completions.create(model=MODELS["a"], messages=QUESTION)
            stream = await asking.chat.completions.create(model=MODELS["b"], messages=QUESTION, stream=True)
            words = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return answer.choices[0].message.content, "".join(words)

    assert asyncio.run(ask()) == ("Hello there.", "Hello there.")


# Tools and forms


@everybody
def test_a_tool_is_called_and_its_answer_comes_back_as_the_sdk_dumps_it(
    client: openai.OpenAI, upstreams: Upstreams, name: str
) -> None:
    model = f"{name}/{MODELS[name]}"
    upstreams[name].script(Answer(said=Said(pieces=(), calls=(SaidCall(name="weather"),), finish="tool_calls")))
    first = client.chat.completions.create(model=model, messages=QUESTION, tools=[TOOL])
    (choice,) = first.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls is not None
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    turns = [*QUESTION, choice.message.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": "Rain."}]
    second = client.chat.completions.create(model=model, messages=turns, tools=[TOOL])
    assert second.choices[0].message.content == "Hello there."


@everybody
def test_a_tool_call_in_a_stream(client: openai.OpenAI, upstreams: Upstreams, name: str) -> None:
    upstreams[name].script(Answer(said=Said(pieces=(), calls=(SaidCall(name="weather"),), finish="tool_calls")))
    with client.chat.completions.stream(model=f"{name}/{MODELS[name]}", messages=QUESTION, tools=[TOOL]) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].finish_reason == "tool_calls"
    assert final.choices[0].message.tool_calls is not None
    (call,) = final.choices[0].message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})


@pytest.mark.parametrize("streams", [False, True])
def test_a_message_that_the_sdk_has_parsed_goes_back_as_it_is(
    client: openai.OpenAI, upstreams: Upstreams, streams: bool
) -> None:
    upstreams["a"].script(Answer(said=Said(pieces=(), calls=(SaidCall(name="weather"),), finish="tool_calls")))
    closed = {**TOOL["function"]["parameters"], "additionalProperties": False}
    strict = {**TOOL, "function": {**TOOL["function"], "parameters": closed, "strict": True}}
    asked: Any = {"model": MODELS["a"], "tools": [strict]}
    if streams:
        with client.chat.completions.stream(messages=QUESTION, **asked) as stream:
            message = stream.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.parse(messages=QUESTION, **asked).choices[0].message
    (call,) = message.tool_calls or ()
    assert call.function.parsed_arguments == {"city": "Paris"}
    turns: list[Any] = [*QUESTION, message, {"role": "tool", "tool_call_id": call.id, "content": "Rain."}]
    assert client.chat.completions.create(messages=turns, **asked).choices[0].message.content == "Hello there."
    sent = upstreams["a"].requests[-1].body["messages"][1]["tool_calls"]
    assert sent == [
        {"id": call.id, "type": "function", "function": {"name": "weather", "arguments": call.function.arguments}}
    ]


@pytest.mark.parametrize("streams", [False, True])
@everybody
def test_one_tool_call_at_a_time(client: openai.OpenAI, upstreams: Upstreams, name: str, streams: bool) -> None:
    calls = (SaidCall(name="weather", id="call_1"), SaidCall(name="weather", id="call_2"))
    upstreams[name].script(Answer(said=Said(pieces=(), calls=calls, finish="tool_calls")))
    asked: Any = {
        "model": f"{name}/{MODELS[name]}",
        "messages": QUESTION,
        "tools": [TOOL],
        "parallel_tool_calls": False,
    }
    if streams:
        chunks = list(client.chat.completions.create(**asked, stream=True))
        pieces = [piece for chunk in chunks for piece in chunk.choices[0].delta.tool_calls or ()]
        ids = [piece.id for piece in pieces if piece.id]
        told = chunks[-1].to_dict()["gateway"]
    else:
        answer = client.chat.completions.create(**asked)
        ids = [call.id for call in answer.choices[0].message.tool_calls or ()]
        told = answer.to_dict()["gateway"]
    assert ids == ["call_1"]
    assert any("one at a time" in warning for warning in told["warnings"])
    sent = upstreams[name].requests[-1].body
    if name == "b":
        assert sent["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    else:
        assert sent["parallel_tool_calls"] is False


@both_ways
def test_a_thought_goes_back_with_the_message_as_the_sdk_dumps_it(
    client: openai.OpenAI, upstreams: Upstreams, streamed: bool
) -> None:
    calls = (SaidCall(name="weather"),)
    said = Said(pieces=(), calls=calls, finish="tool_calls", thoughts=("Which city?",), secrets=("SECRET-THOUGHT",))
    upstreams["b"].script(Answer(said=said))
    asked: Any = {"model": "b/claude-opus-5-5", "tools": [TOOL], "reasoning_effort": "high"}
    if streamed:
        with client.chat.completions.stream(messages=QUESTION, **asked) as stream:
            message: Any = stream.get_final_completion().choices[0].message
    else:
        message = client.chat.completions.create(messages=QUESTION, **asked).choices[0].message
    told = message.to_dict()
    # Other clients hold a thought to be a text, and keep its details unread.
    assert told["reasoning"] == "Which city?"
    assert [detail["type"] for detail in told["reasoning_details"]] == ["reasoning.encrypted"]
    assert message.tool_calls is not None
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "Rain."}
    client.chat.completions.create(messages=[*QUESTION, told, result], **asked)
    (turn,) = [turn for turn in upstreams["b"].requests[-1].body["messages"] if turn["role"] == "assistant"]
    assert "thinking" in turn["content"][0]["type"]


def test_a_round_of_tools_whose_thought_did_not_come_back_is_ended_without_thinking(
    client: openai.OpenAI, upstreams: Upstreams
) -> None:
    """Most clients keep no thoughts, and a model that thinks within a budget wants those of the round that goes on."""
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    turns: list[Any] = [
        *QUESTION,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain."},
    ]
    asked: Any = {"model": f"b/{MODELS['b']}", "tools": [TOOL], "reasoning_effort": "high"}
    answer = client.chat.completions.create(messages=turns, **asked)
    assert answer.choices[0].message.content == "Hello there."
    assert upstreams["b"].requests[-1].body["thinking"] == {"type": "disabled"}
    assert "without thinking" in answer.to_dict()["gateway"]["warnings"][0]  # type: ignore[index,call-overload]
    # The next question begins anew.
    said = {"role": "assistant", "content": "It rains."}
    answer = client.chat.completions.create(messages=[*turns, said, *QUESTION], **asked)
    assert upstreams["b"].requests[-1].body["thinking"]["type"] == "enabled"
    assert answer.to_dict()["gateway"]["warnings"] == []  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    "thought",
    [
        {"reasoning": "Hm.", "reasoning_content": "Hm.", "reasoning_details": []},
        {"reasoning": None, "reasoning_content": None, "reasoning_details": None},
        {
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Hm.", "signature": None},
                {"type": "reasoning.encrypted"},
            ]
        },
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "of-another-gateway"}]},
    ],
)
def test_a_thought_that_is_none_of_the_gateways_is_for_people(
    client: openai.OpenAI, upstreams: Upstreams, thought: Any
) -> None:
    turn = {"role": "assistant", "content": "Well.", **thought}
    client.chat.completions.create(model=f"b/{MODELS['b']}", messages=[*QUESTION, turn, *QUESTION])
    sent = upstreams["b"].requests[-1].body["messages"]
    assert [part["type"] for part in sent[1]["content"]] == ["text"]
    assert "Hm." not in json.dumps(sent)


@pytest.mark.parametrize("kept", [True, False], ids=["with a thought", "without one"])
def test_a_thought_goes_back_as_litellm_keeps_it(client: openai.OpenAI, upstreams: Upstreams, kept: bool) -> None:
    upstreams["b"].script(Answer(said=Said(secrets=("SECRET-THOUGHT",))))
    asked: Any = {"model": "b/claude-opus-5-5", "reasoning_effort": "high"}
    told = client.chat.completions.create(messages=QUESTION, **asked).choices[0].message.to_dict()
    fields = {"refusal": None, "reasoning_details": told["reasoning_details"] if kept else 7}
    turn: Any = {"role": "assistant", "content": "W.", "provider_specific_fields": fields, "thinking_blocks": [{}]}
    client.chat.completions.create(messages=[*QUESTION, turn, *QUESTION], **asked)
    assert ("SECRET-THOUGHT" in json.dumps(upstreams["b"].requests[-1].body)) is kept


def test_a_thought_as_it_was_told_before_is_still_taken(client: openai.OpenAI, upstreams: Upstreams) -> None:
    item = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
    turn: Any = {
        "role": "assistant",
        "content": "W.",
        "reasoning": {"text": None, "items": [{"vendor": "anthropic", "item": item}]},
    }
    client.chat.completions.create(
        model="b/claude-opus-5-5", messages=[*QUESTION, turn, *QUESTION], reasoning_effort="high"
    )
    assert item in upstreams["b"].requests[-1].body["messages"][1]["content"]


@pytest.mark.parametrize(
    ("thought", "param"),
    [
        (
            {"reasoning_details": [{"type": "reasoning.encrypted", "data": "llm-gateway.1.AAAA"}]},
            "messages[1].reasoning_details",
        ),
        ({"reasoning_details": "Hm."}, "messages[1].reasoning_details"),
        ({"reasoning_content": 7}, "messages[1].reasoning_content"),
        ({"reasoning": 7}, "messages[1].reasoning"),
        ({"reasoning_detail": []}, "messages[1].reasoning_detail"),
    ],
)
def test_a_thought_that_was_changed_is_refused(client: openai.OpenAI, thought: Any, param: str) -> None:
    turn = {"role": "assistant", "content": "Well.", **thought}
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=MODELS["a"], messages=[*QUESTION, turn, *QUESTION])
    assert refused.value.param == param


class Greeting(BaseModel):
    greeting: str
    loud: bool


@everybody
def test_a_form_is_parsed(client: openai.OpenAI, upstreams: Upstreams, name: str) -> None:
    upstreams[name].script(Answer(said=Said(pieces=('{"greeting": "Hello', '", "loud": false}'))))
    answer = client.chat.completions.parse(model=f"{name}/{MODELS[name]}", messages=QUESTION, response_format=Greeting)
    assert answer.choices[0].message.parsed == Greeting(greeting="Hello", loud=False)


def test_any_json(client: openai.OpenAI, upstreams: Upstreams) -> None:
    upstreams["a"].script(Answer(said=Said(pieces=("{}",))))
    form: Any = {"type": "json_object"}
    answer = client.chat.completions.create(model=MODELS["a"], messages=QUESTION, response_format=form)
    assert answer.choices[0].message.content == "{}"
    assert upstreams["a"].requests[-1].body["response_format"] == {"type": "json_object"}


# Who is asked


@both_ways
def test_another_vendor_answers_where_the_first_fails(
    client: openai.OpenAI, upstreams: Upstreams, vendors: tuple[str, str], streamed: bool
) -> None:
    first, second = vendors
    upstreams[first].otherwise = DOWN
    chunks, answer = _complete(client, streamed=streamed, **_asked(*vendors))
    (choice,) = answer.choices
    assert (choice.message.content, choice.finish_reason) == ("Hello there.", "stop")
    told = (chunks[-1] if streamed else answer).to_dict()["gateway"]
    assert told["provider"] == second
    assert [(each["provider"], each["outcome"]) for each in told["attempts"]] == [(first, "error"), (second, "ok")]
    assert told["warnings"]
    assert VENDORS_KEY not in str(told)


def test_another_vendor_answers_where_the_first_ones_stream_breaks_before_its_first_word(
    client: openai.OpenAI, upstreams: Upstreams, vendors: tuple[str, str]
) -> None:
    first, second = vendors
    upstreams[first].script(Answer(fault=StreamFault(kind="disconnect", after=0)))
    chunks, answer = _complete(client, streamed=True, **_asked(*vendors))
    assert answer.choices[0].message.content == "Hello there."
    assert chunks[-1].to_dict()["gateway"]["provider"] == second


@both_ways
def test_a_tool_that_another_vendor_calls_answers_to_either(
    client: openai.OpenAI, upstreams: Upstreams, vendors: tuple[str, str], streamed: bool
) -> None:
    first, second = vendors
    upstreams[first].script(DOWN)
    upstreams[second].script(Answer(said=Said(pieces=(), calls=(SaidCall(name="weather"),), finish="tool_calls")))
    asked = _asked(*vendors) | {"tools": [TOOL]}
    _, answer = _complete(client, streamed=streamed, **asked)
    assert answer.choices[0].finish_reason == "tool_calls"
    message = answer.choices[0].message
    (call,) = message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    turns = [*QUESTION, message.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": "Rain."}]
    for answering in vendors:
        _, answer = _complete(client, streamed=streamed, **asked | {"messages": turns})
        assert answer.choices[0].message.content == "Hello there."
        assert "Rain." in json.dumps(upstreams[answering].requests[-1].body)
        # It was up again for one request.
        upstreams[first].script(DOWN)


@pytest.mark.parametrize(
    ("failure", "kind", "status", "words"),
    [
        (DOWN, openai.InternalServerError, 503, "Incorrect API key provided: [redacted]"),
        (Refusal(status=401, body=QUOTING), openai.InternalServerError, 503, "Incorrect API key provided: [redacted]"),
        (Refusal(status=429, body=QUOTING), openai.RateLimitError, 429, "Incorrect API key provided: [redacted]"),
        (HangUp(), openai.InternalServerError, 503, "The connection to the provider broke"),
    ],
    ids=["down", "wrong key", "limited", "hangs up"],
)
@both_ways
def test_where_all_vendors_fail_the_sdks_own_error_tells_no_secret(
    client: openai.OpenAI,
    serving: Serving,
    upstreams: Upstreams,
    vendors: tuple[str, str],
    streamed: bool,
    failure: Any,
    kind: type[openai.APIStatusError],
    status: int,
    words: str,
) -> None:
    for name in vendors:
        upstreams[name].otherwise = failure
    with pytest.raises(openai.APIStatusError) as failed:
        _complete(client, streamed=streamed, **_asked(*vendors))
    assert (type(failed.value), failed.value.status_code) == (kind, status)
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert words in failed.value.message
    for name in vendors:
        (request,) = upstreams[name].requests
        assert VENDORS_KEY in str(request.headers)
    _check_no_secret(failed.value, serving)


def _check_no_secret(error: openai.APIStatusError, serving: Serving) -> None:
    told = f"{error!r} {error} {error.body} {error.response.text} {error.response.headers}"
    assert VENDORS_KEY not in told
    assert serving.key not in told


def test_a_prompt_is_a_model(client: openai.OpenAI, serving: Serving, upstreams: Upstreams) -> None:
    prompt = {
        "id": "greeting",
        "name": "Greeting",
        "template": {
            "messages": [{"role": "user", "content": "Greet {{ customer }}."}],
            "variables": {"customer": {"type": "string"}},
        },
        "defaults": {"model": f"a/{MODELS['a']}"},
    }
    assert serving.call("POST", "/api/v1/llm/prompts", prompt)[0].status == 201
    filled = {"gateway": {"prompt": {"variables": {"customer": "Ada"}}}}
    for model in ("prompt:greeting", "prompt:greeting@1", "prompt:greeting@latest"):
        client.chat.completions.create(model=model, messages=QUESTION, extra_body=filled)
        sent = [message["content"] for message in upstreams["a"].requests[-1].body["messages"]]
        assert sent == ["Greet Ada.", "Say hello."], "the request's messages follow the template's"
    client.chat.completions.create(
        model=f"b/{MODELS['b']}",
        messages=[],
        extra_body={"gateway": {"prompt": {"id": "greeting", "variables": {"customer": "Ada"}}}},
    )
    assert "prompt:greeting" in [model.id for model in client.models.list()]
    assert client.models.retrieve("prompt:greeting@1").id == "prompt:greeting@1"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("prompt:nobody")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="prompt:greeting@7", messages=QUESTION, extra_body=filled)


def test_a_text_of_the_gateways_own(client: openai.OpenAI, upstreams: Upstreams) -> None:
    own = {"gateway": {"system": {"text": "Be brief."}, "provider": "a"}}
    client.chat.completions.create(model=MODELS["a"], messages=QUESTION, extra_body=own)
    assert upstreams["a"].requests[-1].body["messages"][0] == {"role": "system", "content": "Be brief."}


def test_nothing_of_the_gateways_is_sent_unasked(client: openai.OpenAI, upstreams: Upstreams) -> None:
    client.chat.completions.create(model=MODELS["a"], messages=QUESTION, seed=7, temperature=0.2, stop="END")
    body = upstreams["a"].requests[-1].body
    assert body["messages"] == QUESTION
    assert (body["seed"], body["temperature"], body["stop"]) == (7, 0.2, ["END"])


# Parameters


def test_what_only_some_vendors_know_is_handed_on_to_them(client: openai.OpenAI, upstreams: Upstreams) -> None:
    own: Any = {"frequency_penalty": 0.5, "logit_bias": {"50256": -100}, "verbosity": "low", "user": "user-1"}
    client.chat.completions.create(model=f"a/{MODELS['a']}", messages=QUESTION, **own)
    assert {name: upstreams["a"].requests[-1].body.get(name) for name in own} == own
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=f"b/{MODELS['b']}", messages=QUESTION, **own)
    assert (refused.value.param, refused.value.code) == ("frequency_penalty", "unsupported_parameter")
    client.chat.completions.create(model=f"b/{MODELS['b']}", messages=QUESTION, user="user-1")
    assert upstreams["b"].requests[-1].body["metadata"] == {"user_id": "user-1"}


def test_who_does_not_know_a_parameter_is_passed_over(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=f"a/{MODELS['a']}",
        messages=QUESTION,
        presence_penalty=1,
        extra_body={"gateway": {"fallback": ["b", "d"]}},
    )
    told = answer.to_dict()["gateway"]
    assert told["provider"] == "a"  # type: ignore[index,call-overload]


# Errors


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"n": 2}, "n", "validation_failed"),
        ({"functions": []}, "functions", "unknown_parameter"),
        ({"colour": "red"}, "colour", "unknown_parameter"),
        ({"temperature": 3}, "temperature", "validation_failed"),
        ({"store": True}, "store", "validation_failed"),
        ({"modalities": ["audio"]}, "modalities[0]", "validation_failed"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "validation_failed"),
        ({"response_format": {"type": "json_schema", "schema": {}}}, "response_format.schema", "unknown_parameter"),
        ({"response_format": {"type": "json_object", "schema": {}}}, "response_format.schema", "unknown_parameter"),
        ({"response_format": {"type": "text", "x": 1}}, "response_format.x", "unknown_parameter"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "x": 1}}},
            "response_format.json_schema.x",
            "unknown_parameter",
        ),
        ({"web_search_options": {}}, "web_search_options", "unknown_parameter"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens", "validation_failed"),
        ({"top_logprobs": 5}, "top_logprobs", "validation_failed"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "validation_failed"),
        ({"tool_choice": "required"}, "tool_choice", "validation_failed"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, None, None),
        ({"user": "a", "safety_identifier": "b"}, "user", "validation_failed"),
        ({"messages": []}, "messages", "validation_failed"),
        ({"stop": ["a"] * 5}, "stop", "validation_failed"),
        ({"model": "prompt:Not a slug"}, "model", "validation_failed"),
        ({"gateway": {"prompt": {"variables": {}}}}, "gateway.prompt.id", "validation_failed"),
        ({"gateway": {"prompt": {"id": "a", "version": 1, "label": "b"}}}, "gateway.prompt.label", "validation_failed"),
        ({"model": "prompt:a", "gateway": {"prompt": {"id": "a"}}}, "gateway.prompt", "validation_failed"),
        ({"gateway": {"colour": 1}}, "gateway.colour", "unknown_parameter"),
        ({"metadata": {"a": "b"}, "gateway": {"metadata": {"a": "c"}}}, "gateway.metadata", "validation_failed"),
    ],
)
def test_a_bad_request_names_the_parameter(
    client: openai.OpenAI, upstreams: Upstreams, changes: dict[str, Any], param: str | None, code: str | None
) -> None:
    body = {"model": MODELS["a"], "messages": QUESTION} | changes
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/chat/completions", body=body, cast_to=object)
    if param is not None:
        assert (refused.value.param, refused.value.code) == (param, code)
    assert refused.value.type == "invalid_request_error"
    assert not any(upstream.requests for upstream in upstreams.values())


def test_who_is_not_let_in(client: openai.OpenAI, serving: Serving) -> None:
    with pytest.raises(openai.AuthenticationError) as refused, client_of(serving, key="sk-nobody") as nobody:
        nobody.chat.completions.create(model=MODELS["a"], messages=QUESTION)
    assert refused.value.code == "invalid_api_key"
    _, auditor = serving.gateway.new_key(Role.AUDITOR)
    with pytest.raises(openai.PermissionDeniedError), client_of(serving, key=auditor) as other:
        other.models.list()


def test_a_model_that_is_none(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        client.chat.completions.create(model="gpt-nothing", messages=QUESTION)
    assert (refused.value.code, refused.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(
            model=MODELS["a"], messages=QUESTION, extra_body={"gateway": {"provider": "nobody"}}
        )


def test_what_a_provider_refuses(client: openai.OpenAI, upstreams: Upstreams) -> None:
    upstreams["a"].script(Refusal(status=400, code="context_length_exceeded", type="invalid_request_error"))
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model=f"a/{MODELS['a']}", messages=QUESTION)
    assert refused.value.code == "context_length_exceeded"
    upstreams["a"].script(Refusal(status=429))
    with pytest.raises(openai.RateLimitError) as limited:
        client.chat.completions.create(model=f"a/{MODELS['a']}", messages=QUESTION)
    assert limited.value.response.headers["Retry-After"]
    assert limited.value.response.headers["x-should-retry"] == "false"
    upstreams["a"].script(HangUp())
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model=f"a/{MODELS['a']}", messages=QUESTION)


def test_the_sdk_does_not_retry_what_the_gateway_has_retried(serving: Serving, upstreams: Upstreams) -> None:
    upstreams["a"].reset()
    upstreams["a"].otherwise = Refusal(status=503)
    with pytest.raises(openai.InternalServerError), client_of(serving, max_retries=2) as client:
        client.chat.completions.create(model=f"a/{MODELS['a']}", messages=QUESTION)
    assert len(upstreams["a"].requests) == 1


@everybody
def test_a_stream_that_breaks_off_is_an_error(client: openai.OpenAI, upstreams: Upstreams, name: str) -> None:
    upstreams[name].script(Answer(fault=StreamFault(kind="disconnect", after=2)))
    stream = client.chat.completions.create(model=f"{name}/{MODELS[name]}", messages=QUESTION, stream=True)
    words: list[str] = []
    with pytest.raises(openai.APIError) as broken:
        words.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(words).startswith("Hello")
    assert isinstance(broken.value.body, dict)
    assert broken.value.body["type"] == "server_error"


def test_a_limit(client: openai.OpenAI, serving: Serving) -> None:
    _, limited = serving.gateway.new_key(Role.CALLER, limits=_limits(requests_per_minute=60, burst=1))
    with client_of(serving, key=limited) as asking:
        raw = asking.chat.completions.with_raw_response.create(model=MODELS["a"], messages=QUESTION)
        assert raw.headers["x-ratelimit-limit-requests"] == "60"
        assert raw.headers["x-ratelimit-remaining-requests"] == "0"
        assert raw.headers["x-ratelimit-reset-requests"].endswith("s")
        with pytest.raises(openai.RateLimitError) as refused:
            asking.chat.completions.create(model=MODELS["a"], messages=QUESTION)
    assert refused.value.code == "rate_limit_exceeded"
    assert "x-should-retry" not in refused.value.response.headers


def test_a_limit_of_tokens(client: openai.OpenAI, serving: Serving) -> None:
    """What the query may take is reserved first, and only what it has taken is gone for the next one."""
    _, limited = serving.gateway.new_key(Role.CALLER, limits=_limits(tokens_per_minute=10_000))
    with client_of(serving, key=limited) as asking:
        told = [
            asking.chat.completions.with_raw_response.create(
                model=MODELS["a"], messages=QUESTION, max_completion_tokens=1_000
            ).headers
            for _ in range(2)
        ]
    left = [int(headers["x-ratelimit-remaining-tokens"]) for headers in told]
    # Of the fifth that may come at once.
    assert 900 < left[1] <= left[0] < 1_000
    assert {headers["x-ratelimit-limit-tokens"] for headers in told} == {"10000"}
    assert {headers["x-ratelimit-reset-tokens"] for headers in told} <= {"8s", "9s"}
    assert "x-ratelimit-limit-requests" not in told[0]


def test_a_budget(client: openai.OpenAI, serving: Serving) -> None:
    _, poor = serving.gateway.new_key(Role.CALLER, budget_usd=_budget("0.000001"))
    with pytest.raises(openai.RateLimitError) as refused, client_of(serving, key=poor) as asking:
        asking.chat.completions.create(model=MODELS["a"], messages=QUESTION)
    assert refused.value.code == "insufficient_quota"


def _limits(**said: Any) -> Any:
    from llm_gateway.domain.keys import KeyLimits

    return KeyLimits(**said)


def _budget(amount: str) -> Budget:
    from decimal import Decimal

    return Budget(amount=Decimal(amount), period="day")


def test_the_same_request_is_answered_once(client: openai.OpenAI, upstreams: Upstreams) -> None:
    headers = {"Idempotency-Key": "once"}
    first = client.chat.completions.create(model=MODELS["a"], messages=QUESTION, extra_headers=headers)
    raw = client.chat.completions.with_raw_response.create(model=MODELS["a"], messages=QUESTION, extra_headers=headers)
    assert raw.headers["Idempotent-Replayed"] == "true"
    assert raw.parse().id == first.id
    assert len(upstreams["a"].requests) == 1
    with pytest.raises(openai.ConflictError):
        client.chat.completions.create(model=MODELS["b"], messages=QUESTION, extra_headers=headers)


def test_the_cache(client: openai.OpenAI, upstreams: Upstreams) -> None:
    cached = {"gateway": {"cache": "force"}}
    asked: Any = {"model": MODELS["d"], "messages": QUESTION, "extra_body": cached}
    client.chat.completions.create(**asked)
    again = client.chat.completions.create(**asked)
    told = again.to_dict()["gateway"]
    assert (told["cache"]["hit"], told["cost_usd"]) == (True, "0")  # type: ignore[index,call-overload]
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello there."
    assert len(upstreams["d"].requests) == 1


# Models and embeddings


def test_models_are_listed_and_read(client: openai.OpenAI) -> None:
    ids = [model.id for model in client.models.list()]
    assert set(ids) >= {*MODELS.values(), *(f"{name}/{model}" for name, model in MODELS.items())}
    one = client.models.retrieve(f"a/{MODELS['a']}")
    assert (one.id, one.object, one.owned_by) == (f"a/{MODELS['a']}", "model", "a")
    assert client.models.retrieve(MODELS["b"]).owned_by == "b"
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("a/nothing")
    assert refused.value.code == "model_not_found"


@pytest.mark.parametrize("sent", ["a/gpt-4.1-mini", "a%2Fgpt-4.1-mini"])
def test_an_id_is_written_with_its_slash_or_without(client: openai.OpenAI, serving: Serving, sent: str) -> None:
    response, body = serving.call("GET", f"/v1/models/{sent}")
    assert (response.status, json.loads(body)["id"]) == (200, "a/gpt-4.1-mini")


@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing"])
def test_whatever_version_of_another_api_a_client_names(serving: Serving, path: str) -> None:
    response, body = serving.call("GET", path, **{"anthropic-version": "2023-06-01"})
    assert response.status == (200 if path == "/v1/models" else 404)
    assert json.loads(body)


def test_a_key_sees_what_it_may_ask(serving: Serving) -> None:
    from llm_gateway.domain.keys import Allowed

    _, key = serving.gateway.new_key(Role.CALLER, allow=Allowed(providers=("b",)))
    with client_of(serving, key=key) as client:
        models = [model.id for model in client.models.list() if not model.id.startswith("prompt:")]
        assert models == [f"b/{MODELS['b']}", MODELS["b"]]
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(f"a/{MODELS['a']}")


def test_embeddings_are_asked_on_a_users_behalf(client: openai.OpenAI, upstreams: Upstreams) -> None:
    client.embeddings.create(model="d/text-embedding-3-small", input="One.", user="user-1")
    assert upstreams["d"].requests[-1].body["user"] == "user-1"
    client.embeddings.create(model="d/text-embedding-3-small", input="One.")
    assert "user" not in upstreams["d"].requests[-1].body


@pytest.mark.parametrize("encoding", [None, "float", "base64"])
def test_embeddings(client: openai.OpenAI, encoding: Any) -> None:
    said = {} if encoding is None else {"encoding_format": encoding}
    answer = client.embeddings.create(model="d/text-embedding-3-small", input=["One.", "Three."], **said)
    assert answer.model == "text-embedding-3-small-2026"
    vectors = [one.embedding for one in answer.data]
    if encoding == "base64":
        assert all(isinstance(vector, str) for vector in vectors)
    else:
        assert vectors == [[4.0, 0.5, -1.0], [6.0, 0.5, -1.0]]
    assert [one.index for one in answer.data] == [0, 1]
    assert answer.usage.total_tokens > 0
    assert answer.model_extra is not None
    assert answer.model_extra["gateway"]["provider"] == "d"


def test_embeddings_are_a_query(client: openai.OpenAI, serving: Serving, upstreams: Upstreams) -> None:
    asked: Any = {"model": "d/text-embedding-3-small", "input": "One."}
    headers = {"Idempotency-Key": "embed once"}
    raw = client.embeddings.with_raw_response.create(**asked, extra_headers=headers)
    query_id = raw.headers["X-Gateway-Query-Id"]
    assert raw.headers["X-Gateway-Provider"] == "d"
    again = client.embeddings.with_raw_response.create(**asked, extra_headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.parse().to_dict()["gateway"] == raw.parse().to_dict()["gateway"]
    assert len(upstreams["d"].requests) == 1
    stored = json.loads(serving.call("GET", f"/api/v1/llm/query/{query_id}/result")[1])
    assert (stored["status"], stored["output"]["text"], stored["provider"]) == ("succeeded", None, "d")
    assert stored["usage"]["input_tokens"] > 0
    assert serving.call("DELETE", f"/api/v1/llm/query/{query_id}")[0].status == 204
    client.embeddings.create(**asked, extra_headers=headers)
    assert len(upstreams["d"].requests) == 2, "an erasure takes back what would be replayed"
    upstreams["d"].script(Refusal(status=500))
    with pytest.raises(openai.InternalServerError) as failed:
        client.embeddings.create(**asked)
    query_id = failed.value.response.headers["X-Gateway-Query-Id"]
    assert json.loads(serving.call("GET", f"/api/v1/llm/query/{query_id}/status")[1])["status"] == "failed"
    with pytest.raises(openai.NotFoundError) as refused:
        client.embeddings.create(model="nothing", input="One.")
    assert "X-Gateway-Query-Id" not in refused.value.response.headers


@pytest.mark.parametrize("text", [[1, 2], [[1, 2]], [], ""])
def test_embeddings_of_what_is_no_text(client: openai.OpenAI, text: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="d/text-embedding-3-small", input=text)
    assert refused.value.param is not None
    assert refused.value.param.startswith("input")


def test_a_client_that_leaves_stops_the_work(client: openai.OpenAI, upstreams: Upstreams) -> None:
    upstreams["a"].script(Answer(between_s=0.2, said=Said(pieces=("word ",) * 50)))
    stream = client.chat.completions.create(model=f"a/{MODELS['a']}", messages=QUESTION, stream=True)
    with closing(stream):
        next(iter(stream))
    assert upstreams["a"].requests[0].left.wait(10)
