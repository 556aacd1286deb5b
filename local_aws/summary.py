"""What the run says at its end: the question, the model's answer, and how to go on."""

import json
import shlex
from typing import Any, Final

from local_aws.api import BASE_PATH
from workshop.places import VENV_BIN

QUESTION: Final = "What is photosynthesis? Answer in one sentence."
NEXT_QUESTION: Final = "Name three fruits."
KEPT: Final = "\n  Providers, prompts and keys are there again in the next run; `make run ARGS=--fresh` forgets them."
NOT_KEPT: Final = (
    "\n  Another run has what is kept between runs: this one began with nothing, and what you do here is gone with it."
)
END: Final = "\n  Ctrl-C stops everything."
_JSON: Final = "-H 'Content-Type: application/json'"
_AUTHORIZED: Final = '-H "Authorization: Bearer $GATEWAY_KEY"'


def query(question: str) -> dict[str, Any]:
    """`question` as the API takes it, to be answered the same way each time."""
    return {
        "messages": [{"role": "user", "content": question}],
        "parameters": {"temperature": 0, "max_output_tokens": 120},
    }


def text(*, base_url: str, key: str, answer: dict[str, Any], aws_url: str) -> str:
    """The closing words, with commands that work when they are pasted, from the exports on."""
    usage = answer["usage"]
    stream = shlex.quote(json.dumps(query(NEXT_QUESTION)))
    return f"""
  Question  {QUESTION}
  Answer    {answer["output"]["text"].strip()}
            {answer["model"]}, {usage["input_tokens"]} tokens in, {usage["output_tokens"]} out, {answer["latency_ms"]["total"]} ms

  Gateway   {base_url}        docs {base_url}/docs
  Key       {key}
  AWS       {aws_url}

  Use it, in another terminal
    {_exports(base_url, key)}
    llm-gateway ask {shlex.quote(NEXT_QUESTION)}
    llm-gateway queries show {answer["id"]}
    llm-gateway usage --by provider

  Stream with curl
    curl -sSN $GATEWAY_URL{BASE_PATH}/query/stream {_AUTHORIZED} {_JSON} -d {stream}

  Point OpenAI's SDK at it
    export OPENAI_BASE_URL=$GATEWAY_URL/v1 OPENAI_API_KEY=$GATEWAY_KEY
    python -c "{_chat(answer["model"])}"

  Add a provider of your own: its API key is asked for, and one more server on this machine needs none
    llm-gateway providers add openai --kind openai --model gpt-4.1-mini
    llm-gateway providers add ollama --kind openai_compatible --base-url http://127.0.0.1:11434/v1 \
--model llama3.2 --no-api-key --priority 50

  Make a key for an application, which may ask 60 times a minute
    llm-gateway keys create 'My application' --requests-per-minute 60"""


def deployed_text(*, base_url: str, key: str, aws_url: str) -> str:
    """The same for a whole deployment, whose model is still to be registered."""
    return f"""
  Gateway   {base_url}
  Key       {key}
  AWS       {aws_url}

  Use it, in another terminal
    {_exports(base_url, key)}
    llm-gateway status
    llm-gateway keys create 'My application' --requests-per-minute 60
    llm-gateway providers add openai --kind openai --model gpt-4.1-mini"""


def _exports(base_url: str, key: str) -> str:
    path = f'export PATH={shlex.quote(str(VENV_BIN))}:"$PATH"'
    return f"{path}\n    export GATEWAY_URL={shlex.quote(base_url)} GATEWAY_KEY={shlex.quote(key)}"


def _chat(model: str) -> str:
    asked = f"[{{'role': 'user', 'content': '{NEXT_QUESTION}'}}]"
    return (
        f"from openai import OpenAI; answer = OpenAI().chat.completions.create(model='{model}', messages={asked}); "
        "print(answer.choices[0].message.content)"
    )
