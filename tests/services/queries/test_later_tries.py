"""What the later tries of a queued query may cost: each first finds room in the budget for what those before it have cost."""

from contextlib import suppress
from decimal import Decimal

import pytest
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.faults import ProviderFailed, ProviderUnreachable
from llm_gateway.domain.queries import QueryStatus
from llm_gateway.errors import NotDone

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import QueryEngine
from tests.adapters.scripted_providers import Raises
from tests.services.queries.charging import BOTH, COST, is_settled, state

LEASE_S = 60


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


def queued(engine: QueryEngine) -> str:
    return engine.accept(engine.asked(question(mode="async", timeout_s=800), caller=BOTH)).id


def deliver(engine: QueryEngine, query_id: str, *, times: int, first: int = 1) -> None:
    for count in range(first, first + times):
        with suppress(NotDone):
            engine.worker.process(engine.delivery(query_id, count=count))
        engine.clock.sleep(LEASE_S)


def test_a_later_try_that_does_not_fit_into_the_budget_is_not_made(engine: QueryEngine) -> None:
    costly = ProviderFailed("500", usage=Usage(input_tokens=10, output_tokens=440))
    engine.providers.script("a", *[costly] * 6)
    query_id = queued(engine)
    deliver(engine, query_id, times=6)
    ended = engine.queries.get(query_id)
    assert ended.status is QueryStatus.FAILED
    assert ended.problem is not None
    assert ended.problem.code == "budget_exceeded"
    assert len(engine.providers.called) == 2
    assert is_settled(engine, spent=Decimal("0.0009"))


def test_calls_that_may_be_billed_pass_no_budget_by_their_tries(engine: QueryEngine) -> None:
    engine.providers.otherwise = Raises(fault=lambda: ProviderUnreachable("It broke."))
    for query_id in [queued(engine) for _ in range(5)]:
        deliver(engine, query_id, times=4)
    stood = state(engine)
    assert Decimal("0.0008") < stood.spent_usd + stood.reserved_usd <= Decimal("0.001")


def test_a_later_try_with_room_is_made(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderFailed("500", usage=Usage(input_tokens=30)))
    query_id = queued(engine)
    deliver(engine, query_id, times=2)
    assert is_settled(engine, spent=COST + Decimal("0.00003"))
