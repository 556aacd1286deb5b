"""What a queued query has reserved stays reserved until it has ended, whatever fails and whichever worker goes on."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from llm_gateway.domain.faults import (
    ProviderFailed,
    ProviderFault,
    ProviderRejected,
)
from llm_gateway.domain.keys import BudgetState
from llm_gateway.domain.queries import Query
from llm_gateway.errors import DependencyUnavailable, NotDone

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import QueryEngine
from tests.adapters.scripted_providers import USAGE, Raises
from tests.services.queries.charging import BOTH, COST, is_settled, state

AWAY = DependencyUnavailable("It cannot be reached.")
UNWRITABLE = UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed")
LEASE_S = 60


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


def queued(engine: QueryEngine, *, timeout_s: float = 600) -> Query:
    return engine.accept(engine.asked(question(mode="async", timeout_s=timeout_s), caller=BOTH))


def process(engine: QueryEngine, query: Query, *, count: int = 1) -> bool:
    try:
        delivery = engine.delivery(query.id, count=count)
        engine.worker.process(replace(delivery, is_paid=any(each.is_paid for each in engine.queue.sent)))
    except NotDone:
        return False
    return True


def process_when_free(engine: QueryEngine, query: Query) -> None:
    engine.clock.sleep(LEASE_S)
    assert process(engine, query, count=2)


def is_held(engine: QueryEngine, *, spent: Decimal) -> bool:
    stood = state(engine)
    return stood.reserved_usd > COST and stood.spent_usd == spent


def rejected() -> ProviderFault:
    return ProviderRejected("Not so.", usage=USAGE)


def test_an_end_that_cannot_be_stored_keeps_the_reservation_for_the_next_try(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.faults["finish"] = [AWAY] * 6
    assert process(engine, query)
    assert is_held(engine, spent=COST)
    process_when_free(engine, query)
    assert is_settled(engine, spent=COST)


def test_an_end_that_can_be_stored_in_no_form_keeps_the_reservation(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.faults["finish"] = [UNWRITABLE, UNWRITABLE]
    assert process(engine, query)
    assert is_held(engine, spent=COST)
    assert engine.journal.story == []
    process_when_free(engine, query)
    assert is_settled(engine, spent=COST)
    assert engine.journal.story == [(query.id, "failed")]


def test_an_end_that_is_stored_as_a_failure_is_settled(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.faults["finish"] = [UNWRITABLE]
    assert process(engine, query)
    assert is_settled(engine, spent=COST)
    assert engine.journal.story == [(query.id, "failed")]


@pytest.mark.parametrize("faults", [[], [UNWRITABLE]], ids=["its end", "a failure in its place"])
def test_a_worker_that_lost_the_query_leaves_the_reservation_to_the_next(
    engine: QueryEngine, faults: list[Exception]
) -> None:
    query = queued(engine)

    def is_taken_up() -> None:
        engine.clock.sleep(LEASE_S)
        assert engine.queries.port.claim(query.id, until=engine.clock.now() + timedelta(seconds=LEASE_S))

    engine.providers.script("a", rejected())
    engine.queries.first["finish"] = is_taken_up
    engine.queries.faults["finish"] = faults
    assert not process(engine, query)
    assert is_held(engine, spent=COST)
    assert engine.journal.story == []
    process_when_free(engine, query)
    assert is_settled(engine, spent=2 * COST)


@pytest.mark.parametrize("fails", [False, True], ids=["answered", "failed"])
def test_one_that_is_erased_under_way_stays_reserved_until_its_call_has_ended(engine: QueryEngine, fails: bool) -> None:
    query, meanwhile = queued(engine), list[BudgetState]()

    def is_erased() -> Exception:
        engine.reading.erase(query.id, caller=BOTH)
        meanwhile.append(state(engine))
        return ProviderFailed("500", usage=USAGE)

    if fails:
        engine.providers.script("a", Raises(fault=is_erased))
    else:
        engine.queries.first["finish"] = lambda: is_erased()
    assert process(engine, query)
    assert meanwhile[0].reserved_usd > COST
    assert is_settled(engine, spent=COST)


def test_one_whose_holder_died_is_free_once_it_is_erased(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.port.claim(query.id, until=engine.clock.now() + timedelta(seconds=LEASE_S))
    engine.clock.sleep(LEASE_S)
    engine.reading.erase(query.id, caller=BOTH)
    assert is_settled(engine, spent=Decimal(0))


def test_one_that_may_have_been_sent_and_cannot_be_dropped_stays_reserved(engine: QueryEngine) -> None:
    engine.queue.fault = engine.queries.faults["drop"] = AWAY
    with pytest.raises(DependencyUnavailable):
        queued(engine)
    assert is_held(engine, spent=Decimal(0))
    engine.queue.fault = None
    (query,) = engine.queries.port.all()
    assert process(engine, query)
    assert is_settled(engine, spent=COST)
