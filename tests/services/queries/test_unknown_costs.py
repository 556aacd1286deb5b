"""What calls count whose cost nobody knows, and what the tries of one query count together."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.faults import (
    CallCancelled,
    ProviderFailed,
    ProviderFault,
    ProviderNotConnected,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.keys import KeyLimits
from llm_gateway.domain.providers import RetryPolicy
from llm_gateway.errors import BudgetExceeded, GatewayError, NotDone, QueryCancelled, RateLimited

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import ALICE, QueryEngine
from tests.adapters.scripted_providers import Raises
from tests.services.queries.charging import BOTH, COST, is_settled, run, state


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


# Calls whose cost nobody knows


def late() -> Raises:
    return Raises(fault=lambda: ProviderTimeout("The provider did not answer in time."), after_s=1)


def broken() -> Raises:
    return Raises(fault=lambda: ProviderUnreachable("The connection broke."))


def unusable() -> Raises:
    return Raises(fault=lambda: ProviderResponseInvalid("The provider's answer cannot be read."))


def unforeseen() -> Raises:
    return Raises(fault=lambda: RuntimeError("a mistake of the gateway's own"))


@pytest.mark.parametrize("fault", [late, broken, unusable, unforeseen])
def test_a_call_that_may_be_billed_counts_with_what_it_had_reserved(
    engine: QueryEngine, fault: Callable[[], Raises]
) -> None:
    reserved: list[Decimal] = []
    engine.providers.script("a", fault())
    asked = replace(
        engine.asked(question(), caller=BOTH), tell_room=lambda _: reserved.append(state(engine).reserved_usd)
    )
    with pytest.raises(GatewayError):
        engine.run(asked)
    assert is_settled(engine, spent=reserved[0])


def test_a_call_that_was_never_sent_costs_nothing(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderNotConnected("Nobody listens."))
    with pytest.raises(GatewayError):
        run(engine)
    assert is_settled(engine, spent=Decimal(0))


def test_an_answer_that_refuses_costs_nothing_though_nobody_can_read_it(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderResponseInvalid("A page that is no JSON.", upstream_status=400))
    with pytest.raises(GatewayError):
        run(engine)
    assert is_settled(engine, spent=Decimal(0))


def test_an_unusable_answer_that_tells_its_usage_costs_that(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderResponseInvalid("No reason.", usage=Usage(input_tokens=10, output_tokens=5)))
    with pytest.raises(GatewayError):
        run(engine)
    assert is_settled(engine, spent=COST)


def test_a_cancelled_call_of_whose_answer_nothing_came_counts_with_what_it_had_reserved(engine: QueryEngine) -> None:
    reserved: list[Decimal] = []
    engine.providers.script("a", Raises(fault=lambda: CallCancelled("Its caller left."), after_s=20))
    asked = replace(
        engine.asked(question(), caller=BOTH), tell_room=lambda _: reserved.append(state(engine).reserved_usd)
    )
    with pytest.raises(QueryCancelled):
        engine.run(asked)
    assert is_settled(engine, spent=reserved[0])
    # The query itself tells what is probable: its input, and nothing that anybody has seen.
    (ended,) = engine.queries.port.all()
    assert ended.figures is not None
    assert (ended.figures.usage.output_tokens, ended.figures.usage.estimated) == (0, True)
    assert ended.figures.cost_usd is not None
    assert 0 < ended.figures.cost_usd < reserved[0]


def test_the_tokens_of_a_cancelled_call_stay_taken(engine: QueryEngine) -> None:
    small = replace(ALICE, limits=KeyLimits(tokens_per_minute=2_000))
    engine.providers.otherwise = Raises(fault=lambda: CallCancelled("Its caller left."))
    for _ in range(3):
        with pytest.raises(QueryCancelled):
            run(engine, caller=small)
    with pytest.raises(RateLimited, match="tokens in a minute"):
        run(engine, caller=small)


def test_a_query_that_was_cancelled_before_its_call_costs_nothing(engine: QueryEngine) -> None:
    with pytest.raises(QueryCancelled):
        run(engine, cancelled=lambda: True)
    assert engine.providers.called == []
    assert is_settled(engine, spent=Decimal(0))


def test_a_try_after_a_timeout_must_fit_beside_it() -> None:
    engine = QueryEngine()
    engine.add(provider("a", retry=RetryPolicy(max_attempts=3)))
    engine.providers.otherwise = broken()
    with suppress(BudgetExceeded):
        while True:
            with suppress(ProviderFault):
                run(engine, caller=replace(BOTH, limits=KeyLimits()))
    stood = state(engine)
    assert stood.reserved_usd == 0
    assert Decimal("0.0008") < stood.spent_usd <= Decimal("0.001")


# What the tries of a queued query use of its key's minute


def test_the_tokens_of_every_try_count_in_the_minute(engine: QueryEngine) -> None:
    small = replace(ALICE, limits=KeyLimits(tokens_per_minute=2_000))
    query = engine.accept(engine.asked(question(mode="async", timeout_s=600), caller=small))
    engine.providers.script("a", ProviderFailed("500", usage=Usage(input_tokens=900, output_tokens=900)))
    with pytest.raises(NotDone):
        engine.worker.process(engine.delivery(query.id))
    with pytest.raises(RateLimited, match="tokens in a minute"):
        run(engine, caller=small)
