"""What becomes of each parameter of a Responses request: the table names what the official SDK's types name, and holds."""

from typing import Any, get_type_hints

import pytest
from llm_gateway.domain.vendor_options import faults_in_options
from llm_gateway.entrypoints.validation import validated
from llm_gateway.errors import ValidationFailed
from llm_gateway.wire.openai.parameters import HANDED_ON
from llm_gateway.wire.openai.responses.parameters import RESPONSES
from llm_gateway.wire.openai.responses.requests import ResponsesBody
from openai.types.responses import response_create_params

SAID: dict[str, Any] = {
    "model": "small",
    "input": "Hello.",
    "background": False,
    "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
    "instructions": "Be brief.",
    "max_output_tokens": 50,
    "metadata": {"customer": "42"},
    "parallel_tool_calls": False,
    "prompt": None,
    "prompt_cache_key": "support",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "reasoning": {"effort": "low", "summary": "auto", "mode": "standard", "context": "auto"},
    "safety_identifier": "user-1",
    "service_tier": "flex",
    "store": False,
    "stream": True,
    "stream_options": {"include_obfuscation": False},
    "temperature": 0.2,
    "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    "tool_choice": {"type": "function", "name": "f"},
    "tools": [{"type": "function", "name": "f", "strict": True, "parameters": None}],
    "top_logprobs": 3,
    "top_p": 0.9,
    "truncation": "disabled",
    "user": "user-1",
}
REFUSED = {name for name, (fate, _) in RESPONSES.items() if fate == "refused"}


def test_the_table_names_what_the_sdk_names() -> None:
    assert RESPONSES.keys() == get_type_hints(response_create_params.ResponseCreateParamsNonStreaming).keys()


def test_what_is_refused_is_no_field_and_everything_else_is_one() -> None:
    assert ResponsesBody.known_fields() - {"gateway", "client_metadata"} == RESPONSES.keys() - REFUSED == SAID.keys()


def test_what_is_handed_on_is_what_the_table_says() -> None:
    handed_on = {name for name, (fate, _) in RESPONSES.items() if fate == "handed on"}
    assert handed_on | {"verbosity"} == set(HANDED_ON) & (RESPONSES.keys() | {"verbosity"})


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_is_named(name: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        validated(ResponsesBody, {"model": "small", "input": "Hello.", name: {}})
    (fault,) = refused.value.errors
    assert (fault.field, fault.is_unknown) == (name, True)
    assert validated(ResponsesBody, {"model": "small", "input": "Hello.", name: None}).to_domain().model == "small"


def test_nothing_that_is_said_is_dropped() -> None:
    """Every parameter is somewhere in the query."""
    body = validated(ResponsesBody, SAID)
    asked = body.to_domain()
    p = asked.parameters
    assert (asked.model, asked.messages[0].text, asked.system, asked.mode) == ("small", "Hello.", "Be brief.", "stream")
    assert (p.temperature, p.top_p, p.max_output_tokens, p.reasoning_effort, p.logprobs) == (0.2, 0.9, 50, "low", 3)
    assert (asked.output.type, asked.tools[0].name, asked.tools[0].strict) == ("json", "f", True)
    assert asked.tool_choice.name == "f"  # type: ignore[union-attr]
    assert (asked.parallel_tool_calls, asked.metadata) == (False, {"customer": "42"})
    handed_on = {name: SAID[name] for name in HANDED_ON if name in SAID} | {"verbosity": "low"}
    assert asked.vendor["openai"] == handed_on
    assert asked.vendor["anthropic"] == {"metadata": {"user_id": "user-1"}}
    assert set(asked.kinds_for) == {"service_tier", "verbosity"}
    assert not list(faults_in_options(asked.vendor)), "nothing is handed on that the gateway sets itself"


def test_a_description_of_a_form_reaches_the_model() -> None:
    form = {"type": "json_schema", "name": "answer", "description": "An answer.", "schema": {"type": "object"}}
    asked = validated(ResponsesBody, {"model": "small", "input": "Hello.", "text": {"format": form}}).to_domain()
    assert asked.output.schema == {"description": "An answer.", "type": "object"}
