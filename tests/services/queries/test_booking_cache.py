"""The cache in booking and closing: hits, waiting for another, and what is not cached."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.caching import CachedAnswer
from llm_gateway.domain.chat import FinishReason, Parameters, Usage
from llm_gateway.domain.faults import ProviderFailed
from llm_gateway.domain.queries import CacheNote, QueryStatus
from llm_gateway.errors import (
    GatewayError,
    QueryCancelled,
)

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import ALICE, QueryEngine, idempotency
from tests.adapters.scripted_providers import Says
from tests.services.queries.booked import (
    AWAY,
    answered_meanwhile,
    asking,
    kept_queries,
    place,
    run,
    somebody_holds,
)

pytestmark = pytest.mark.usefixtures("no_lease_is_left")


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"), provider("b"))  # type: ignore[return-value]


# Hits


def test_a_hit_is_the_callers_own_query_at_no_cost(engine: QueryEngine) -> None:
    engine.providers.script("a", Says(text="Forty-two.", usage=Usage(input_tokens=10, output_tokens=5)))
    first = run(engine, asking(metadata={"n": 1}))
    engine.clock.sleep(12.9)
    hit = run(engine, asking(metadata={"n": 2}))
    assert first.query is not None
    assert hit.query is not None
    assert hit.query.id != first.query.id
    assert hit.query.request.metadata == {"n": 2}
    assert hit.query.completed_at == engine.clock.now()
    answer = hit.answer
    assert answer.cost_usd == Decimal(0)
    assert answer.attempts == ()
    assert answer.usage == first.answer.usage
    assert answer.cache == CacheNote(hit=True, age_s=12, saved_usd=Decimal("0.000015"))
    assert answer.latency.provider_ms == 0
    assert answer.output == first.answer.output
    assert engine.queries.get(hit.query.id).answer == answer
    assert engine.journal.story == [(first.query.id, "succeeded"), (hit.query.id, "succeeded")]


def test_nobody_else_gets_a_hit(engine: QueryEngine) -> None:
    run(engine, asking())
    assert not run(engine, asking(), caller=replace(ALICE, key_id="key_bob")).answer.cache.hit
    assert run(engine, asking()).answer.cache.hit


def test_a_hit_as_old_as_the_cache_keeps_answers_is_none(engine: QueryEngine) -> None:
    run(engine, asking())
    engine.clock.sleep(3599)
    assert run(engine, asking()).answer.cache.hit
    engine.clock.sleep(1)
    assert not run(engine, asking()).answer.cache.hit


def test_no_answer_is_cached_for_longer_than_its_query_is_kept(engine: QueryEngine) -> None:
    engine.retention = timedelta(seconds=600)
    run(engine, asking())
    found = place(engine, asking())
    assert isinstance(found, CachedAnswer)
    assert found.expires_at == engine.clock.now() + timedelta(seconds=600)


def test_waiting_for_another_is_told_apart_from_overhead(engine: QueryEngine) -> None:
    answered_meanwhile(engine, asking())
    answer = run(engine, asking()).answer
    assert answer.cache.hit
    assert answer.latency.waiting_ms == pytest.approx(200)
    assert answer.latency.overhead_ms == pytest.approx(0, abs=2)


@pytest.mark.parametrize(("timeout_s", "waits_s"), [(25, 12.5), (300, 15)])
def test_nobody_waits_for_another_for_ever(engine: QueryEngine, timeout_s: float, waits_s: float) -> None:
    key = somebody_holds(engine, asking())
    outcome = run(engine, asking(timeout_s=timeout_s))
    assert outcome.answer.latency.waiting_ms == pytest.approx(waits_s * 1000, abs=150)
    assert not outcome.answer.cache.hit
    # A slow process finds the place filled.
    assert isinstance(engine.cache.port.peek(key), CachedAnswer)


def test_a_cache_that_goes_away_is_not_waited_for(engine: QueryEngine) -> None:
    somebody_holds(engine, asking())
    engine.events.append(lambda: engine.cache.faults.update(peek=AWAY))
    outcome = run(engine, asking())
    assert not outcome.answer.cache.hit
    assert outcome.answer.latency.waiting_ms <= 200


def test_who_leaves_while_waiting_for_another_calls_nobody(engine: QueryEngine) -> None:
    somebody_holds(engine, asking())
    left: list[bool] = []
    engine.events.append(lambda: left.append(True))
    outcome = run(engine, asking(), cancelled=lambda: bool(left), idempotency=idempotency())
    assert isinstance(outcome.error, QueryCancelled)
    assert engine.providers.called == []
    assert engine.gates.all_ended_once
    assert engine.keys.count("release") == 1
    assert [query.status for query in kept_queries(engine)] == [QueryStatus.CANCELLED]


# What is not cached


@pytest.mark.parametrize(
    ("finish", "cached"),
    [
        (FinishReason.STOP, True),
        (FinishReason.TOOL_CALLS, True),
        (FinishReason.LENGTH, False),
        (FinishReason.CONTENT_FILTER, False),
    ],
)
@pytest.mark.parametrize("wish", ["auto", "force", "refresh"])
def test_only_whole_answers_are_cached(engine: QueryEngine, finish: FinishReason, cached: bool, wish: Any) -> None:
    engine.providers.script("a", Says(finish=finish))
    run(engine, asking(cache=wish))
    assert isinstance(place(engine, asking()), CachedAnswer) == cached
    assert place(engine, asking()) is None or cached


def test_an_answer_of_another_candidate_is_not_cached(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderFailed("500"))
    assert run(engine, asking()).answer.provider == "b"
    assert place(engine, asking()) is None


def test_an_answer_of_the_same_provider_with_another_model_is_not_cached(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderFailed("500"), Says(text="From the small one."))
    request = asking(model="a/large", fallback=("a/small",))
    assert run(engine, request).answer.output.text == "From the small one."
    assert place(engine, request) is None


def test_a_question_without_a_deterministic_answer_is_not_cached(engine: QueryEngine) -> None:
    for parameters in (Parameters(), Parameters(temperature=0.1)):
        run(engine, question(parameters=parameters))
    assert engine.cache.asked == []


@pytest.mark.parametrize("parameters", [Parameters(temperature=0), Parameters(temperature=0.9, seed=7)])
def test_a_deterministic_one_is(engine: QueryEngine, parameters: Parameters) -> None:
    run(engine, question(parameters=parameters))
    assert run(engine, question(parameters=parameters)).answer.cache.hit


def test_what_was_erased_meanwhile_leaves_no_copy(engine: QueryEngine) -> None:
    stream = engine.asking.stream(engine.asked(asking(mode="stream")))
    opened = next(stream)
    engine.queries.erase(opened.query_id)  # type: ignore[union-attr]
    with suppress(GatewayError):
        list(stream)
    assert place(engine, asking()) is None
    assert kept_queries(engine) == []
