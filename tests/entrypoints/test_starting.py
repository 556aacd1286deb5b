"""What a process says of its environment, and when: at its start, in one sentence."""

import os
import subprocess
import sys
from typing import Final

import pytest

from tests.adapters.gateway_processes import REPOSITORY

SENTENCE: Final = "LEASE_S must be a whole number from 1 to 900, not 'soon'"


def start(*command: str) -> "subprocess.CompletedProcess[str]":
    path = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "functions", REPOSITORY / "layers/gateway/python")))
    environment = {**os.environ, "PYTHONPATH": path, "LEASE_S": "soon"}
    return subprocess.run(
        [sys.executable, "-m", *command], env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize(
    "command",
    [
        ["functions", "--port", "0"],
        ["functions", "--worker"],
        ["llm_gateway.entrypoints.keys", "create", "--role", "admin", "--name", "x"],
    ],
    ids=["server", "worker", "keys"],
)
def test_a_process_ends_with_what_is_wrong(command: list[str]) -> None:
    ended = start(*command)
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, "", f"{SENTENCE}\n")


def test_a_streaming_function_ends_with_what_is_wrong() -> None:
    """Started as its Lambda starts it."""
    ended = start("uvicorn", "stream_query:app", "--port", "0", "--log-level", "warning")
    assert ended.returncode != 0
    first = ended.stderr.splitlines()[0]
    assert first.split(maxsplit=1) == ["ERROR:", SENTENCE]
    assert "Traceback" not in ended.stderr
