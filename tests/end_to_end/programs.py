"""Programs of others, each a function that asks a house's gateway: the vendors' SDKs, `llm` and LangChain."""

import asyncio
import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import anthropic
import openai
import pydantic
import pytest

from tests.adapters.upstream import Answer, Refusal
from tests.adapters.upstream_wires import Said
from tests.end_to_end.house import CLAUDE, GPT, MODELS, SMALL, House
from workshop.places import CLIENTS_VENV

ASK: Final[list[Any]] = [{"role": "user", "content": "What is the weather in 'Rome'?"}]
SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}

Program = Callable[[House], None]


class City(pydantic.BaseModel):
    city: str


def openais_sdk_lists_and_reads_models(house: House) -> None:
    client = house.openai()
    assert {GPT, CLAUDE, SMALL, "org/small"} <= {model.id for model in client.models.list()}
    assert [client.models.retrieve(name).id for name in (SMALL, GPT)] == [SMALL, GPT]


def openais_sdk_chats(house: House, *, model: str) -> None:
    client = house.openai()
    said = client.chat.completions.create(model=model, messages=ASK, max_completion_tokens=50)
    assert said.choices[0].message.content == "Hello!"
    chunks = list(
        client.chat.completions.create(model=model, messages=ASK, stream=True, stream_options={"include_usage": True})
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "Hello!"
    assert chunks[-1].usage is not None
    assert chunks[-1].choices == []


def openais_sdk_calls_tools_and_parses_forms(house: House, *, model: str) -> None:
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


def openais_sdk_asks_by_responses(house: House, *, model: str) -> None:
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


def openais_sdk_embeds(house: House) -> None:
    client = house.openai()
    usual = client.embeddings.create(model="drop-own/embedder", input=["a b", "c"])
    plain = client.embeddings.create(model="drop-own/embedder", input=["a b", "c"], encoding_format="float")
    assert len(usual.data) == 2
    for one, other in zip(usual.data, plain.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding)
    raw = client.embeddings.with_raw_response.create(model="drop-own/embedder", input="c", encoding_format="base64")
    assert base64.b64decode(json.loads(raw.text)["data"][0]["embedding"])


def the_asynchronous_sdks_do_the_same(house: House) -> None:
    async def ask() -> tuple[Any, ...]:
        async with (
            openai.AsyncOpenAI(
                base_url=f"{house.url}/v1/",
                api_key=house.key,
                http_client=openai.DefaultAsyncHttpxClient(verify=house.tls),
            ) as one,
            anthropic.AsyncAnthropic(
                base_url=house.url,
                auth_token=house.key,
                api_key=None,
                http_client=anthropic.DefaultAsyncHttpxClient(verify=house.tls),
            ) as other,
        ):
            chat = await one.chat.completions.create(model=GPT, messages=ASK)
            message = await other.messages.create(model=GPT, messages=ASK, max_tokens=50)
            async with other.messages.stream(model=CLAUDE, messages=ASK, max_tokens=50) as stream:
                text = await stream.get_final_text()
            return chat.choices[0].message.content, message.content[0].to_dict()["text"], text

    assert asyncio.run(ask()) == ("Hello!", "Hello!", "Hello!")


def anthropics_sdk_asks(house: House, *, model: str) -> None:
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


def anthropics_sdk_counts_and_lists(house: House) -> None:
    client = house.anthropic()
    assert client.messages.count_tokens(model=SMALL, messages=ASK).input_tokens > 0
    # Page after page, and the name that the last ended with is in the next one's address.
    assert set(MODELS) <= {model.id for model in client.models.list(limit=1)}
    assert client.models.retrieve(SMALL).id == SMALL


def letters_of_all_scripts_come_through(house: House) -> None:
    text = "Grüße, 世界 🌍"
    house.upstream.script(*[Answer(said=Said(pieces=(text[:2], text[2:])))] * 2)
    asked: list[Any] = [{"role": "user", "content": text}]
    client = house.openai()
    assert client.chat.completions.create(model=SMALL, messages=asked).choices[0].message.content == text
    with client.chat.completions.stream(model=SMALL, messages=asked) as stream:
        assert stream.get_final_completion().choices[0].message.content == text
    assert [request.body["messages"] for request in house.upstream.requests[-2:]] == [asked, asked]


def errors_are_the_sdks_own_and_what_the_gateway_has_tried_is_not_tried_again(house: House) -> None:
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


def what_was_asked_so_is_there_with_the_gateways_own(house: House) -> None:
    answer = house.openai().chat.completions.with_raw_response.create(model=SMALL, messages=ASK)
    told = house.caller.result(answer.headers["x-gateway-query-id"])
    assert (told["output"]["text"], told["provider"]) == ("Hello!", "drop-own")


def llm_asks_in_a_form_and_with_tools(house: House) -> None:
    options = "supports_tools: true, supports_schema: true"
    (house.folder / "extra-openai-models.yaml").write_text(
        f"- {{model_id: gateway, model_name: {CLAUDE}, api_base: '{house.url}/v1', api_key_name: gateway, {options}}}\n"
    )
    (house.folder / "keys.json").write_text(json.dumps({"gateway": house.key}))
    llm = (CLIENTS_VENV / "bin" / "llm", "-m", "gateway")
    assert house.run(*llm, "Say hello.") == "Hello!"
    assert json.loads(house.run(*llm, "Where is 'Rome'?", "--schema", "city, age int")) == {"city": "Rome", "age": 7}
    function = "def weather(city: str) -> str:\n    'The weather.'\n    return 'Rain in ' + city"
    assert "Hello!" in house.run(*llm, "And in 'Rome'?", "--functions", function)


LANGCHAIN: Final = """
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


def langchain_asks_streams_calls_and_embeds(house: House) -> None:
    (house.folder / "program.py").write_text(LANGCHAIN.replace("MODELS", repr(MODELS)))
    assert house.run(CLIENTS_VENV / "bin" / "python", "program.py") == "done"


BY_MODEL: Final = (
    openais_sdk_chats,
    openais_sdk_calls_tools_and_parses_forms,
    openais_sdk_asks_by_responses,
    anthropics_sdk_asks,
)
BY_THEMSELVES: Final = (
    openais_sdk_lists_and_reads_models,
    openais_sdk_embeds,
    the_asynchronous_sdks_do_the_same,
    anthropics_sdk_counts_and_lists,
    letters_of_all_scripts_come_through,
    errors_are_the_sdks_own_and_what_the_gateway_has_tried_is_not_tried_again,
    what_was_asked_so_is_there_with_the_gateways_own,
)
INSTALLED_APART: Final = (llm_asks_in_a_form_and_with_tools, langchain_asks_streams_calls_and_embeds)
_with_clients = pytest.mark.skipif(
    not (CLIENTS_VENV / "stamp").exists(), reason="LangChain and llm are missing: python3 -m workshop clients"
)
# The test takes `program`, and gives it a house.
every_program = pytest.mark.parametrize(
    "program",
    [
        *(
            pytest.param(partial(program, model=model), id=f"{program.__name__}-{model}")
            for program in BY_MODEL
            for model in MODELS
        ),
        *(pytest.param(program, id=program.__name__) for program in BY_THEMSELVES),
        *(pytest.param(program, id=program.__name__, marks=_with_clients) for program in INSTALLED_APART),
    ],
)
