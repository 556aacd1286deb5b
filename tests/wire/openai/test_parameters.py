"""What becomes of each parameter: the tables name what the official SDK's own types name, and the schemas do as they say."""

from collections.abc import Mapping
from typing import Any, get_type_hints

import pytest
from llm_gateway.domain.vendor_options import faults_in_options
from llm_gateway.entrypoints.validation import validated
from llm_gateway.errors import ValidationFailed
from llm_gateway.wire.openai.chat import ChatCompletionBody
from llm_gateway.wire.openai.embeddings import EmbeddingsBody
from llm_gateway.wire.openai.parameters import CHAT, EMBEDDINGS, HANDED_ON, Fate
from llm_gateway.wire.schema import Incoming
from openai.types import embedding_create_params
from openai.types.chat import completion_create_params

Table = Mapping[str, tuple[Fate, str]]
SAID: dict[str, Any] = {
    "model": "small",
    "messages": [{"role": "user", "content": "Hello."}],
    "frequency_penalty": 0.5,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "max_completion_tokens": 50,
    "metadata": {"customer": "42"},
    "modalities": ["text"],
    "n": 1,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": "Hello there."},
    "presence_penalty": -0.5,
    "prompt_cache_key": "support",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "safety_identifier": "user-1",
    "seed": 7,
    "service_tier": "flex",
    "stop": ["END"],
    "store": False,
    "stream": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "temperature": 0.2,
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "tools": [{"type": "function", "function": {"name": "f", "strict": True}}],
    "top_logprobs": 3,
    "top_p": 0.9,
    "user": "user-1",
    "verbosity": "low",
}


@pytest.mark.parametrize(
    ("table", "params"),
    [
        (CHAT, completion_create_params.CompletionCreateParamsNonStreaming),
        (EMBEDDINGS, embedding_create_params.EmbeddingCreateParams),
    ],
)
def test_the_table_names_what_the_sdk_names(table: Table, params: type[Any]) -> None:
    assert table.keys() == get_type_hints(params).keys()


@pytest.mark.parametrize(("table", "schema"), [(CHAT, ChatCompletionBody), (EMBEDDINGS, EmbeddingsBody)])
def test_what_is_refused_is_no_field_and_everything_else_is_one(table: Table, schema: type[Incoming]) -> None:
    refused = {name for name, (fate, _) in table.items() if fate == "refused"}
    assert schema.known_fields() - {"gateway"} == table.keys() - refused


def test_what_is_handed_on_is_what_the_table_says() -> None:
    assert set(HANDED_ON) == {name for name, (fate, _) in CHAT.items() if fate == "handed on"}


@pytest.mark.parametrize("name", [name for name, (fate, _) in CHAT.items() if fate == "refused"])
def test_what_is_refused_is_named(name: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        validated(ChatCompletionBody, {"model": "small", "messages": SAID["messages"], name: {}})
    (fault,) = refused.value.errors
    assert (fault.field, fault.is_unknown) == (name, True)
    # Clients of typed languages send what they leave out as null.
    assert validated(ChatCompletionBody, {"model": "small", "messages": SAID["messages"], name: None}).model == "small"


def test_a_null_hides_no_misspelling() -> None:
    body = {"model": "small", "messages": SAID["messages"], "functions": None, "temprature": None}
    with pytest.raises(
        ValidationFailed, match="temprature: is not a known field: did you mean 'temperature'"
    ) as refused:
        validated(ChatCompletionBody, body)
    assert len(refused.value.errors) == 1


def test_a_flag_that_has_one_value_is_told_as_json_has_it() -> None:
    with pytest.raises(ValidationFailed, match="store: must be false"):
        validated(ChatCompletionBody, {"model": "small", "messages": SAID["messages"], "store": True})


def test_nothing_that_is_said_is_dropped() -> None:
    """Every parameter is somewhere in the query."""
    taken = {name for name, (fate, _) in CHAT.items() if fate != "refused"} - {"max_tokens"}
    assert taken == SAID.keys()
    body = validated(ChatCompletionBody, SAID)
    asked = body.to_domain()
    p = asked.parameters
    assert (asked.model, asked.messages[0].text, asked.mode, asked.metadata) == (
        "small",
        "Hello.",
        "stream",
        {"customer": "42"},
    )
    assert (p.temperature, p.top_p, p.max_output_tokens, p.stop, p.seed) == (0.2, 0.9, 50, ("END",), 7)
    assert (p.reasoning_effort, p.logprobs) == ("low", 3)
    assert (asked.output.type, asked.tools[0].name, asked.tools[0].strict) == ("json", "f", True)
    assert asked.tool_choice.name == "f"  # type: ignore[union-attr]
    assert (body.streams, body.tells_usage, asked.parallel_tool_calls) == (True, True, False)
    at_openai = {name: SAID[name] for name in HANDED_ON}
    assert asked.vendor["openai"] == at_openai
    assert asked.vendor["anthropic"] == {"metadata": {"user_id": "user-1"}}
    needed = ("frequency_penalty", "presence_penalty", "logit_bias", "service_tier", "verbosity")
    assert set(asked.kinds_for) == set(needed)
    assert not list(faults_in_options(asked.vendor)), "nothing is handed on that the gateway sets itself"


@pytest.mark.parametrize(
    "usual",
    [
        {"frequency_penalty": 0},
        {"presence_penalty": 0},
        {"logit_bias": {}},
        {"service_tier": "auto"},
        {"service_tier": "default"},
        {"verbosity": None},
        {"prompt_cache_key": "a"},
    ],
)
def test_what_asks_for_nothing_can_be_answered_by_anybody(usual: dict[str, Any]) -> None:
    asked = validated(ChatCompletionBody, {"model": "small", "messages": SAID["messages"], **usual}).to_domain()
    assert asked.kinds_for == {}


def test_the_older_name_of_the_bound_is_the_same() -> None:
    body = {"model": "small", "messages": SAID["messages"], "max_tokens": 9}
    assert validated(ChatCompletionBody, body).to_domain().parameters.max_output_tokens == 9
    assert validated(ChatCompletionBody, body | {"max_completion_tokens": 9}).to_domain() is not None


def test_a_description_of_a_form_reaches_the_model() -> None:
    form = {"name": "answer", "description": "An answer.", "schema": {"type": "object"}, "strict": True}
    body = {"model": "small", "messages": SAID["messages"]}
    body["response_format"] = {"type": "json_schema", "json_schema": form}
    asked = validated(ChatCompletionBody, body).to_domain()
    assert asked.output.schema == {"description": "An answer.", "type": "object"}
