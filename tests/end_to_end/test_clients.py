"""Clients that others wrote against the gateway as a laptop runs it: its processes, an emulated AWS, providers over HTTP."""

import asyncio
import base64
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import openai
import pydantic
import pytest
from llm_gateway.domain.keys import KeySpec, Role

from tests.adapters.authors import BY
from tests.adapters.gateway_processes import WorkerProcess
from tests.adapters.obliging_upstream import ObligingUpstream
from tests.adapters.upstream import Refusal
from tests.end_to_end.calling import Client
from tests.end_to_end.stack import Stack, register
from workshop.places import CLIENTS_VENV

GPT, CLAUDE, SMALL = "drop-openai/gpt-4.1-mini", "drop-anthropic/claude-sonnet-4-5", "drop-own/org/small"
EVERYBODY = pytest.mark.parametrize("model", [GPT, CLAUDE, SMALL])
ASK: list[Any] = [{"role": "user", "content": "What is the weather in 'Rome'?"}]
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
with_clients = pytest.mark.skipif(
    not (CLIENTS_VENV / "stamp").exists(), reason="LangChain and llm are missing: python3 -m workshop clients"
)


@dataclass(frozen=True)
class House:
    url: str
    key: str
    upstream: ObligingUpstream
    clients: ExitStack
    """Closes them: what the collector finds of one may have lost its connection first."""

    def openai(self, **more: Any) -> openai.OpenAI:
        given = {"api_key": self.key, **more}
        return self.clients.enter_context(openai.OpenAI(base_url=f"{self.url}/v1", **given))

    def anthropic(self) -> anthropic.Anthropic:
        return self.clients.enter_context(anthropic.Anthropic(base_url=self.url, api_key=self.key))


class City(pydantic.BaseModel):
    city: str


@contextmanager
def _registered(admin: Client, upstream: ObligingUpstream) -> Iterator[None]:
    providers: dict[str, dict[str, Any]] = {
        "drop-openai": {"kind": "openai", "default_model": "gpt-4.1-mini", "credentials": {"api_key": "sk-a-vendors-own"}},
        "drop-anthropic": {
            "kind": "anthropic",
            "base_url": upstream.anthropic_base_url,
            "default_model": "claude-sonnet-4-5",
            "credentials": {"api_key": "sk-ant-a-vendors-own"},
        },
        "drop-own": {"default_model": "org/small", "models": [{"name": "org/small"}]},
    }  # fmt: skip
    for name, said in providers.items():
        register(admin, upstream, id=name, **{"models": [], "retry": {"max_attempts": 2}, **said})
    try:
        yield
    finally:
        for name in providers:
            assert admin.send("DELETE", f"/providers/{name}").status_code == 204


@pytest.fixture(scope="module")
def house(base_url: str, stack: Stack, admin: Client, worker_process: WorkerProcess) -> Iterator[House]:
    worker_process.start()
    secret = stack.keys.create(KeySpec(name="Drop-in", role=Role.CALLER), by=BY).secret
    with ObligingUpstream() as upstream, _registered(admin, upstream), ExitStack() as clients:
        yield House(base_url, secret, upstream, clients)


def test_openais_sdk_lists_and_reads_models(house: House) -> None:
    client = house.openai()
    assert {GPT, CLAUDE, SMALL, "org/small"} <= {model.id for model in client.models.list()}
    assert [client.models.retrieve(name).id for name in (SMALL, GPT)] == [SMALL, GPT]


@EVERYBODY
def test_openais_sdk_chats(house: House, model: str) -> None:
    client = house.openai()
    said = client.chat.completions.create(model=model, messages=ASK, max_completion_tokens=50)
    assert said.choices[0].message.content == "Hello!"
    chunks = list(
        client.chat.completions.create(model=model, messages=ASK, stream=True, stream_options={"include_usage": True})
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello!"
    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []


@EVERYBODY
def test_openais_sdk_calls_tools_and_parses_forms(house: House, model: str) -> None:
    client = house.openai()
    tools: list[Any] = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    called = client.chat.completions.create(model=model, messages=ASK, tools=tools).choices[0].message
    assert called.tool_calls is not None
    (call,) = called.tool_calls
    assert call.type == "function"
    assert json.loads(call.function.arguments) == {"city": "Rome"}
    told = [*ASK, called, {"role": "tool", "tool_call_id": call.id, "content": "Rain"}]
    after = client.chat.completions.create(model=model, messages=told, tools=tools)
    assert after.choices[0].message.content == "Hello!"
    with client.chat.completions.stream(model=model, messages=ASK, tools=tools) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls
    assert streamed is not None
    assert json.loads(streamed[0].function.arguments) == {"city": "Rome"}
    parsed = client.chat.completions.parse(model=model, messages=ASK, response_format=City)
    assert parsed.choices[0].message.parsed == City(city="Rome")


@EVERYBODY
def test_openais_sdk_asks_by_responses(house: House, model: str) -> None:
    client = house.openai()
    said = client.responses.create(model=model, input="Hi", instructions="Be brief.", store=False)
    assert (said.output_text, said.status) == ("Hello!", "completed")
    with client.responses.stream(model=model, input=ASK) as stream:
        assert stream.get_final_response().output_text == "Hello!"
    tool: Any = {"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}
    called = client.responses.create(model=model, input=ASK, tools=[tool])
    call = called.output[-1]
    assert call.type == "function_call"
    told: Any = [*ASK, *called.output, {"type": "function_call_output", "call_id": call.call_id, "output": "Rain"}]
    assert client.responses.create(model=model, input=told, tools=[tool]).output_text == "Hello!"
    assert client.responses.parse(model=model, input=ASK, text_format=City).output_parsed == City(city="Rome")


def test_openais_sdk_embeds(house: House) -> None:
    client = house.openai()
    usual = client.embeddings.create(model="drop-own/embedder", input=["a b", "c"])
    plain = client.embeddings.create(model="drop-own/embedder", input=["a b", "c"], encoding_format="float")
    assert len(usual.data) == 2
    for one, other in zip(usual.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding)
    raw = client.embeddings.with_raw_response.create(model="drop-own/embedder", input="c", encoding_format="base64")
    assert base64.b64decode(json.loads(raw.text)["data"][0]["embedding"])


def test_the_asynchronous_sdks_do_the_same(house: House) -> None:
    async def ask() -> tuple[Any, ...]:
        async with (
            openai.AsyncOpenAI(base_url=f"{house.url}/v1/", api_key=house.key) as one,
            anthropic.AsyncAnthropic(base_url=house.url, auth_token=house.key, api_key=None) as other,
        ):
            chat = await one.chat.completions.create(model=GPT, messages=ASK)
            message = await other.messages.create(model=GPT, messages=ASK, max_tokens=50)
            async with other.messages.stream(model=CLAUDE, messages=ASK, max_tokens=50) as stream:
                text = await stream.get_final_text()
            return chat.choices[0].message.content, message.content[0].to_dict()["text"], text

    assert asyncio.run(ask()) == ("Hello!", "Hello!", "Hello!")


@EVERYBODY
def test_anthropics_sdk_asks(house: House, model: str) -> None:
    client = house.anthropic()
    said = client.messages.create(model=model, max_tokens=50, messages=ASK, system="Be brief.")
    assert said.content[0].to_dict()["text"] == "Hello!"
    with client.messages.stream(model=model, max_tokens=50, messages=ASK) as stream:
        assert stream.get_final_text() == "Hello!"
    tools: list[Any] = [{"name": "weather", "input_schema": SCHEMA}]
    with client.messages.stream(model=model, max_tokens=50, messages=ASK, tools=tools) as stream:
        called = stream.get_final_message()
    use = called.content[-1]
    assert use.type == "tool_use"
    assert (use.input, called.stop_reason) == ({"city": "Rome"}, "tool_use")
    result = {"type": "tool_result", "tool_use_id": use.id, "content": "Rain"}
    told: list[Any] = [
        *ASK,
        {"role": "assistant", "content": called.content},
        {"role": "user", "content": [result]},
    ]
    after = client.messages.create(model=model, max_tokens=50, messages=told, tools=tools)
    assert after.content[0].to_dict()["text"] == "Hello!"
    parsed = client.messages.parse(model=model, max_tokens=50, messages=ASK, output_format=City)
    assert parsed.parsed_output == City(city="Rome")


def test_anthropics_sdk_counts_and_lists(house: House) -> None:
    client = house.anthropic()
    assert client.messages.count_tokens(model=SMALL, messages=ASK).input_tokens > 0
    assert SMALL in {model.id for model in client.models.list()}
    assert client.models.retrieve(SMALL).id == SMALL


def test_errors_are_the_sdks_own_and_what_the_gateway_has_tried_is_not_tried_again(house: House) -> None:
    tries = len(house.upstream.requests)
    house.upstream.script(Refusal(status=500), Refusal(status=500))
    with pytest.raises(openai.InternalServerError) as failed:
        house.openai(max_retries=2).chat.completions.create(model=GPT, messages=ASK)
    assert failed.value.response.headers["x-should-retry"] == "false"
    # Twice by the gateway, and not by the SDK.
    assert len(house.upstream.requests) == tries + 2
    house.upstream.script(Refusal(status=500))
    assert house.openai().chat.completions.create(model=GPT, messages=ASK).choices[0].message.content == "Hello!"
    with pytest.raises(openai.NotFoundError):
        house.openai().chat.completions.create(model="nobody-lists-this", messages=ASK)
    with pytest.raises(openai.AuthenticationError):
        house.openai(api_key="llmgw_nonsense").models.list()
    with pytest.raises(anthropic.NotFoundError):
        house.anthropic().messages.create(model="nobody-lists-this", max_tokens=5, messages=ASK)
    house.upstream.script(Refusal(status=529), Refusal(status=529))
    with pytest.raises(anthropic.APIStatusError) as overloaded:
        house.anthropic().messages.create(model=CLAUDE, max_tokens=5, messages=ASK)
    assert overloaded.value.status_code >= 500
    assert house.upstream.requests[-1].path.endswith("/messages")


def test_what_was_asked_so_is_there_with_the_gateways_own(house: House) -> None:
    answer = house.openai().chat.completions.with_raw_response.create(model=SMALL, messages=ASK)
    query = answer.headers["x-gateway-query-id"]
    with httpx2.Client(base_url=house.url, trust_env=False) as http:
        told = Client(http, house.key).send("GET", f"/query/{query}/result").json()
    assert (told["output"]["text"], told["provider"]) == ("Hello!", "drop-own")


def _run(house: House, *command: str | Path, cwd: Path) -> str:
    known = {"GATEWAY_URL": house.url, "GATEWAY_KEY": house.key, "LLM_USER_PATH": str(cwd)}
    plain = {"PATH": os.environ["PATH"], "HOME": str(cwd), "NO_PROXY": "*", "LANGSMITH_TRACING": "false"}
    done = subprocess.run(command, env=plain | known, capture_output=True, text=True, timeout=120, cwd=cwd, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@with_clients
def test_llm_asks_in_a_form_and_with_tools(house: House, tmp_path: Path) -> None:
    options = "supports_tools: true, supports_schema: true"
    (tmp_path / "extra-openai-models.yaml").write_text(
        f"- {{model_id: gateway, model_name: {CLAUDE}, api_base: '{house.url}/v1', api_key_name: gateway, {options}}}\n"
    )
    (tmp_path / "keys.json").write_text(json.dumps({"gateway": house.key}))
    llm = (CLIENTS_VENV / "bin" / "llm", "-m", "gateway")
    assert _run(house, *llm, "Say hello.", cwd=tmp_path) == "Hello!"
    assert json.loads(_run(house, *llm, "Where is 'Rome'?", "--schema", "city, age int", cwd=tmp_path)) == {
        "city": "Rome",
        "age": 7,
    }
    function = "def weather(city: str) -> str:\n    'The weather.'\n    return 'Rain in ' + city"
    assert "Hello!" in _run(house, *llm, "And in 'Rome'?", "--functions", function, cwd=tmp_path)


LANGCHAIN = """
import os
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

class City(BaseModel):
    city: str

@tool
def weather(city: str) -> str:
    "The weather."
    return "Rain"

known = {"base_url": os.environ["GATEWAY_URL"] + "/v1", "api_key": os.environ["GATEWAY_KEY"]}
for model in MODELS:
    for more in ({}, {"use_responses_api": True}):
        chat = ChatOpenAI(model=model, stream_usage=True, **known, **more)
        assert chat.invoke("Hi").text == "Hello!"
        assert "".join(piece.text for piece in chat.stream("Hi")) == "Hello!"
        asked = chat.bind_tools([weather]).invoke("What is the weather in 'Rome'?")
        assert asked.tool_calls[0]["args"] == {"city": "Rome"}, asked
        assert chat.with_structured_output(City).invoke("Where is 'Rome'?") == City(city="Rome")
vectors = OpenAIEmbeddings(model="drop-own/embedder", check_embedding_ctx_length=False, **known)
assert len(vectors.embed_documents(["a", "b"])) == 2
print("done")
"""


@with_clients
def test_langchain_asks_streams_calls_and_embeds(house: House, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(LANGCHAIN.replace("MODELS", repr([GPT, CLAUDE, SMALL])))
    assert _run(house, CLIENTS_VENV / "bin" / "python", "program.py", cwd=tmp_path) == "done"
