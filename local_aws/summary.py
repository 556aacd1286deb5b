"""What the run says at its end: the question, the model's answer, and how to go on."""

import json
import shlex
from typing import Any, Final

from local_aws.api import BASE_PATH

QUESTION: Final = "What is photosynthesis? Answer in one sentence."
NEXT_QUESTION: Final = "Name three fruits."
NEW_KEY: Final = {"name": "My application", "role": "caller", "limits": {"requests_per_minute": 60}}
END: Final = "\n  Ctrl-C stops everything."


def query(question: str) -> dict[str, Any]:
    """`question` as the API takes it, to be answered the same way each time."""
    return {
        "messages": [{"role": "user", "content": question}],
        "parameters": {"temperature": 0, "max_output_tokens": 120},
    }


def text(*, base_url: str, key: str, answer: dict[str, Any], aws_url: str) -> str:
    """The closing words, with commands that work when they are pasted."""
    usage = answer["usage"]
    return f"""
  Question  {QUESTION}
  Answer    {answer["output"]["text"].strip()}
            {answer["model"]}, {usage["input_tokens"]} tokens in, {usage["output_tokens"]} out, {answer["latency_ms"]["total"]} ms

  Gateway   {base_url}        docs {base_url}/docs
  Key       {key}
  AWS       {aws_url}

  Try
    {_curl(base_url, key, "/query", query(NEXT_QUESTION))}
    {_curl(base_url, key, f"/query/{answer['id']}/result")}
    {_curl(base_url, key, "/providers")}

  A key for an application, which may ask 60 times a minute
    {_curl(base_url, key, "/keys", NEW_KEY)}"""


def deployed_text(*, base_url: str, key: str, aws_url: str) -> str:
    """The same for a whole deployment, whose model is still to be registered."""
    return f"""
  Gateway   {base_url}
  Key       {key}
  AWS       {aws_url}

  Try
    curl -sS {base_url}/health
    {_curl(base_url, key, "/providers")}

  A key for an application, which may ask 60 times a minute
    {_curl(base_url, key, "/keys", NEW_KEY)}"""


def _curl(base_url: str, key: str, path: str, body: dict[str, Any] | None = None) -> str:
    words = ["curl", "-sS", f"{base_url}{BASE_PATH}{path}", "-H", f"Authorization: Bearer {key}"]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    return shlex.join(words)
