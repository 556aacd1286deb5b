"""The real server with the real model, over loopback: what it promises while it is busy, left alone, or told to stop."""

import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from jsonschema import Draft202012Validator
from openai import BadRequestError, NotFoundError, OpenAI, RateLimitError

from tests.adapters.local_model import MODEL_NAME, RunningServer, running_server, start_process

PATIENCE_S = 60
# A list that long cannot be finished before a test is over, whatever the model thinks of it.
ENDLESS_SCHEMA = {"type": "array", "items": {"type": "integer"}, "minItems": 900}
ENDLESS = {"response_format": {"type": "json_schema", "json_schema": {"name": "numbers", "schema": ENDLESS_SCHEMA}}}


def body(question: str = "Say hello.", **changes: Any) -> dict[str, Any]:
    return {
        "model": MODEL_NAME,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": 12,
        **changes,
    }


ENDLESS_BODY = {**body("Count."), **ENDLESS, "max_tokens": 900}


@pytest.fixture(scope="module")
def http(base_url) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=base_url, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture(scope="module")
def openai(base_url) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{base_url}/v1", api_key="unused", max_retries=0, timeout=PATIENCE_S) as client:
        yield client


def ask(http: httpx2.Client, question: str = "Say hello.", **changes: Any) -> dict[str, Any]:
    answer = http.post("/v1/chat/completions", json=body(question, **changes))
    assert answer.status_code == 200, answer.text
    return answer.json()


def text_of(answer: dict[str, Any]) -> str:
    return answer["choices"][0]["message"]["content"]


def health(http: httpx2.Client) -> dict[str, Any]:
    return http.get("/health").json()


def until(condition: Callable[[], bool], *, within_s: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@contextmanager
def leaving(base_url: str, *, stream: bool) -> Iterator[socket.socket]:
    """A client that asks for an endless answer and can go at any time."""
    content = json.dumps({**ENDLESS_BODY, "stream": stream}).encode()
    host, port = base_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE_S) as connection:
        head = ["POST /v1/chat/completions HTTP/1.1", f"Host: {host}", "Content-Type: application/json"]
        connection.sendall("\r\n".join([*head, f"Content-Length: {len(content)}", "", ""]).encode() + content)
        yield connection


def test_two_questions_have_two_answers(http):
    one, other = ask(http, "What is 2+2?"), ask(http, "Write a poem about the sea.")
    assert text_of(one)
    assert text_of(other)
    assert text_of(one) != text_of(other)


def test_usage_is_what_the_server_counts(http):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a colour."}]
    answer = ask(http, messages=messages, max_tokens=5)
    counted = http.post("/v1/tokenize", json={"messages": messages}).json()["count"]
    assert answer["usage"] == {"prompt_tokens": counted, "completion_tokens": 5, "total_tokens": counted + 5}
    assert answer["choices"][0]["finish_reason"] == "length"
    assert http.post("/v1/tokenize", json={"text": text_of(answer)}).json()["count"] == 5


def test_a_stream_says_what_the_whole_answer_says(openai):
    asked = {
        "model": MODEL_NAME,
        "messages": [{"role": "user", "content": "Tell a story with 日本 and é."}],
        "seed": 5,
        "max_tokens": 40,
    }
    whole = openai.chat.completions.create(**asked, temperature=1)
    chunks = list(
        openai.chat.completions.create(**asked, temperature=1, stream=True, stream_options={"include_usage": True})
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == whole.choices[0].finish_reason
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage


def test_characters_of_many_bytes_arrive_whole(openai):
    wanted = "naïve 日本語 🙂"
    form = {"type": "json_schema", "json_schema": {"name": "fixed", "schema": {"const": wanted}}}
    chunks = openai.chat.completions.create(**{**body(), "response_format": form, "max_tokens": 80}, stream=True)
    deltas = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert len(deltas) > 5
    assert "\ufffd" not in "".join(deltas)
    assert json.loads("".join(deltas)) == wanted


@pytest.mark.parametrize("sampling", [{"temperature": 0}, {"temperature": 1, "seed": 42}])
def test_the_same_question_has_the_same_answer(http, sampling):
    first = text_of(ask(http, "Tell me about rivers.", **sampling))
    ask(http, "Tell me about rivers and lakes.")
    assert text_of(ask(http, "Tell me about rivers.", **sampling)) == first


def test_a_stop_sequence_is_neither_sent_nor_passed(http):
    free = text_of(ask(http, "Count to five.", max_tokens=30))
    stop = free[len(free) // 2 :][:3]
    stopped = ask(http, "Count to five.", max_tokens=30, stop=[stop])
    assert text_of(stopped) == free[: free.index(stop)]
    assert stopped["choices"][0]["finish_reason"] == "stop"


def test_json_mode_gives_an_object(http):
    answer = ask(http, "Describe a cat as JSON.", response_format={"type": "json_object"}, max_tokens=120)
    assert answer["choices"][0]["finish_reason"] == "length" or isinstance(json.loads(text_of(answer)), dict)


@pytest.mark.parametrize("temperature", [0, 1.5])
def test_a_schema_is_kept(http, temperature):
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 20},
            "age": {"type": "integer", "minimum": 18, "maximum": 65},
            "mood": {"enum": ["gut", "übel", 'so "la la"']},
            "scores": {
                "type": "array",
                "items": {"type": "number", "minimum": 0, "maximum": 1},
                "minItems": 2,
                "maxItems": 2,
            },
        },
        "required": ["name", "age", "mood", "scores"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": schema}}
    answer = ask(http, "Invent a person.", response_format=form, max_tokens=200, temperature=temperature, seed=1)
    assert answer["choices"][0]["finish_reason"] == "stop"
    Draft202012Validator(schema).validate(json.loads(text_of(answer)))


@pytest.mark.parametrize("stream", [False, True])
def test_overflow_is_the_clients_error(openai, stream):
    long = [{"role": "user", "content": "word " * 1100}]
    with pytest.raises(BadRequestError) as refused:
        openai.chat.completions.create(model=MODEL_NAME, messages=long, stream=stream)
    assert refused.value.code == "context_length_exceeded"


def test_an_answer_ends_where_the_context_ends(http):
    used = http.post("/v1/tokenize", json={"messages": body("word " * 900)["messages"]}).json()["count"]
    answer = ask(http, "word " * 900, max_tokens=10_000, **ENDLESS)
    assert answer["usage"]["total_tokens"] == 1024
    assert answer["usage"]["prompt_tokens"] == used
    assert answer["choices"][0]["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_a_schema_that_cannot_be_held_is_refused_and_the_server_lives(http, openai, stream):
    form = {"type": "json_schema", "json_schema": {"name": "loop", "schema": {"$ref": "#"}}}
    with pytest.raises(BadRequestError) as refused:
        openai.chat.completions.create(**{**body(), "response_format": form}, stream=stream)
    assert refused.value.param == "response_format.json_schema.schema"
    assert health(http)["status"] == "ok"


def test_an_unknown_model_is_not_found(openai):
    with pytest.raises(NotFoundError):
        openai.chat.completions.create(**{**body(), "model": "gpt-4.1"})
    assert [model.id for model in openai.models.list()] == [MODEL_NAME]


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_leaves_stops_its_answer(http, base_url, stream):
    with leaving(base_url, stream=stream) as connection:
        until(lambda: health(http)["busy"])
        if stream:
            assert b"200 OK" in connection.recv(4096)
    until(lambda: not health(http)["busy"], within_s=6)


def test_a_full_queue_is_429_and_a_client_that_leaves_it_makes_room(http, openai, base_url):
    with leaving(base_url, stream=True) as running:
        until(lambda: health(http)["busy"])
        with leaving(base_url, stream=False), leaving(base_url, stream=True):
            until(lambda: health(http)["queued"] == 2)
            with pytest.raises(RateLimitError) as refused:
                openai.chat.completions.create(**body())
            assert refused.value.code == "queue_full"
            assert int(refused.value.response.headers["retry-after"]) >= 1
            for stream in (False, True):
                assert http.post("/v1/chat/completions", json=body(stream=stream)).status_code == 429
        until(lambda: health(http)["queued"] == 0)
        assert health(http)["busy"]
        with ThreadPoolExecutor(1) as pool:
            next_answer = pool.submit(ask, http)
            until(lambda: health(http)["queued"] == 1)
            running.close()
            assert text_of(next_answer.result(PATIENCE_S))
    until(lambda: not health(http)["busy"])


def test_health_models_and_counting_answer_at_once_while_the_model_works(http, base_url):
    with leaving(base_url, stream=True):
        until(lambda: health(http)["busy"])
        for _ in range(10):
            started = time.monotonic()
            assert health(http)["busy"]
            http.get("/v1/models").raise_for_status()
            http.post("/v1/tokenize", json={"text": "hello"}).raise_for_status()
            assert time.monotonic() - started < 5
    until(lambda: not health(http)["busy"])


def test_concurrent_streams_are_all_complete(base_url, http):
    def stream(index: int) -> list[str]:
        answer = http.post("/v1/chat/completions", json=body(f"Say the number {index}.", stream=True)).text
        return [line for line in answer.split("\n\n") if line]

    with ThreadPoolExecutor(3) as pool:
        for lines in pool.map(stream, range(3)):
            assert lines[-1] == "data: [DONE]"
            assert json.loads(lines[-2].removeprefix("data: "))["choices"][0]["finish_reason"] in {"stop", "length"}


@contextmanager
def own_server(tmp_path, **environ: str) -> Iterator[tuple[RunningServer, httpx2.Client]]:
    with (
        running_server({"MODEL_CACHE_DIR": str(tmp_path), "N_CTX": "2048", **environ}) as server,
        httpx2.Client(base_url=server.base_url, timeout=PATIENCE_S) as client,
    ):
        yield server, client


def test_sigterm_finishes_what_runs_and_waits_refuses_the_rest_and_ends_well(real_model, tmp_path):
    with own_server(tmp_path) as (server, http), ThreadPoolExecutor(2) as pool:
        # Long enough that the signal meets it while it runs; the second one waits behind it.
        answers = [pool.submit(ask, http, "Count.", **ENDLESS, max_tokens=tokens) for tokens in (150, 20)]
        until(lambda: health(http)["queued"] == 1)
        server.terminate()
        until(lambda: health(http)["status"] == "draining")
        refused = http.post("/v1/chat/completions", json=body())
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "shutting_down"
        assert sorted(answer.result(PATIENCE_S)["usage"]["completion_tokens"] for answer in answers) == [20, 150]
        assert server.process.wait(PATIENCE_S) == 0


def test_sigterm_is_obeyed_within_its_bound(real_model, tmp_path):
    with own_server(tmp_path, DRAIN_TIMEOUT_S="1") as (server, http), ThreadPoolExecutor(2) as pool:
        whole = pool.submit(http.post, "/v1/chat/completions", json=ENDLESS_BODY)
        until(lambda: health(http)["busy"])
        server.terminate()
        started = time.monotonic()
        assert whole.result(PATIENCE_S).status_code == 503
        assert server.process.wait(PATIENCE_S) == 0
        assert time.monotonic() - started < 20


def test_a_second_signal_does_not_wait(real_model, tmp_path):
    with own_server(tmp_path, DRAIN_TIMEOUT_S="300") as (server, http), ThreadPoolExecutor(1) as pool:
        stream = pool.submit(http.post, "/v1/chat/completions", json={**ENDLESS_BODY, "stream": True})
        until(lambda: health(http)["busy"])
        server.terminate()
        until(lambda: health(http)["status"] == "draining")
        assert server.process.poll() is None
        server.terminate()
        answer = stream.result(PATIENCE_S)
        assert "shutting_down" in answer.text
        assert "[DONE]" not in answer.text
        assert server.process.wait(PATIENCE_S) == 0


def test_an_idle_server_ends_at_once(real_model, tmp_path):
    with own_server(tmp_path) as (server, _):
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(PATIENCE_S) == 0


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({"MODEL_PATH": "/nowhere/model.gguf"}, "cannot read"),
        ({"N_CTX": "many"}, "N_CTX"),
        ({"MODEL_URL": "file:///etc/passwd"}, "http"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(real_model, environ, message):
    with start_process(environ, stderr=subprocess.PIPE) as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert message in errors
    assert "Traceback" not in errors


def test_a_file_that_is_no_model_says_so(real_model, tmp_path):
    fake = tmp_path / "fake.gguf"
    fake.write_bytes(b"GGUF" + bytes(1000))
    with start_process({"MODEL_PATH": str(fake)}, stderr=subprocess.PIPE) as process:
        _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert "cannot load" in errors
    assert "Traceback" not in errors


def test_nothing_is_written_while_it_works(real_model, tmp_path):
    process = start_process({"MODEL_CACHE_DIR": str(tmp_path)}, stderr=subprocess.PIPE)
    timer = threading.Timer(PATIENCE_S, process.kill)
    timer.start()
    with process:
        address = process.stdout.readline().split()[1]
        with httpx2.Client(base_url=address, timeout=PATIENCE_S) as client:
            ask(client)
            assert client.post("/v1/chat/completions", content=b"{").status_code == 415
        process.terminate()
        output, errors = process.communicate()
    timer.cancel()
    assert (output, errors, process.returncode) == ("", "", 0)


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "rebind.evil.example:8080"}],
    ids=str,
)
def test_no_page_of_a_browser_is_answered(http: httpx2.Client, headers: dict[str, str]) -> None:
    answer = http.post("/v1/chat/completions", json=body(), headers=headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden"
    assert not [name for name in answer.headers if name.startswith("access-control-")]
