"""The worker where something fails: limits put a query back, failures are tried again later, and nothing is lost meanwhile."""

from datetime import timedelta

import pytest
from llm_gateway.domain.faults import (
    CircuitOpen,
    ProviderBusy,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRefused,
    ProviderResponseInvalid,
    ProviderTimeout,
)
from llm_gateway.domain.providers import CircuitPolicy
from llm_gateway.domain.queries import QueryStatus

from tests.adapters.engine import provider
from tests.adapters.query_engine import QueryEngine
from tests.adapters.query_queue import Sent
from tests.adapters.scripted_providers import USAGE
from tests.services.queries.worked import AWAY, LEASE_S, hidden_s, process, queued, stored

pytestmark = pytest.mark.usefixtures("no_lease_is_left")


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


# Limits


@pytest.mark.parametrize("kind", [ProviderRateLimited, ProviderBusy])
@pytest.mark.parametrize(("asked_s", "delay_s"), [(90, 90), (None, 5), (3600, 301)])
def test_a_limit_puts_it_back_uncounted(
    engine: QueryEngine, kind: type[ProviderRateLimited], asked_s: float | None, delay_s: float
) -> None:
    query = queued(engine, priority="high")
    engine.providers.script("a", kind("Full.", retry_after_s=asked_s))
    assert process(engine, query, count=4)
    assert engine.queue.sent == [Sent(query_id=query.id, delay_s=delay_s, priority="high")]
    back = stored(engine, query)
    assert (back.status, back.attempts, back.lease, back.problem) == (QueryStatus.QUEUED, 0, None, None)
    assert engine.journal.written == []
    assert engine.gates.all_ended_once
    engine.clock.sleep(delay_s)
    assert process(engine, query)
    ended = stored(engine, query)
    # Where its time is up by then, nobody tries it.
    assert ended.attempts == (0 if asked_s == 3600 else 1)
    # What waits beyond its time ends with what kept it waiting.
    assert (ended.problem.code if ended.problem else None) == ("provider_rate_limited" if delay_s > 300 else None)


@pytest.mark.parametrize(("age_s", "delay_s"), [(0, 5), (4, 5), (60, 60), (200, 101)])
def test_a_limit_that_says_no_time_is_met_ever_more_seldom(engine: QueryEngine, age_s: float, delay_s: float) -> None:
    """An account without credit answers 429 for days."""
    query = queued(engine)
    engine.clock.sleep(age_s)
    engine.providers.script("a", ProviderRateLimited("Full."))
    assert process(engine, query)
    assert [sent.delay_s for sent in engine.queue.sent] == [delay_s]


def test_a_limit_of_the_gates_puts_it_back_too(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.gates.refusals["a"] = [ProviderRateLimited("Full.", retry_after_s=42.5)]
    assert process(engine, query)
    assert engine.queue.sent == [Sent(query_id=query.id, delay_s=42.5, priority="normal")]
    assert engine.providers.called == []


def test_providers_that_are_left_alone_for_a_while_are_no_failure(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.gates.refusals["a"] = [CircuitOpen("Open.", retry_after_s=30)]
    assert process(engine, query)
    assert [(sent.query_id, sent.delay_s) for sent in engine.queue.sent] == [(query.id, 30)]
    assert stored(engine, query).attempts == 0


def test_a_limit_met_after_a_failure_is_a_failure(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.add(provider("b"))
    engine.providers.script("a", ProviderFailed("500"))
    engine.gates.refusals["b"] = [ProviderRateLimited("Full.", retry_after_s=30)]
    assert not process(engine, query)
    assert engine.queue.sent == []
    assert stored(engine, query).attempts == 1


def test_a_book_without_providers_is_no_limit(engine: QueryEngine) -> None:
    """Putting it back uncounted would go on for as long as the query is kept."""
    query = queued(engine)
    engine.store.delete("a", expected_revision=None)
    assert not process(engine, query)
    assert engine.queue.sent == []
    assert stored(engine, query).attempts == 1
    assert hidden_s(engine) == 60


def test_a_query_that_was_put_back_is_not_lost_with_a_queue_that_is_away(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.providers.script("a", ProviderRateLimited("Full.", retry_after_s=30))
    engine.queue.fault = AWAY
    assert not process(engine, query)
    engine.queue.fault = None
    engine.clock.sleep(30)
    assert process(engine, query, count=2)
    assert stored(engine, query).status is QueryStatus.SUCCEEDED


# Failures


@pytest.mark.parametrize("fault", [ProviderFailed("500"), ProviderTimeout("x"), ProviderRefused("403")])
def test_a_failure_is_tried_again_later(engine: QueryEngine, fault: Exception) -> None:
    query = queued(engine)
    engine.providers.script("a", fault)
    assert not process(engine, query)
    back = stored(engine, query)
    assert (back.status, back.attempts, back.problem) == (QueryStatus.QUEUED, 1, None)
    assert engine.journal.written == []
    assert engine.queue.sent == []
    assert process(engine, query, count=2)
    assert (stored(engine, query).status, stored(engine, query).attempts) == (QueryStatus.SUCCEEDED, 2)
    assert engine.journal.story == [(query.id, "succeeded")]


def test_pauses_grow_to_a_bound() -> None:
    engine = QueryEngine()
    engine.add(provider("a", circuit=CircuitPolicy(failure_threshold=100)))
    query = queued(engine)
    pauses = []
    for count in (1, 2, 3, 4, 5, 6, 7, 8, 20):
        engine.providers.script("a", ProviderFailed("500"))
        assert not process(engine, query, count=count)
        pauses.append(hidden_s(engine))
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300]


def test_a_provider_that_asks_for_a_longer_pause_gets_it(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.providers.script("a", ProviderFailed("503", retry_after_s=120))
    assert not process(engine, query)
    assert hidden_s(engine) == 120


def test_what_nobody_foresaw_leaves_the_query_to_the_next_delivery(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.providers.script("a", RuntimeError("x"))
    with pytest.raises(RuntimeError):
        engine.worker.process(engine.delivery(query.id))
    assert engine.gates.all_ended_once
    assert hidden_s(engine) == LEASE_S
    engine.clock.sleep(LEASE_S)
    assert process(engine, query, count=2)
    assert stored(engine, query).status is QueryStatus.SUCCEEDED


# Stores that are away


@pytest.mark.parametrize("method", ["claim", "summary", "requeue"])
@pytest.mark.parametrize("count", [1, 4])
def test_a_store_that_is_away_means_later_and_nothing_is_lost(engine: QueryEngine, method: str, count: int) -> None:
    query = queued(engine)
    if method == "summary":
        engine.queries.port.claim(query.id, until=engine.clock.now() + timedelta(seconds=LEASE_S))
    if method == "requeue":
        engine.providers.script("a", ProviderFailed("500"))
    engine.queries.faults[method] = AWAY
    assert not process(engine, query, count=count)
    # Longer from time to time, or the message would soon be a dead letter.
    assert hidden_s(engine) == LEASE_S * count
    assert engine.journal.written == []
    assert engine.gates.all_ended_once
    engine.queries.faults.clear()
    engine.clock.sleep(LEASE_S)
    assert process(engine, query, count=2)
    assert stored(engine, query).status is QueryStatus.SUCCEEDED
    assert engine.journal.story == [(query.id, "succeeded")]


@pytest.mark.parametrize("times", [1, 2, 5])
def test_storing_what_was_paid_for_is_tried_again(engine: QueryEngine, times: int) -> None:
    query = queued(engine)
    engine.queries.faults["finish"] = [AWAY] * times
    assert process(engine, query)
    assert stored(engine, query).status is QueryStatus.SUCCEEDED
    assert len(engine.providers.called) == 1
    assert engine.journal.story == [(query.id, "succeeded")]
    assert engine.clock.slept_s == [1, 2, 4, 8, 16][:times]


def test_gates_that_are_away_are_a_failure(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.gates.refusals["a"] = [AWAY]
    assert not process(engine, query)
    assert stored(engine, query).status is QueryStatus.QUEUED
    assert engine.providers.called == []


def test_a_queue_that_is_away_does_not_stop_the_work(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queue.fault = AWAY
    assert process(engine, query)
    assert stored(engine, query).status is QueryStatus.SUCCEEDED


# Given back too late


@pytest.mark.parametrize("fault", [ProviderFailed("500"), ProviderRateLimited("Full.", retry_after_s=30)])
def test_a_query_that_was_cancelled_meanwhile_is_not_given_back(engine: QueryEngine, fault: Exception) -> None:
    query = queued(engine)
    engine.providers.script("a", fault)
    engine.queries.first["requeue"] = lambda: engine.queries.port.cancel(query.id)
    assert process(engine, query)
    assert stored(engine, query).status is QueryStatus.CANCELLED
    assert engine.queue.sent == []


@pytest.mark.parametrize("fault", [ProviderFailed("500"), ProviderRateLimited("Full.", retry_after_s=30)])
def test_a_query_that_another_has_taken_up_is_not_given_back(engine: QueryEngine, fault: Exception) -> None:
    query = queued(engine)
    engine.providers.script("a", fault)

    def taken_up() -> None:
        engine.clock.sleep(LEASE_S)
        assert engine.queries.port.claim(query.id, until=engine.clock.now() + timedelta(seconds=LEASE_S))

    engine.queries.first["requeue"] = taken_up
    assert not process(engine, query)
    assert hidden_s(engine) == LEASE_S
    assert stored(engine, query).status is QueryStatus.RUNNING
    assert engine.queue.sent == []


def test_a_complete_answer_that_cannot_be_used_is_not_paid_for_twice(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderResponseInvalid("Unknown reason.", usage=USAGE, complete=True))
    query = queued(engine)

    engine.worker.process(engine.delivery(query.id))

    found = stored(engine, query)
    assert (found.status, found.problem.code) == (QueryStatus.FAILED, "provider_response_invalid")
    assert found.problem.attempts[0].cost_usd is not None
    assert engine.queue.sent == []
