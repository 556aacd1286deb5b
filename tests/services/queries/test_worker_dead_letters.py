"""Messages that were delivered too often: their queries are told of."""

from datetime import timedelta

import pytest
from llm_gateway.domain.faults import (
    ProviderFailed,
)
from llm_gateway.domain.queries import QueryProblem, QueryStatus
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.queries import Delivery

from tests.adapters.engine import provider
from tests.adapters.query_engine import QueryEngine
from tests.adapters.query_queue import Sent
from tests.services.queries.worked import AWAY, LEASE_S, process, queued, stored

pytestmark = pytest.mark.usefixtures("no_lease_is_left")


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


# Dead letters


def test_a_dead_letter_is_told_with_what_it_last_failed_for(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.providers.script("a", ProviderFailed("500"))
    assert not process(engine, query)
    engine.worker.bury(engine.delivery(query.id))
    ended = stored(engine, query)
    assert ended.status is QueryStatus.FAILED
    assert ended.problem is not None
    assert (ended.problem.code, ended.problem.provider) == ("provider_error", "a")
    assert [attempt.error_code for attempt in ended.problem.attempts] == ["provider_error"]
    # A worker is told of it, who may see to its words.
    assert engine.queue.sent == [Sent(query_id=query.id, delay_s=0, priority="normal")]
    assert process(engine, query)
    assert stored(engine, query) == ended


def test_a_dead_letter_that_never_failed_of_itself_is_told_so(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.worker.bury(engine.delivery(query.id))
    problem = stored(engine, query).problem
    assert isinstance(problem, QueryProblem)
    assert (problem.status, problem.code) == (503, "no_provider_available")


def test_a_dead_letter_about_a_query_that_is_held_goes_back(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.port.claim(query.id, until=engine.clock.now() + timedelta(seconds=LEASE_S))
    engine.worker.bury(engine.delivery(query.id))
    assert stored(engine, query).status is QueryStatus.RUNNING
    assert engine.queue.sent == [Sent(query_id=query.id, delay_s=LEASE_S, priority="normal")]


@pytest.mark.parametrize("end", ["answered", "erased"])
def test_a_dead_letter_about_what_is_over_changes_nothing(engine: QueryEngine, end: str) -> None:
    query = queued(engine)
    process(engine, query)
    if end == "erased":
        engine.queries.port.erase(query.id)
    engine.worker.bury(engine.delivery(query.id))
    assert engine.queue.sent == []
    found = engine.queries.port.get(query.id)
    assert found is None if end == "erased" else found.status is QueryStatus.SUCCEEDED


def test_a_dead_letter_waits_for_a_store_that_is_away(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.faults["bury"] = AWAY
    with pytest.raises(DependencyUnavailable):
        engine.worker.bury(Delivery(query_id=query.id, receipt="r", queue_arn="arn:x:dead-letters", count=1))
