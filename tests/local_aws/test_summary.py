"""The closing words show what the model said, and commands that a shell takes as they are."""

import itertools
import json
import shlex
from typing import Any

import pytest
import typer
from llm_gateway_client.cli.app import app

from local_aws import summary

ANSWER: dict[str, Any] = {
    "id": "qry_1",
    "output": {"text": " Paris.\n"},
    "model": "SmolLM2",
    "usage": {"input_tokens": 37, "output_tokens": 8},
    "latency_ms": {"total": 412},
}


def commands(text: str, program: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.splitlines() if line.strip().startswith(program)]


def test_shows_the_question_and_the_models_own_answer() -> None:
    text = summary.text(base_url="http://127.0.0.1:8080", key="key", answer=ANSWER, aws_url="http://127.0.0.1:4566")
    assert summary.QUESTION in text
    assert "Answer    Paris." in text
    assert "SmolLM2, 37 tokens in, 8 out, 412 ms" in text


def test_what_is_exported_comes_first_and_is_whole() -> None:
    text = summary.text(base_url="http://127.0.0.1:8080", key="k'ey", answer=ANSWER, aws_url="http://127.0.0.1:4566")
    path, exports, _sdk = commands(text, "export")
    assert path[1].startswith("PATH=")
    assert exports[1:] == ["GATEWAY_URL=http://127.0.0.1:8080", "GATEWAY_KEY=k'ey"]
    assert text.index("export") < text.index("llm-gateway ask") < text.index("curl")
    (stream,) = commands(text, "curl")
    assert stream[2] == "$GATEWAY_URL/api/v1/llm/query/stream"
    assert json.loads(stream[-1]) == summary.query(summary.NEXT_QUESTION)
    (python,) = commands(text, "python")
    compile(python[-1], "summary", "exec")


@pytest.mark.parametrize(
    "text",
    [
        summary.text(base_url="http://127.0.0.1:8080", key="key", answer=ANSWER, aws_url="http://127.0.0.1:4566"),
        summary.deployed_text(base_url="http://127.0.0.1:4566/_aws/x/dev", key="key", aws_url="http://127.0.0.1:4566"),
    ],
    ids=["run", "deployment"],
)
def test_every_command_is_one_that_the_command_line_has(text: str) -> None:
    shown = commands(text, "llm-gateway")
    assert len(shown) >= 3
    for program, *arguments in shown:
        named = itertools.takewhile(lambda word: not word.startswith("-") and " " not in word, arguments)
        command = typer.main.get_command(app)
        taken = {
            option
            for word in named
            if (command := getattr(command, "commands", {}).get(word, command))
            for option in _options(command)
        }
        assert program == "llm-gateway"
        assert {word for word in arguments if word.startswith("--")} <= taken


def _options(command: Any) -> list[str]:
    return [name for each in command.params for name in each.opts]


def test_a_deployment_says_where_its_api_is() -> None:
    text = summary.deployed_text(
        base_url="http://127.0.0.1:4566/_aws/x/dev", key="key", aws_url="http://127.0.0.1:4566"
    )
    assert "GATEWAY_URL=http://127.0.0.1:4566/_aws/x/dev GATEWAY_KEY=key" in text
