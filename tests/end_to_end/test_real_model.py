"""The gateway in front of the real model: what nobody can make up."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import jsonschema
import pytest
from llm_gateway.domain.keys import Role
from llm_gateway.services.prompts.shipped import NAMES

from tests.adapters.gateway_processes import WorkerProcess
from tests.adapters.local_model import MODEL_NAME, RunningServer, missing_for_local_model, running_server
from tests.adapters.ministack import free_port
from tests.end_to_end.calling import Client, eventually, question, text_of
from tests.end_to_end.stack import Stack

pytestmark = pytest.mark.skipif(missing_for_local_model() is not None, reason=missing_for_local_model() or "")

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@contextmanager
def registered(admin: Client, model: RunningServer, name: str) -> Iterator[str]:
    provider = {
        "id": name,
        "name": "Local model",
        "kind": "llama_cpp",
        "base_url": f"{model.base_url}/v1",
        "default_model": MODEL_NAME,
        "circuit": {"failure_threshold": 5, "cooldown_s": 1},
    }
    assert admin.send("POST", "/providers", provider).status_code == 201
    yield name
    assert admin.send("DELETE", f"/providers/{name}").status_code == 204


@pytest.fixture(scope="module")
def model() -> Iterator[RunningServer]:
    with running_server() as model:
        yield model


@pytest.fixture(scope="module")
def local(admin: Client, model: RunningServer) -> Iterator[str]:
    with registered(admin, model, "local") as name:
        yield name


def short(text: str, provider: str, **more: Any) -> dict[str, Any]:
    return question(text, provider=provider, parameters={"max_output_tokens": 24}, **more)


def tokens(model: RunningServer, **asked: Any) -> int:
    counted = httpx2.post(f"{model.base_url}/v1/tokenize", json=asked, trust_env=False).json()
    return int(counted["count"])


def test_different_questions_get_different_answers(client: Client, local: str) -> None:
    colour = client.ask(short("What colour is the sky?", local))
    france = client.ask(short("What is the capital of France?", local))
    assert colour["output"]["text"].strip()
    assert france["output"]["text"].strip()
    assert colour["output"]["text"] != france["output"]["text"]
    assert (colour["provider"], colour["model"]) == (local, MODEL_NAME)


def test_usage_is_the_servers_own_count(client: Client, local: str, model: RunningServer) -> None:
    asked = question("Name three colours of a rainbow.", provider=local, parameters={"temperature": 0})
    answer = client.ask(asked | {"cache": "bypass", "parameters": {"temperature": 0, "max_output_tokens": 12}})
    usage = answer["usage"]
    assert usage["estimated"] is False
    assert usage["input_tokens"] == tokens(model, messages=asked["messages"])
    assert answer["finish_reason"] == "length"
    assert usage["output_tokens"] == 12


def test_a_schema_holds(client: Client, local: str) -> None:
    form = {"type": "json_schema", "schema": PERSON}
    asked = question("Invent a person.", provider=local, parameters={"max_output_tokens": 80}, output=form)
    answer = client.ask(asked)
    jsonschema.validate(answer["output"]["json"], PERSON)
    assert json.loads(answer["output"]["text"]) == answer["output"]["json"]


def test_status_and_result_tell_what_the_answer_told(client: Client, local: str) -> None:
    answer = client.ask(short("Say hello.", local, metadata={"customer": "42"}))
    status = client.status(answer["id"])
    assert (status["status"], status["attempts"], status["error"]) == ("succeeded", 1, None)
    assert client.result(answer["id"]) == answer
    assert answer["metadata"] == {"customer": "42"}


def test_a_stream_says_what_is_then_stored(client: Client, local: str) -> None:
    events = client.stream(short("Tell me about the sea.", local))
    assert events[0].name == "query"
    assert events[-1].name == "done"
    assert len([event for event in events if event.name == "delta"]) > 5
    assert text_of(events) == events[-1].data["output"]["text"]
    assert client.result(events[0].data["id"]) == events[-1].data


def test_a_server_that_is_gone_is_said_soon_and_one_that_is_back_is_asked_again(client: Client, admin: Client) -> None:
    port = str(free_port())
    with running_server({"PORT": port}) as first, registered(admin, first, "mortal") as name:
        client.ask(short("Are you there?", name))
        first.terminate()
        first.process.wait(30)

        asked_at_s = time.monotonic()
        response = client.send("POST", "/query", short("Are you there?", name))

        assert time.monotonic() - asked_at_s < 10
        assert response.status_code == 503
        assert response.headers["content-type"] == "application/problem+json"
        assert int(response.headers["retry-after"]) >= 1
        problem = response.json()
        assert problem["code"] == "no_provider_available"
        assert client.status(problem["query_id"])["status"] == "failed"

        with running_server({"PORT": port}):
            assert eventually(lambda: client.send("POST", "/query", short("Back?", name)).status_code == 200)


# Prompts' tests

EXAMPLE = {
    "id": "colours",
    "name": "Colours",
    "template": {
        "messages": [{"role": "user", "content": "Name a colour that a {{ fruit }} can have."}],
        "variables": {"fruit": {"type": "string"}},
    },
    "defaults": {"parameters": {"temperature": 0, "max_output_tokens": 32}},
    "tests": [
        {
            "name": "says something short",
            "variables": {"fruit": "banana"},
            "assert": [
                {"type": "regex", "value": "^\\s*$", "not": True},
                {"type": "max_tokens", "value": 32},
                {"type": "json_schema", "value": {"type": "object"}, "not": True},
                {"type": "max_latency_ms", "value": 60000},
            ],
        },
        {
            "name": "is about the fruit",
            "variables": {"fruit": "banana"},
            "assert": [{"type": "regex", "value": "(?i)banana|yellow|green|colou?r"}],
        },
    ],
}


@pytest.fixture(scope="module")
def editor(stack: Stack, admin: Client) -> Client:
    return stack.client(admin.http, Role.PROMPT_EDITOR)


def run_of(editor: Client, prompt_id: str, local: str) -> dict[str, Any]:
    """A run of a prompt's tests that a worker has done: it takes as long as this machine needs."""
    response = editor.send("POST", f"/prompts/{prompt_id}/tests", {"candidates": [local], "mode": "async"})
    assert response.status_code == 202, response.text
    place = f"/prompts/{prompt_id}/tests/{response.json()['run_id']}"
    # Each look takes time from the model.
    assert eventually(lambda: editor.send("GET", place).json()["status"] != "running", within_s=300, every_s=0.5)
    run: dict[str, Any] = editor.send("GET", place).json()
    return run


def told(run: dict[str, Any]) -> list[str]:
    """What did not pass."""
    return [
        f"{result['name']}: {finding['type']}: {finding['detail']}"
        for result in run["results"]
        for finding in result["assertions"]
        if not finding["passed"]
    ]


@pytest.mark.parametrize("role", NAMES)
def test_a_role_that_ships_passes_its_own_tests(editor: Client, local: str, worker: WorkerProcess, role: str) -> None:
    run = run_of(editor, role, local)
    assert told(run) == []
    assert run["passed"] > 0


def test_an_example_suite_passes(editor: Client, local: str, worker: WorkerProcess) -> None:
    assert editor.send("POST", "/prompts", EXAMPLE).status_code == 201
    run = run_of(editor, "colours", local)
    assert told(run) == []
    assert run["passed"] == 2
    gated = editor.send("PUT", "/prompts/colours/labels/production", {"version": 1, "gate": {"tests": True}})
    assert gated.status_code == 201, gated.text
