"""A body is worth the work that its length is worth, whatever is in it."""

import json
import os
import subprocess
import sys
import threading
from typing import Any

import pytest

from tests.adapters.gateway import FakeGateway
from tests.adapters.gateway_processes import REPOSITORY
from tests.entrypoints.conftest import QUERY, Api
from tests.entrypoints.hostile import KINDS, MIB
from tests.entrypoints.serving import Serving

MOST_MEMORY_MIB = 200
MOST_OF_TWICE = 2.5
LONGEST_ANSWER = 64 * 1024


@pytest.fixture(scope="module")
def costs() -> dict[str, dict[str, Any]]:
    """What each kind costs, measured in a process that does nothing else."""
    path = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "layers/gateway/python")))
    environment = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"}
    command = [sys.executable, "-m", "tests.entrypoints.hostile"]
    run = subprocess.run(
        command, cwd=REPOSITORY, env={**environment, "PYTHONPATH": path}, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    return {line["kind"]: line for line in lines}


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_refused_for_little(costs: dict[str, dict[str, Any]], kind: str) -> None:
    cost = costs[kind]
    assert cost["status"] in (400, 422)
    assert cost["grown_mib"] < MOST_MEMORY_MIB
    assert cost["length"] < LONGEST_ANSWER
    assert cost["two_steps"] < MOST_OF_TWICE * cost["one_steps"]


def test_others_are_answered_meanwhile() -> None:
    """How long they wait, `python -m bench --hostile` says."""
    bodies, answered = [body(4 * MIB - 64) for body in KINDS.values()], 0
    with Serving(FakeGateway()) as serving:
        asking = threading.Thread(target=lambda: [serving.call("POST", QUERY, body) for body in bodies])
        asking.start()
        while asking.is_alive():
            assert serving.call("GET", "/health")[0].status == 200
            answered += 1
        asking.join()
    assert answered > len(bodies)


_SAID = [
    "model",
    "messages",
    "tools",
    "tool_choice",
    "response_format",
    "stop",
    "logit_bias",
    "stream_options",
    "gateway",
]
_SAID += [
    "temperature",
    "n",
    "metadata",
    "modalities",
    "prediction",
    "reasoning_effort",
    "seed",
    "top_logprobs",
    "user",
]
_VALUES: list[Any] = [None, True, 0, -1, 1.5, 2**70, "", "x", "prompt:", "prompt:a@", "/", "a/", [], [[]], [None], {}]
_VALUES += [{"type": "json_schema"}, {"type": "json_schema", "json_schema": {"name": "a", "schema": {"$ref": "#/x"}}}]
_VALUES += [
    [{"role": "user"}],
    [{"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}],
    {"prompt": {}},
]


def test_no_request_in_openais_dialect_makes_the_gateway_fail(api: Api) -> None:
    api.register()
    sane = {"model": "small", "messages": [{"role": "user", "content": "Hello."}]}
    for name in _SAID:
        for value in _VALUES:
            response = api.call("POST", "/v1/chat/completions", sane | {name: value})
            assert response.status_code in (200, 400, 404), (name, value, response.text)
    for name in ("model", "input", "dimensions", "encoding_format", "gateway"):
        for value in _VALUES:
            response = api.call("POST", "/v1/embeddings", {"model": "small", "input": "Hello."} | {name: value})
            assert response.status_code in (200, 400, 404), (name, value, response.text)
