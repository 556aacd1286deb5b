"""OpenAI's own SDK asks for responses: it finds at the gateway what it knows from OpenAI, whichever provider answers."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import openai
import pytest
from llm_gateway.domain.keys import Role
from openai.types.responses import Response
from pydantic import BaseModel

from tests.adapters.upstream import Answer, HangUp, Refusal, ScriptedUpstream, StreamFault
from tests.adapters.upstream_wires import Counts, Said, SaidCall
from tests.entrypoints.dropped_in import MODELS, client_of, served
from tests.entrypoints.serving import Serving

ASK = "Say hello."
THINKER = "a/gpt-5.4-mini"
"""A model that OpenAI serves by the Responses API."""
CLAUDE = "b/claude-opus-5-5"
WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "The weather in a city.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    "strict": False,
}
CALLS = Said(pieces=("I look.",), calls=(SaidCall(name="weather"),), finish="tool_calls")
THINKS = Said(pieces=(), thoughts=("Which ", "city?"), secrets=("SECRET",), calls=CALLS.calls, finish="tool_calls")
EVERYBODY = {**{name: f"{name}/{model}" for name, model in MODELS.items()}, "thinker": THINKER}
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


everybody = pytest.mark.parametrize("model", EVERYBODY.values(), ids=EVERYBODY)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


def _at(upstreams: Upstreams, model: str) -> ScriptedUpstream:
    return upstreams[model[0]]


def _told(response: Any) -> Any:
    return response.to_dict()["gateway"]


def _ask(client: openai.OpenAI, *, streamed: bool, **asked: Any) -> Response:
    if not streamed:
        return client.responses.create(**asked)
    with client.responses.stream(**asked) as stream:
        return stream.get_final_response()


# Answers


@everybody
def test_an_answer(client: openai.OpenAI, upstreams: Upstreams, model: str) -> None:
    counts = Counts(input=50, cached=0 if model[0] == "d" else 20, output=9, reasoning=3 if model == THINKER else 0)
    _at(upstreams, model).script(Answer(counts=counts))
    raw = client.responses.with_raw_response.create(model=model, input=ASK, metadata={"customer": "42"})
    answer = raw.parse()
    assert answer.output_text == "Hello there."
    assert (answer.object, answer.status, answer.model) == ("response", "completed", "model-2026-11-01")
    assert answer.id.startswith("resp_")
    (item,) = answer.output
    assert (item.type, item.id) == ("message", answer.id.replace("resp_", "msg_"))
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (50, 9, 59)
    assert answer.usage.input_tokens_details.cached_tokens == counts.cached
    assert answer.usage.output_tokens_details.reasoning_tokens == counts.reasoning
    told = _told(answer)
    assert told["provider"] == raw.headers["X-Gateway-Provider"] == model[0]
    assert told["query_id"] == raw.headers["X-Gateway-Query-Id"] == answer.id.replace("resp_", "qry_")
    assert [attempt["outcome"] for attempt in told["attempts"]] == ["ok"]


def test_an_answer_has_every_member_of_the_vendors_resource(client: openai.OpenAI) -> None:
    told = json.loads(client.responses.with_raw_response.create(model=MODELS["a"], input=ASK).content)
    further = {"store", "presence_penalty", "frequency_penalty"}  # of Open Responses
    assert told.keys() - {"gateway", *further} == Response.model_fields.keys()
    usual = {"temperature": 1, "top_p": 1, "top_logprobs": 0, "presence_penalty": 0, "service_tier": "default"}
    assert {name: told[name] for name in usual} == usual
    streamed = list(client.responses.create(model=MODELS["a"], input=ASK, stream=True))
    assert streamed[0].type == "response.created"
    assert streamed[0].response.to_dict().keys() - further == Response.model_fields.keys()


def test_an_answer_repeats_what_was_asked(client: openai.OpenAI, upstreams: Upstreams) -> None:
    upstreams["a"].script(Answer(said=Said(pieces=("{}",))))
    asked: dict[str, Any] = {
        "instructions": "Be brief.",
        "max_output_tokens": 300,
        "metadata": {"customer": "42"},
        "parallel_tool_calls": False,
        "temperature": 0.2,
        "text": {"format": {"type": "json_object"}},
        "tool_choice": {"type": "function", "name": "weather"},
        "tools": [WEATHER],
        "top_p": 0.9,
        "user": "user-1",
    }
    told = client.responses.create(model=MODELS["a"], input="Say hello as JSON.", **asked).to_dict()
    assert {name: told[name] for name in asked} == asked


@everybody
def test_a_stream_is_the_answer_in_pieces(client: openai.OpenAI, model: str) -> None:
    events = list(client.responses.create(model=model, input=ASK, stream=True))
    assert [event.type for event in events] == [
        *("response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"),
        *("response.output_text.delta",) * 3,
        *("response.output_text.done", "response.content_part.done", "response.output_item.done"),
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Hello there."
    assert _told(last.response)["provider"] == model[0]
    with client.responses.stream(model=model, input=ASK) as stream:
        words = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(words) == final.output_text == "Hello there."


def test_the_asynchronous_client(client: openai.OpenAI, serving: Serving) -> None:
    async def ask() -> tuple[str, str]:
        async with openai.AsyncOpenAI(base_url=client.base_url, api_key=serving.key, max_retries=0) as own:
            whole = await own.responses.create(model=MODELS["b"], input=ASK)
            async with own.responses.stream(model=MODELS["b"], input=ASK) as stream:
                streamed = await stream.get_final_response()
        return whole.output_text, streamed.output_text

    assert asyncio.run(ask()) == ("Hello there.", "Hello there.")


@both_ways
def test_an_answer_that_was_cut(client: openai.OpenAI, upstreams: Upstreams, streamed: bool) -> None:
    upstreams["a"].script(Answer(said=Said(finish="length")))
    asked: Any = {"model": EVERYBODY["a"], "input": ASK, "max_output_tokens": 16}
    if streamed:
        last = list(client.responses.create(**asked, stream=True))[-1]
        assert last.type == "response.incomplete"
        answer = last.response
    else:
        answer = client.responses.create(**asked)
    assert answer.status == "incomplete"
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.output_text == "Hello there."


@pytest.mark.parametrize("model", [EVERYBODY["a"], EVERYBODY["b"], THINKER])
@both_ways
def test_a_refusal(client: openai.OpenAI, upstreams: Upstreams, model: str, streamed: bool) -> None:
    said = Said(pieces=(), refusal="I cannot.", finish="content_filter" if model[0] == "b" else "stop")
    _at(upstreams, model).script(Answer(said=said))
    form: Any = {"format": {"type": "json_schema", "name": "g", "schema": Greeting.model_json_schema()}}
    answer = _ask(client, streamed=streamed, model=model, input=ASK, text=form)
    assert (answer.status, answer.output_text) == ("completed", "")
    (item,) = answer.output
    assert item.type == "message"
    assert item.content[0].to_dict() == {"type": "refusal", "refusal": "I cannot."}


def test_an_answer_that_a_filter_kept_back(client: openai.OpenAI, upstreams: Upstreams) -> None:
    upstreams["b"].script(Answer(said=Said(pieces=(), finish="content_filter")))
    answer = client.responses.create(model=EVERYBODY["b"], input=ASK)
    assert (answer.status, answer.output) == ("incomplete", [])
    assert answer.incomplete_details is not None
    assert answer.incomplete_details.reason == "content_filter"


def test_probabilities(client: openai.OpenAI, upstreams: Upstreams) -> None:
    token = {"token": "Hello", "logprob": -0.1, "bytes": [72], "top_logprobs": []}
    upstreams["a"].otherwise = Answer(said=Said(logprobs=(token,)))
    asked: Any = {"model": EVERYBODY["a"], "input": ASK, "include": ["message.output_text.logprobs"]}
    for streamed in (False, True):
        (item,) = _ask(client, streamed=streamed, **asked, top_logprobs=2).output
        assert item.type == "message"
        assert item.content[0].to_dict()["logprobs"] == [token]
    assert client.responses.create(**asked).output
    assert upstreams["a"].requests[-1].body["logprobs"] is True


class Greeting(BaseModel):
    greeting: str
    loud: bool


def test_an_answer_repeats_its_form_whole(client: openai.OpenAI, upstreams: Upstreams) -> None:
    upstreams["a"].script(Answer(said=Said(pieces=('{"a": 1}',))))
    form: Any = {"type": "json_schema", "name": "one", "schema": {"type": "object", "properties": {"a": {}}}}
    told = client.responses.create(model=MODELS["a"], input=ASK, text={"format": form}).to_dict()
    assert told["text"] == {"format": form | {"description": None, "strict": False}}


@everybody
def test_a_form_is_parsed(client: openai.OpenAI, upstreams: Upstreams, model: str) -> None:
    _at(upstreams, model).otherwise = Answer(said=Said(pieces=('{"greeting": "Hello', '", "loud": false}')))
    greeting = Greeting(greeting="Hello", loud=False)
    assert client.responses.parse(model=model, input=ASK, text_format=Greeting).output_parsed == greeting
    with client.responses.stream(model=model, input=ASK, text_format=Greeting) as stream:
        assert stream.get_final_response().output_parsed == greeting


# A conversation


@everybody
@both_ways
def test_a_function_is_called_and_answers(
    client: openai.OpenAI, upstreams: Upstreams, model: str, streamed: bool
) -> None:
    _at(upstreams, model).script(Answer(said=CALLS))
    asked: Any = {"model": model, "tools": [WEATHER]}
    turns: list[Any] = [{"role": "user", "content": ASK}]
    answer = _ask(client, streamed=streamed, **asked, input=turns)
    message, call = answer.output
    assert (message.type, call.type) == ("message", "function_call")
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Paris"})
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain."}
    again = client.responses.create(**asked, input=[*turns, *answer.output, result])
    assert again.output_text == "Hello there."
    body = _at(upstreams, model).requests[-1].body
    sent = json.dumps(body.get("messages") or body["input"])
    assert all(words in sent for words in (ASK, "I look.", "Paris", "Rain."))


def test_several_calls_in_a_stream(client: openai.OpenAI, upstreams: Upstreams) -> None:
    calls = (SaidCall(name="weather"), SaidCall(name="weather", id="call_2", arguments=('{"city":"Rome"}',)))
    upstreams["b"].script(Answer(said=Said(pieces=(), calls=calls, finish="tool_calls")))
    events = list(client.responses.create(model=EVERYBODY["b"], input=ASK, tools=[WEATHER], stream=True))
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert [(item.id, json.loads(item.arguments)["city"]) for item in done if item.type == "function_call"] == [
        (f"{done[0].id}", "Paris"),
        (f"{done[0].id}_1", "Rome"),
    ]


@both_ways
@everybody
def test_one_function_at_a_time(client: openai.OpenAI, upstreams: Upstreams, model: str, streamed: bool) -> None:
    calls = (SaidCall(name="weather", id="call_1"), SaidCall(name="weather", id="call_2"))
    _at(upstreams, model).script(Answer(said=Said(pieces=(), calls=calls, finish="tool_calls")))
    asked: Any = {"model": model, "input": ASK, "tools": [WEATHER], "parallel_tool_calls": False}
    answer = _ask(client, streamed=streamed, **asked)
    assert [item.call_id for item in answer.output if item.type == "function_call"] == ["call_1"]
    assert _told(answer)["warnings"]


def test_a_thought_of_openais_is_an_item_as_it_came(client: openai.OpenAI, upstreams: Upstreams) -> None:
    upstreams["a"].script(Answer(said=THINKS))
    asked: Any = {"model": THINKER, "tools": [WEATHER], "reasoning": {"effort": "high", "summary": "auto"}}
    answer = client.responses.create(**asked, input=ASK)
    thought, call = answer.output
    assert (thought.type, call.type) == ("reasoning", "function_call")
    assert (thought.id, thought.encrypted_content, thought.summary[0].text) == ("rs_0", "SECRET", "Which city?")
    result: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain."}
    dumped: list[Any] = [item.model_dump() for item in answer.output]
    for items in (answer.output, dumped):
        client.responses.create(**asked, input=[{"role": "user", "content": ASK}, *items, result])
        sent = upstreams["a"].requests[-1].body["input"]
        assert [item.get("type") for item in sent] == [None, "reasoning", "function_call", "function_call_output"]
        assert sent[1] == thought.to_dict()


@pytest.mark.parametrize(("model", "streamed"), [(THINKER, True), (CLAUDE, False), (CLAUDE, True)])
def test_a_thought_that_has_no_item_of_its_own_goes_back_packed(
    client: openai.OpenAI, upstreams: Upstreams, model: str, streamed: bool
) -> None:
    _at(upstreams, model).script(Answer(said=THINKS))
    asked: Any = {"model": model, "tools": [WEATHER], "reasoning": {"effort": "high"}}
    answer = _ask(client, streamed=streamed, **asked, input=ASK)
    thought, call = answer.output
    assert (thought.type, call.type) == ("reasoning", "function_call")
    assert thought.summary[0].text == "Which city?"
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "Rain."}
    client.responses.create(**asked, input=[{"role": "user", "content": ASK}, *answer.output, result])
    body = _at(upstreams, model).requests[-1].body
    if model == CLAUDE:
        (turn,) = [turn for turn in body["messages"] if turn["role"] == "assistant"]
        assert [block["type"] for block in turn["content"]] == ["thinking", "redacted_thinking", "tool_use"]
    else:
        assert body["input"][1]["encrypted_content"] == "SECRET"


@both_ways
def test_a_thought_that_is_told_to_nobody_goes_back_too(
    client: openai.OpenAI, upstreams: Upstreams, streamed: bool
) -> None:
    upstreams["b"].script(Answer(said=Said(secrets=("SECRET",))))
    answer = _ask(client, streamed=streamed, model=CLAUDE, input=ASK)
    assert sorted(item.type for item in answer.output) == ["message", "reasoning"]
    turns: list[Any] = [{"role": "user", "content": ASK}, *answer.output, {"role": "user", "content": "And now?"}]
    client.responses.create(model=CLAUDE, input=turns)
    (turn,) = [turn for turn in upstreams["b"].requests[-1].body["messages"] if turn["role"] == "assistant"]
    assert turn["content"][0] == {"type": "redacted_thinking", "data": "SECRET"}


def test_a_thought_changed_on_its_way_is_refused(client: openai.OpenAI) -> None:
    thought: Any = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "llm-gateway.1.AAAA"}
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=CLAUDE, input=[thought, {"role": "user", "content": ASK}])
    assert refused.value.param == "input[0].encrypted_content"


def test_images_and_documents_are_read(client: openai.OpenAI, upstreams: Upstreams) -> None:
    png = "data:image/png;base64,iVBORw0KGgo="
    pdf = "data:application/pdf;base64,JVBERi0xLjQKJSVFT0YK"
    content: Any = [
        {"type": "input_text", "text": "What is this?", "prompt_cache_breakpoint": {"mode": "explicit"}},
        {"type": "input_image", "image_url": png, "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": pdf},
    ]
    client.responses.create(model=EVERYBODY["b"], input=[{"role": "user", "content": content}])
    (turn,) = upstreams["b"].requests[-1].body["messages"]
    assert [block["type"] for block in turn["content"]] == ["text", "image", "document"]
    assert turn["content"][0]["cache_control"]["type"] == "ephemeral"


# Who is asked


@both_ways
@pytest.mark.parametrize(("first", "second"), [("a", "b"), ("b", "a")])
def test_another_vendor_answers_where_the_first_fails(
    client: openai.OpenAI, upstreams: Upstreams, first: str, second: str, streamed: bool
) -> None:
    upstreams[first].otherwise = Refusal(status=503)
    upstreams[second].script(Answer(said=CALLS))
    fall_back: Any = {"gateway": {"fallback": [second]}}
    answer = _ask(client, streamed=streamed, model=EVERYBODY[first], input=ASK, tools=[WEATHER], extra_body=fall_back)
    assert [item.type for item in answer.output] == ["message", "function_call"]
    assert [attempt["provider"] for attempt in _told(answer)["attempts"]] == [first, second]
    upstreams[second].otherwise = Refusal(status=503)
    with pytest.raises(openai.InternalServerError) as failed:
        _ask(client, streamed=streamed, model=EVERYBODY[first], input=ASK, extra_body=fall_back)
    assert failed.value.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    "named",
    [
        {"model": "prompt:greeting", "extra_body": {"gateway": {"prompt": {"variables": {"customer": "Ada"}}}}},
        {"prompt": {"id": "greeting", "version": "1", "variables": {"customer": "Ada"}}},
        {
            "prompt": {
                "id": "greeting",
                "version": "latest",
                "variables": {"customer": {"type": "input_text", "text": "Ada"}},
            }
        },
        {"prompt": {"id": "greeting", "variables": {"customer": "Ada"}}, "model": f"a/{MODELS['a']}"},
        {"extra_body": {"gateway": {"prompt": {"id": "greeting", "variables": {"customer": "Ada"}}}}},
    ],
)
def test_a_prompt_of_the_gateways(client: openai.OpenAI, serving: Serving, upstreams: Upstreams, named: Any) -> None:
    prompt = {
        "id": "greeting",
        "name": "Greeting",
        "template": {
            "messages": [{"role": "user", "content": "Greet {{ customer }}."}],
            "variables": {"customer": {"type": "string"}},
        },
        "defaults": {"model": f"a/{MODELS['a']}"},
    }
    assert serving.call("POST", "/api/v1/llm/prompts", prompt)[0].status in (201, 409)
    client.responses.create(**named, instructions="Be kind.")
    said = [turn["content"] for turn in upstreams["a"].requests[-1].body["messages"]]
    assert said == ["Greet Ada.", "Be kind."] or said == ["Be kind.", "Greet Ada."]


def test_a_text_of_the_gateways_own(client: openai.OpenAI, upstreams: Upstreams) -> None:
    own: Any = {"gateway": {"system": {"text": "Be brief."}}}
    client.responses.create(model=MODELS["a"], input=ASK, instructions="Be kind.", extra_body=own)
    turns = upstreams["a"].requests[-1].body["messages"]
    assert [turn["content"] for turn in turns] == ["Be brief.", "Be kind.", ASK]


def test_what_only_some_vendors_know_is_handed_on_to_them(client: openai.OpenAI, upstreams: Upstreams) -> None:
    handed: Any = {"prompt_cache_key": "k", "safety_identifier": "user-1", "service_tier": "flex"}
    client.responses.create(model=THINKER, input=ASK, text={"verbosity": "low"}, **handed)
    body = upstreams["a"].requests[-1].body
    assert {name: body[name] for name in handed} == handed
    assert body["text"]["verbosity"] == "low"
    client.responses.create(model=EVERYBODY["b"], input=ASK, safety_identifier="user-1")
    assert upstreams["b"].requests[-1].body["metadata"] == {"user_id": "user-1"}


# Errors


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True}, "background"),
        ({"store": True}, "store"),
        ({"truncation": "auto"}, "truncation"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
        ({"include": ["file_search_call.results"]}, "include[0]"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [{"type": "custom", "name": "x"}]}, "tools[0]"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [WEATHER | {"output_schema": {}}]}, "tools[0].output_schema"),
        ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "x"}}, "tool_choice"),
        ({"tools": [WEATHER], "tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"type": "web_search_call", "id": "ws_1", "status": "completed"}]}, "input[0]"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]},
            "input[0].content[0].file_data",
        ),
        ({"input": [{"role": "user", "content": [{"type": "input_video"}]}]}, "input[0].content[0].type"),
        ({"input": []}, "input"),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input"),
        ({"input": 7}, "input"),
        ({"reasoning": {"effort": "low", "summary": "detailed"}}, "reasoning.summary"),
        ({"reasoning": {"effort": "low", "mode": "pro"}}, "reasoning.mode"),
        ({"text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}}}, "text.format.name"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": []}, "messages"),
        ({"stream_options": {"include_obfuscation": False}}, "stream_options"),
        ({"user": "a", "safety_identifier": "b"}, "user"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"model": None}, "model"),
        ({"prompt": {"id": "a"}, "gateway": {"prompt": {"id": "a"}}}, "prompt"),
        ({"prompt": {"id": "a"}, "model": "prompt:a"}, "prompt"),
        ({"prompt": {"id": "a", "variables": {"x": {"type": "input_image"}}}}, "prompt.variables.x"),
        ({"gateway": {"colour": 1}}, "gateway.colour"),
        ({"metadata": {"a": "b"}, "gateway": {"metadata": {"a": "c"}}}, "gateway.metadata"),
    ],
)
def test_a_bad_request_names_the_parameter(
    client: openai.OpenAI, upstreams: Upstreams, changes: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.post("/responses", body={"model": MODELS["a"], "input": ASK} | changes, cast_to=object)
    assert refused.value.param == param
    assert refused.value.type == "invalid_request_error"
    assert not any(upstream.requests for upstream in upstreams.values())


def test_what_a_coding_agent_says_of_itself_is_taken_and_goes_nowhere(
    client: openai.OpenAI, upstreams: Upstreams
) -> None:
    told = {
        "client_metadata": {"x-codex-installation-id": "4711"},
        "previous_response_id": None,
        "reasoning": {"summary": "auto"},
    }
    assert client.responses.create(model=THINKER, input=ASK, extra_body=told).status == "completed"
    assert "4711" not in json.dumps(_at(upstreams, THINKER).requests[-1].body)


@both_ways
def test_what_turns_out_later_names_the_parameter_too(client: openai.OpenAI, streamed: bool) -> None:
    cat = {"type": "input_image", "image_url": "https://example.com/cat.png", "detail": "high"}
    turns = [
        {"role": "user", "content": ASK},
        {"role": "assistant", "content": "A."},
        {"role": "assistant", "content": "B."},
        {"role": "user", "content": [{"type": "input_text", "text": "?"}, cat]},
    ]
    with pytest.raises(openai.BadRequestError, match=r"input\[3\]\.content: ") as refused:
        client.responses.create(model=CLAUDE, input=turns, instructions="Look.", stream=streamed)  # type: ignore[call-overload]
    assert refused.value.param == "input[3].content"


def test_who_is_not_let_in(client: openai.OpenAI, serving: Serving) -> None:
    with pytest.raises(openai.AuthenticationError), client_of(serving, key="sk-nobody") as nobody:
        nobody.responses.create(model=MODELS["a"], input=ASK)
    _, auditor = serving.gateway.new_key(Role.AUDITOR)
    with pytest.raises(openai.PermissionDeniedError), client_of(serving, key=auditor) as other:
        other.responses.create(model=MODELS["a"], input=ASK)


def test_what_a_provider_refuses(client: openai.OpenAI, upstreams: Upstreams) -> None:
    upstreams["a"].script(Refusal(status=400, code="context_length_exceeded", type="invalid_request_error"))
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model=EVERYBODY["a"], input=ASK)
    assert refused.value.code == "context_length_exceeded"
    upstreams["a"].script(Refusal(status=429))
    with pytest.raises(openai.RateLimitError):
        client.responses.create(model=EVERYBODY["a"], input=ASK, stream=True)
    upstreams["a"].script(HangUp())
    with pytest.raises(openai.InternalServerError):
        client.responses.create(model=EVERYBODY["a"], input=ASK)


@everybody
def test_a_stream_that_breaks_off_fails(client: openai.OpenAI, upstreams: Upstreams, model: str) -> None:
    _at(upstreams, model).script(Answer(fault=StreamFault(kind="disconnect", after=2)))
    events = list(client.responses.create(model=model, input=ASK, stream=True))
    last = events[-1]
    assert last.type == "response.failed"
    assert (last.response.id, last.response.status) == (events[0].response.id, "failed")  # type: ignore[union-attr]
    assert last.response.error is not None
    assert last.response.error.code == "server_error"
    assert last.sequence_number == len(events) - 1
    assert _told(last.response)["code"] == "provider_error"


def test_the_same_request_is_answered_once(client: openai.OpenAI, upstreams: Upstreams) -> None:
    headers = {"Idempotency-Key": "one response"}
    first = client.responses.create(model=MODELS["a"], input=ASK, extra_headers=headers)
    raw = client.responses.with_raw_response.create(model=MODELS["a"], input=ASK, extra_headers=headers)
    assert raw.headers["Idempotent-Replayed"] == "true"
    assert raw.parse().to_dict() == first.to_dict()
    assert len(upstreams["a"].requests) == 1


def test_the_cache(client: openai.OpenAI, upstreams: Upstreams) -> None:
    asked: Any = {"model": MODELS["d"], "input": ASK, "extra_body": {"gateway": {"cache": "force"}}}
    client.responses.create(**asked)
    for streamed in (False, True):
        again = _ask(client, streamed=streamed, **asked)
        assert (again.output_text, _told(again)["cache"]["hit"]) == ("Hello there.", True)
    assert len(upstreams["d"].requests) == 1


def test_a_client_that_leaves_stops_the_work(client: openai.OpenAI, serving: Serving, upstreams: Upstreams) -> None:
    upstreams["a"].script(Answer(said=Said(pieces=("word ",) * 200), between_s=0.05))
    with closing(client.responses.create(model=EVERYBODY["a"], input=ASK, stream=True)) as stream:
        first = next(iter(stream))
    assert first.type == "response.created"
    query_id = first.response.id.replace("resp_", "qry_")
    for _ in range(100):
        status = json.loads(serving.call("GET", f"/api/v1/llm/query/{query_id}/status")[1])["status"]
        if status == "cancelled":
            break
        asyncio.run(asyncio.sleep(0.1))
    assert status == "cancelled"
