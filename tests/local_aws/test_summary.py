"""The closing words show what the model said, and commands that a shell takes as they are."""

import json
import shlex
from typing import Any

from llm_gateway.wire.keys import KeyBody

from local_aws import summary

ANSWER: dict[str, Any] = {
    "id": "qry_1",
    "output": {"text": " Paris.\n"},
    "model": "SmolLM2",
    "usage": {"input_tokens": 37, "output_tokens": 8},
    "latency_ms": {"total": 412},
}


def commands(text: str) -> list[list[str]]:
    return [shlex.split(line) for line in text.splitlines() if line.strip().startswith("curl")]


def test_shows_the_question_and_the_models_own_answer() -> None:
    text = summary.text(base_url="http://127.0.0.1:8080", key="key", answer=ANSWER, aws_url="http://127.0.0.1:4566")
    assert summary.QUESTION in text
    assert "Answer    Paris." in text
    assert "SmolLM2, 37 tokens in, 8 out, 412 ms" in text


def test_the_commands_are_whole() -> None:
    text = summary.text(base_url="http://127.0.0.1:8080", key="k'ey", answer=ANSWER, aws_url="http://127.0.0.1:4566")
    ask, result, providers, new_key = commands(text)
    assert ask[2] == "http://127.0.0.1:8080/api/v1/llm/query"
    assert json.loads(ask[-1]) == summary.query(summary.NEXT_QUESTION)
    assert result[2] == "http://127.0.0.1:8080/api/v1/llm/query/qry_1/result"
    assert providers[2] == "http://127.0.0.1:8080/api/v1/llm/providers"
    assert all("Authorization: Bearer k'ey" in command for command in (ask, result, providers, new_key))
    assert new_key[2] == "http://127.0.0.1:8080/api/v1/llm/keys"
    assert KeyBody.model_validate(json.loads(new_key[-1])).role == "caller"


def test_a_deployment_says_where_its_api_is() -> None:
    text = summary.deployed_text(
        base_url="http://127.0.0.1:4566/_aws/x/dev", key="key", aws_url="http://127.0.0.1:4566"
    )
    health, providers, new_key = commands(text)
    assert health[2] == "http://127.0.0.1:4566/_aws/x/dev/health"
    assert providers[2] == "http://127.0.0.1:4566/_aws/x/dev/api/v1/llm/providers"
    assert new_key[2] == "http://127.0.0.1:4566/_aws/x/dev/api/v1/llm/keys"
