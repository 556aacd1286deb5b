"""The HTTP side with a scripted model: shapes of answers and of refusals."""

import asyncio
import json
import resource
from typing import Any

import httpx2
import pytest
from local_model.app import create_app
from local_model.settings import read_settings
from local_model.worker import Worker

from tests.adapters.scripted_model import ScriptedModel
from tests.adapters.steps import steps

MOST_STEPS = 600_000
CHAT = {"model": "scripted", "messages": [{"role": "user", "content": "Say something nice"}]}


def call(
    method: str,
    path: str,
    *,
    model: ScriptedModel | None = None,
    drain: bool = False,
    usual_tokens: int | None = None,
    **request: Any,
) -> httpx2.Response:
    async def run() -> httpx2.Response:
        scripted = model or ScriptedModel()
        worker = Worker(scripted, max_queue=1)
        worker.draining = drain
        transport = httpx2.ASGITransport(
            create_app(scripted, worker, usual_tokens=usual_tokens), raise_app_exceptions=False
        )
        try:
            async with httpx2.AsyncClient(transport=transport, base_url="http://model") as client:
                return await client.request(method, path, **request)
        finally:
            worker.close()

    return asyncio.run(run())


def chat(model: ScriptedModel | None = None, /, **changes: Any) -> httpx2.Response:
    return call("POST", "/v1/chat/completions", model=model, json={**CHAT, **changes})


def events(answer: httpx2.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in answer.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def error_of(answer: httpx2.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    (error,) = answer.json().values()
    assert error.keys() == {"message", "type", "param", "code"}
    return error


def test_a_whole_answer():
    body = chat().json()
    assert body["object"] == "chat.completion"
    assert body["model"] == "scripted"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello there", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert body["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_a_streamed_answer():
    answer = chat(stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    chunks = events(answer)
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "Hello"},
        {"content": " there"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    assert all("usage" not in chunk for chunk in chunks)


def test_usage_is_the_last_chunk_of_a_stream_that_asked_for_it():
    *chunks, last = events(chat(stream=True, stream_options={"include_usage": True}))
    assert all(chunk["usage"] is None for chunk in chunks)
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def test_a_failure_in_the_middle_of_a_stream_is_an_error_event_and_no_done():
    class Failing(ScriptedModel):
        def pieces(self, generation, *, cancelled):
            yield b"Hello"
            raise RuntimeError("out of memory at /secret/path")

    lines = chat(Failing(), stream=True).text.strip().split("\n\n")
    assert json.loads(lines[-1].removeprefix("data: "))["error"]["code"] == "generation_failed"
    assert "secret" not in lines[-1]


def test_a_failure_before_the_first_token_has_a_status_even_when_streamed():
    model = ScriptedModel()
    model.failure = RuntimeError("no memory")
    assert error_of(chat(model, stream=True), 500)["code"] == "generation_failed"


def test_parts_and_roles_reach_the_model_as_text():
    model = ScriptedModel(context_tokens=9)
    parts = [{"type": "text", "text": "one two"}, {"type": "text", "text": "three"}]
    messages = [{"role": "developer", "content": "be kind"}, {"role": "user", "content": parts}]
    assert chat(model, messages=messages).json()["usage"]["prompt_tokens"] == 5
    assert model.asked[0].max_tokens == 4


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_max_tokens(field):
    body = chat(**{field: 1}).json()
    assert body["choices"][0]["finish_reason"] == "length"
    assert body["usage"]["completion_tokens"] == 1


@pytest.mark.parametrize(("asked", "most"), [({}, 2), ({"max_tokens": 3}, 3), ({"max_tokens": None}, 2)])
def test_an_answer_whose_length_nobody_asked_for_is_as_long_as_is_usual(asked, most):
    model = ScriptedModel()
    call("POST", "/v1/chat/completions", model=model, usual_tokens=2, json={**CHAT, **asked})
    assert model.asked[0].max_tokens == most


@pytest.mark.parametrize(("told", "usual"), [({}, None), ({"USUAL_TOKENS": "0"}, None), ({"USUAL_TOKENS": "512"}, 512)])
def test_what_is_usual_is_a_setting(told, usual):
    assert read_settings(told).usual_tokens == usual


def test_sampling_reaches_the_model():
    model = ScriptedModel()
    chat(model, temperature=0, top_p=0.5, seed=-1, stop="x", presence_penalty=1, frequency_penalty=-1)
    (asked,) = model.asked
    assert (asked.temperature, asked.top_p, asked.stop) == (0, 0.5, ("x",))
    assert (asked.presence_penalty, asked.frequency_penalty) == (1, -1)
    assert 0 <= asked.seed < 2**32 - 1


def test_without_a_seed_every_answer_has_its_own():
    model = ScriptedModel()
    chat(model)
    chat(model)
    assert len({asked.seed for asked in model.asked}) == 2


@pytest.mark.parametrize(
    "harmless",
    [
        {"user": "u", "store": True, "metadata": {"a": "b"}, "service_tier": "auto"},
        {"n": 1, "logprobs": False, "tools": [], "tool_choice": "none", "logit_bias": {}, "top_logprobs": 0},
        {"temperature": None, "stop": None, "tools": None, "response_format": None, "max_tokens": None},
        {"response_format": {"type": "text"}},
        {"messages": [{"role": "assistant", "content": "hi", "refusal": None, "annotations": [], "tool_calls": []}]},
    ],
)
def test_what_asks_for_nothing_is_accepted(harmless):
    assert chat(**harmless).status_code == 200


SCHEMA_AT = "response_format.json_schema.schema"


def schema(document: object) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": document}}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{}]}, "functions"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"reasoning_effort": "low"}, "reasoning_effort"),
        ({"grammar": 'root ::= "x"'}, "grammar"),
        ({"temperatur": 1}, "temperatur"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "0"}, "temperature"),
        ({"top_p": -0.1}, "top_p"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 2, "max_completion_tokens": 3}, "max_tokens"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": ""}, "stop.0"),
        ({"stop": 3}, "stop"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages.0.content"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "x", "name": "bob"}]}, "messages.0.name"),
        ({"messages": [{"role": "assistant", "content": "x", "tool_calls": [{}]}]}, "messages.0.tool_calls"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "messages.0.content",
        ),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": "word " * 50}]}, "messages"),
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "text", "json_schema": {"name": "x", "schema": {}}}}, "response_format"),
        (schema({"type": "string", "pattern": "a+"}), f"{SCHEMA_AT}.pattern"),
        (schema({"const": "refuse me"}), SCHEMA_AT),
        (schema(3), f"{SCHEMA_AT}"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(wrong, param, stream):
    error = error_of(chat(stream=stream, **wrong), 400)
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert error["message"]


def test_overflow_has_the_code_that_clients_look_for():
    messages = [{"role": "user", "content": "word " * 50}]
    assert error_of(chat(messages=messages), 400)["code"] == "context_length_exceeded"


def test_stream_options_need_a_stream():
    assert error_of(chat(stream_options={"include_usage": True}), 400)["param"] == "stream_options"


def test_an_unknown_model_is_404():
    error = error_of(chat(model="gpt-9"), 404)
    assert (error["code"], error["param"]) == ("model_not_found", "model")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/tokenize"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b'{"a": NaN}',
        b"[" * 100_000,
        b'{"model": "\\ud800"}',
        b'{"a": 1} x',
    ],
)
def test_what_is_no_json_object_is_400(path, body):
    error_of(call("POST", path, content=body, headers={"content-type": "application/json"}), 400)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_other_media_types_are_415(kind):
    answer = call("POST", "/v1/chat/completions", content=json.dumps(CHAT), headers={"content-type": kind})
    assert error_of(answer, 415)["code"] == "unsupported_media_type"


def test_json_with_a_charset_is_json():
    headers = {"content-type": "application/json; charset=utf-8"}
    assert call("POST", "/v1/chat/completions", content=json.dumps(CHAT), headers=headers).status_code == 200


def test_a_body_over_4_mb_is_413_whether_it_says_so_or_not():
    async def blocks():
        for _ in range(5):
            yield b"x" * 1024 * 1024

    headers = {"content-type": "application/json"}
    for content in (b"x" * (4 * 1024 * 1024 + 1), blocks()):
        assert error_of(call("POST", "/v1/chat/completions", content=content, headers=headers), 413)


def _many(piece: str) -> str:
    return ",".join([piece] * (3_900_000 // (len(piece) + 1)))


_UNKNOWN = ",".join(f'"{number}":0' for number in range(380_000))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (f'{{"messages": [{_many("0")}]}}', "messages.0"),
        (f'{{"messages": [{_many("{}")}]}}', "messages.0.role"),
        (f'{{"messages": [{{"role": "user", "content": [{_many("0")}]}}]}}', "messages.0.content"),
        (f'{{"messages": [{{"role": "user", "content": "x", {_UNKNOWN}}}]}}', "messages.0"),
        (f'{{"response_format": {{"type": "text", {_UNKNOWN}}}}}', "response_format"),
        (f'{{"stop": [{_many("0")}]}}', "stop.0"),
        (f"{{{_UNKNOWN}}}", "fields"),
    ],
)
def test_a_body_is_worth_the_work_that_its_length_is_worth(body, param):
    whole = {**CHAT, "model": "m"}
    rest = "".join(
        f", {json.dumps(name)}: {json.dumps(value)}" for name, value in whole.items() if f'"{name}"' not in body[:40]
    )
    before_kib, answers = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
    content, headers = body[:-1] + rest + "}", {"content-type": "application/json"}
    made = steps(lambda: answers.append(call("POST", "/v1/chat/completions", content=content, headers=headers)))
    assert error_of(answers[0], 400)["param"] == param
    assert made < MOST_STEPS, made
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 200 * 1024


def test_other_paths_and_methods_answer_in_the_same_format():
    assert error_of(call("GET", "/v1/images"), 404)["code"] == "unknown_url"
    answer = call("GET", "/v1/chat/completions")
    assert error_of(answer, 405)["code"] == "method_not_allowed"
    assert answer.headers["allow"] == "POST"


def test_models():
    (model,) = call("GET", "/v1/models").json()["data"]
    assert (model["id"], model["object"], model["context_window"]) == ("scripted", "model", 50)
    assert call("GET", "/v1/models/scripted").json()["id"] == "scripted"
    assert error_of(call("GET", "/v1/models/other"), 404)["code"] == "model_not_found"


def test_tokenize_counts_text_and_messages():
    def count(**body):
        return call("POST", "/v1/tokenize", json=body)

    assert count(text="a b c").json() == {"model": "scripted", "count": 3, "context_window": 50}
    assert count(model="scripted", messages=CHAT["messages"]).json()["count"] == 3
    assert count(text="").json()["count"] == 0
    assert error_of(count(), 400)
    assert error_of(count(text="a", messages=CHAT["messages"]), 400)
    assert error_of(count(text="a", model="other"), 404)
    assert error_of(count(text=1), 400)["param"] == "text"


def test_a_draining_server_refuses_answers_and_says_so():
    answer = call("POST", "/v1/chat/completions", json=CHAT, drain=True)
    assert error_of(answer, 503)["code"] == "shutting_down"
    assert int(answer.headers["retry-after"]) >= 1
    health = call("GET", "/health", drain=True)
    assert (health.status_code, health.json()["status"]) == (503, "draining")


def test_health_of_an_idle_server():
    expected = {"status": "ok", "model": "scripted", "busy": False, "queued": 0, "max_queue": 1}
    assert call("GET", "/health").json() == expected


def test_json_modes_hand_the_model_a_grammar_of_the_servers_own():
    model = ScriptedModel()
    chat(model)
    chat(model, response_format={"type": "json_object"})
    chat(model, **schema({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}))
    free, any_object, typed = (asked.grammar for asked in model.asked)
    assert free is None
    assert any_object.startswith("root ::= object")
    assert r"\"a\"" in typed
