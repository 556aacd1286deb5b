"""Thoughts across a conversation with tools: each vendor gets back exactly what it gave, another vendor nothing of it."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.chat import ChatAnswer, Message, MessageRole, Parameters, ReasoningDelta, TextPart, Tool, Usage
from llm_gateway.domain.faults import ProviderRejected
from llm_gateway.domain.keys import Budget
from llm_gateway.domain.periods import Period
from llm_gateway.domain.providers import Api, ModelConfig, ProviderKind
from llm_gateway.domain.queries import QueryRequest
from llm_gateway.domain.routing import Step
from llm_gateway.domain.terms import Terms
from llm_gateway.errors import UnpricedModel, UnsupportedParameter
from llm_gateway.instruments.prices import PublishedPrices
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.services.queries.cache import cache_key

from tests.adapters.engine import Engine, question
from tests.adapters.real_engine import calling, real_engine, upstreams
from tests.adapters.upstream import Answer, ScriptedUpstream
from tests.adapters.upstream_wires import Counts, Said, SaidCall

Upstreams = dict[str, ScriptedUpstream]
LOOK = Tool(name="look", parameters={"type": "object", "properties": {}})
MODELS = {"a": "gpt-5.6-sol", "b": "claude-opus-5-5"}
TURNS = (
    Said(thoughts=("First", " I look."), secrets=("s1", "s2"), pieces=(), calls=(SaidCall(name="look", id="c1"),)),
    Said(secrets=("s3",), pieces=("Then",), calls=(SaidCall(name="look", id="c2"), SaidCall(name="look", id="c3"))),
    Said(thoughts=("Done.",), pieces=("An", " owl.")),
)


@pytest.fixture(scope="module")
def servers() -> Iterator[Upstreams]:
    with upstreams() as servers:
        yield servers


@pytest.fixture(scope="module")
def registry() -> ProviderRegistry:
    return ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)


@pytest.fixture
def engine(servers: Upstreams, registry: ProviderRegistry) -> Engine:
    for server in servers.values():
        server.reset()
        server.thoughts = []
    return real_engine(registry).add(*(_named(name, servers) for name in MODELS))


def _named(name: str, servers: Upstreams, **changes):
    model = MODELS[name]
    return calling(name, servers[name].url, default_model=model, models=(ModelConfig(name=model),), **changes)


def asking(name: str, **changes) -> QueryRequest:
    parameters = Parameters(max_output_tokens=4_000, reasoning_effort="high")
    return question("What is there?", provider=name, tools=(LOOK,), parameters=parameters, timeout_s=300, **changes)


def finish(said: Said) -> Said:
    return replace(said, finish="tool_calls" if said.calls else "stop")


def turn_of(answer: ChatAnswer) -> tuple[Message, ...]:
    """The assistant's turn as a client sends it back, and what each tool answered."""
    said = Message(
        role=MessageRole.ASSISTANT,
        content=(TextPart(text=answer.text),) if answer.text else (),
        tool_calls=answer.tool_calls,
        reasoning=answer.reasoning.items if answer.reasoning else (),
    )
    results = (
        Message(role=MessageRole.TOOL, content=(TextPart(text="a bird"),), tool_call_id=call.id)
        for call in answer.tool_calls
    )
    return (said, *results)


def converse(engine: Engine, servers: Upstreams, name: str, *, streamed: bool) -> tuple[QueryRequest, ChatAnswer]:
    """Three turns; the upstream refuses each that does not bring all of its thoughts."""
    asked = asking(name)
    servers[name].script(*(Answer(said=finish(said)) for said in TURNS))
    for number in range(len(TURNS)):
        if streamed:
            *_, answer = engine.stream(asked, engine.progress(asked))
        else:
            answer, _ = engine.ask(asked)
        assert isinstance(answer, ChatAnswer)
        if number < len(TURNS) - 1:
            asked = replace(asked, messages=(*asked.messages, *turn_of(answer)))
    return asked, answer


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_three_turns_bring_back_what_was_thought(engine: Engine, servers: Upstreams, name: str, streamed: bool) -> None:
    _, answer = converse(engine, servers, name, streamed=streamed)

    assert answer.text == "An owl."
    assert answer.warnings == ()
    assert len(servers[name].requests) == 3
    kinds = [item["type"] for item in servers[name].thoughts or []]
    assert (
        kinds
        == {
            "a": ["reasoning"] * 4,
            "b": ["thinking", "redacted_thinking", "redacted_thinking", "redacted_thinking", "thinking"],
        }[name]
    )


def test_thoughts_stand_where_they_stood(engine: Engine, servers: Upstreams) -> None:
    converse(engine, servers, "a", streamed=False)

    kinds = [item.get("type", item.get("role")) for item in servers["a"].requests[-1].body["input"]]
    first = ["reasoning", "reasoning", "function_call", "function_call_output"]
    second = ["reasoning", "assistant", "function_call", "function_call", *["function_call_output"] * 2]
    assert kinds == ["user", *first, *second]

    converse(engine, servers, "b", streamed=False)
    *_, turn, _ = servers["b"].requests[-1].body["messages"]
    assert [block["type"] for block in turn["content"]] == ["redacted_thinking", "text", "tool_use", "tool_use"]


def test_a_changed_thought_is_refused_by_its_vendor(engine: Engine, servers: Upstreams) -> None:
    asked = asking("a")
    servers["a"].script(Answer(said=finish(TURNS[0])))
    answer, _ = engine.ask(asked)
    said, *results = turn_of(answer)
    for thoughts in (said.reasoning[1:], said.reasoning[::-1]):
        with pytest.raises(ProviderRejected):
            engine.ask(replace(asked, messages=(*asked.messages, replace(said, reasoning=thoughts), *results)))


@pytest.mark.parametrize(("of", "to"), [("a", "b"), ("b", "a")])
def test_the_other_vendor_goes_on_without_them_and_says_so(
    engine: Engine, servers: Upstreams, of: str, to: str
) -> None:
    asked, _ = converse(engine, servers, of, streamed=False)
    moved = replace(asked, provider=to)
    whose = {"a": "openai", "b": "anthropic"}[of]

    answer, _ = engine.ask(moved)

    assert answer.text == "Hello there."
    assert answer.warnings == (f"The reasoning of {whose} in messages was left out: {to} cannot read it.",)
    assert servers[to].thoughts == []
    *_, streamed = engine.stream(moved, engine.progress(moved))
    assert isinstance(streamed, ChatAnswer)
    assert streamed.warnings == answer.warnings


def test_chat_completions_reads_no_thoughts(servers: Upstreams, registry: ProviderRegistry, engine: Engine) -> None:
    asked, _ = converse(engine, servers, "a", streamed=False)
    servers["a"].thoughts = []
    chat = real_engine(registry).add(_named("a", servers, api=Api.CHAT_COMPLETIONS))
    plain = replace(asked, parameters=Parameters(max_output_tokens=100))

    answer, _ = chat.ask(plain)

    assert answer.warnings == ("The reasoning of openai in messages was left out: a cannot read it.",)
    assert servers["a"].requests[-1].path.endswith("/chat/completions")
    assert servers["a"].requests[-1].body["reasoning_effort"] == "none"
    with pytest.raises(UnsupportedParameter, match="Responses API"):
        chat.ask(asked)


@pytest.mark.parametrize("name", MODELS)
def test_a_summary_is_for_those_who_set_an_effort(engine: Engine, servers: Upstreams, name: str) -> None:
    said = Answer(said=TURNS[2], counts=Counts(output=30, reasoning=20))
    for effort, told in (("low", "Done."), (None, None)):
        asked = replace(asking(name), parameters=Parameters(reasoning_effort=effort))
        servers[name].thoughts = None
        servers[name].script(said)
        *deltas, answer = engine.stream(asked, engine.progress(asked))
        assert isinstance(answer, ChatAnswer)
        assert answer.reasoning is not None
        assert (answer.reasoning.text, len(answer.reasoning.items)) == (told, 1)
        assert "".join(delta.text for delta in deltas if isinstance(delta, ReasoningDelta)) == (told or "")
        assert answer.usage.reasoning_tokens == 20


def test_an_effort_and_a_switch_make_another_answer_of_it(engine: Engine) -> None:
    """Neither is given an answer from the cache that was made without."""

    def key(**changes) -> str:
        asked = replace(asking("a"), **changes)
        (step,) = engine.planner.plan(asked)
        assert isinstance(step, Step)
        return cache_key(step, asked, owner="key_1")

    effort = Parameters(max_output_tokens=4_000, reasoning_effort="low")
    others = [
        key(parameters=effort),
        key(vendor={"openai": {"verbosity": "low"}}),
        key(vendor={"openai": {"user": "u"}}),
    ]
    assert len({key(), *others}) == 4
    assert key(vendor={"anthropic": {"top_k": 5}}) == key()


def test_a_tier_without_a_price_is_not_for_a_budget(engine: Engine) -> None:
    terms = Terms(budget=Budget(amount=Decimal(10), period=Period.DAY))
    priced = Engine(prices=PublishedPrices(), store=engine.store)
    for tier in ("flex", "default"):
        (step,) = priced.planner.plan(replace(asking("a"), vendor={"openai": {"service_tier": tier}}), terms)
        assert isinstance(step, Step)
        assert step.price is not None
    with pytest.raises(UnpricedModel):
        priced.planner.plan(replace(asking("a"), vendor={"openai": {"service_tier": "priority"}}), terms)


def test_a_plan_tells_no_cost_that_a_tier_makes_another(engine: Engine) -> None:
    priced = Engine(prices=PublishedPrices(), store=engine.store)
    for tier, is_known in (("default", True), ("flex", True), ("priority", False)):
        asked = replace(asking("a"), vendor={"openai": {"service_tier": tier}})
        (told,) = priced.gateway.foretelling.foretell(asked, Terms(), key_id="key_alice").candidates
        assert (told.estimated_usd is not None, told.max_usd is not None) == (is_known, is_known), tier


def test_what_a_vendor_is_to_cache_by_its_own_switch_is_reserved_as_written(engine: Engine) -> None:
    terms = Terms(budget=Budget(amount=Decimal(10), period=Period.DAY))
    priced = Engine(prices=PublishedPrices(), store=engine.store)

    def reserved(**vendor: Any) -> Decimal:
        (step,) = priced.planner.plan(replace(asking("b"), vendor={"anthropic": vendor}), terms)
        assert isinstance(step, Step)
        assert step.price is not None
        return step.price.upper_usd

    assert reserved(cache_control={"type": "ephemeral", "ttl": "1h"}) > reserved()


def test_what_openai_caches_unasked_is_reserved_as_written(engine: Engine) -> None:
    """Since GPT-5.6 a write costs a quarter more than plain input."""
    terms = Terms(budget=Budget(amount=Decimal("0.0001"), period=Period.DAY))
    priced = Engine(prices=PublishedPrices(), store=engine.store)
    long = replace(asking("a"), messages=question("word " * 2_000).messages, parameters=Parameters(max_output_tokens=1))
    (step,) = priced.planner.plan(long, terms)
    assert isinstance(step, Step)
    assert step.price is not None
    written = Usage(input_tokens=2_000, cache_write_tokens=2_000, output_tokens=1)
    model, at = step.candidate.model, priced.clock.now()
    billed = priced.prices.cost(ProviderKind.OPENAI, model, answered_model=model.name, usage=written, at=at)
    assert billed is not None
    assert step.price.upper_usd >= billed
