"""Places in the cache: whatever may change an answer changes its place, and nothing else does."""

from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.chat import (
    CacheControl,
    ImagePart,
    Message,
    MessageRole,
    NamedTool,
    OutputFormat,
    Parameters,
    TextPart,
    Tool,
)
from llm_gateway.domain.providers import Capability, ModelConfig, ProviderKind, ProviderLimits
from llm_gateway.domain.queries import Origin, QueryRequest
from llm_gateway.domain.routing import first_step
from llm_gateway.services.queries.cache import cache_keys

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import ALICE, QueryEngine

SAME = Parameters(temperature=0, max_output_tokens=100)


def says(*texts: str, **changes: Any) -> tuple[Message, ...]:
    return tuple(Message(role=MessageRole.USER, content=(TextPart(text=text, **changes),)) for text in texts)


def engine(**changes: Any) -> QueryEngine:
    capable = {"models": (ModelConfig(name="a-model"), ModelConfig(name="other"))}
    return QueryEngine().add(provider("a", **{**capable, **changes}))  # type: ignore[return-value]


PLACE = engine().seat_of(question(parameters=SAME))

OTHERS: dict[str, QueryRequest] = {
    "the text": question("Say goodbye.", parameters=SAME),
    "its case": question("say hello.", parameters=SAME),
    "another turn": question(messages=says("Say hello.", "Say hello."), parameters=SAME),
    "where a turn ends": question(messages=says("Say ", "hello."), parameters=SAME),
    "the role": question(
        messages=tuple(replace(message, role=MessageRole.ASSISTANT) for message in says("Say hello.")), parameters=SAME
    ),
    "the system part": question(system="Be brief.", parameters=SAME),
    "an image": question(
        messages=(Message(role=MessageRole.USER, content=(ImagePart(url="https://example.com/a.png"),)),),
        parameters=SAME,
    ),
    "what the provider is asked to cache": question(
        messages=says("Say hello.", cache_control=CacheControl()), parameters=SAME
    ),
    "the model": question(model="other", parameters=SAME),
    "the temperature": question(parameters=replace(SAME, temperature=1)),
    "the seed": question(parameters=replace(SAME, seed=1)),
    "the longest answer": question(parameters=replace(SAME, max_output_tokens=101)),
    "a stop": question(parameters=replace(SAME, stop=("x",))),
    "top_p": question(parameters=replace(SAME, top_p=0.5)),
    "a tool": question(tools=(Tool(name="f"),), parameters=SAME),
    "the choice of a tool": question(tools=(Tool(name="f"),), tool_choice=NamedTool(name="f"), parameters=SAME),
    "the form": question(output=OutputFormat(type="json"), parameters=SAME),
    "the schema": question(output=OutputFormat(type="json_schema", schema={"type": "object"}), parameters=SAME),
}


@pytest.mark.parametrize("what", OTHERS)
def test_whatever_changes_the_answer_changes_the_place(what: str) -> None:
    assert engine().seat_of(OTHERS[what]) != PLACE


def test_all_these_places_differ() -> None:
    places = {engine().seat_of(request) for request in OTHERS.values()}
    assert len(places) == len(OTHERS)


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": {"customer": "42"}},
        {"timeout_s": 7.0},
        {"mode": "stream"},
        {"cache": "force"},
        {"priority": "high"},
        {"fallback": ()},
        {"provider": "a"},
        {"model": "a/a-model"},
    ],
)
def test_what_does_not_change_the_answer_does_not(changes: dict[str, Any]) -> None:
    assert engine().seat_of(question(parameters=SAME, **changes)) == PLACE


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"priority": 99, "weight": 3, "limits": ProviderLimits(requests_per_minute=5)}, True),
        ({"base_url": "http://127.0.0.1:2/v1"}, False),
        ({"kind": ProviderKind.LLAMA_CPP}, False),
    ],
)
def test_of_the_provider_what_answers_counts(changes: dict[str, Any], same: bool) -> None:
    assert (engine(**changes).seat_of(question(parameters=SAME)) == PLACE) == same


@pytest.mark.holds("API1", "LLM02")
def test_another_provider_or_caller_has_a_place_of_its_own() -> None:
    other = QueryEngine().add(provider("b", models=(ModelConfig(name="a-model"),), default_model="a-model"))
    assert isinstance(other, QueryEngine)
    assert other.seat_of(question(parameters=SAME)) != PLACE
    assert engine().seat_of(question(parameters=SAME), caller=replace(ALICE, key_id="key_bob")) != PLACE


def test_the_order_of_a_schemas_members_does_not_count() -> None:
    schemas = [
        {"type": "object", "properties": {"a": {}, "b": {}}},
        {"properties": {"b": {}, "a": {}}, "type": "object"},
    ]
    formats = [OutputFormat(type="json_schema", schema=schema) for schema in schemas]
    assert len({engine().seat_of(question(parameters=SAME, output=output)) for output in formats}) == 1


def test_a_place_is_short_plain_text() -> None:
    assert len(PLACE) == 64
    assert PLACE.isalnum()


@pytest.mark.parametrize(
    ("cache", "parameters", "reads", "writes"),
    [
        ("auto", Parameters(), False, False),
        ("auto", Parameters(temperature=0), True, True),
        ("auto", Parameters(temperature=0.0001), False, False),
        ("auto", Parameters(seed=0), True, True),
        ("force", Parameters(), True, True),
        ("refresh", Parameters(), False, True),
        ("bypass", Parameters(temperature=0, seed=1), False, False),
    ],
)
def test_who_reads_and_who_writes(cache: Any, parameters: Parameters, reads: bool, writes: bool) -> None:
    request = question(cache=cache, parameters=parameters)
    assert (request.reads_cache, request.writes_cache) == (reads, writes)


@pytest.mark.parametrize(
    ("cache", "able", "parameters", "is_kept"),
    [
        ("auto", frozenset(Capability), {"temperature": 0}, True),
        ("auto", frozenset(Capability) - {Capability.TEMPERATURE}, {"temperature": 0}, False),
        ("auto", frozenset(Capability) - {Capability.TEMPERATURE}, {"temperature": 0, "seed": 1}, True),
        ("force", frozenset(Capability) - {Capability.TEMPERATURE}, {"temperature": 0}, True),
        ("bypass", frozenset(Capability), {"temperature": 0}, False),
    ],
)
def test_a_wish_that_is_left_out_makes_no_answer_the_same_again(
    cache: Any, able: frozenset[Capability], parameters: dict[str, Any], is_kept: bool
) -> None:
    unable = engine(models=(ModelConfig(name="a-model", capabilities=able),))
    asked = question(
        parameters=Parameters(**parameters), cache=cache, origin=Origin(wishes=("parameters.temperature",))
    )
    step = first_step(unable.planner.plan(asked))
    assert bool(cache_keys(step, asked, owner="key_1")) == is_kept
