"""The worker: every queued query is answered once, and no message is given up before its query is safe."""

from datetime import timedelta
from typing import Any

import pytest
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import (
    CallCancelled,
    ProviderFailed,
    ProviderRejected,
    ProviderResponseInvalid,
)
from llm_gateway.domain.keys import KeySpec, Role
from llm_gateway.domain.providers import CircuitPolicy, Timeouts
from llm_gateway.domain.queries import Query, QueryStatus

from tests.adapters.authors import BY
from tests.adapters.engine import provider, question
from tests.adapters.query_engine import QueryEngine
from tests.adapters.query_queue import Held
from tests.adapters.scripted_providers import USAGE, Says, failing
from tests.services.queries.worked import AWAY, LEASE_S, hidden_s, process, queued, stored

pytestmark = pytest.mark.usefixtures("no_lease_is_left")


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


# To its end


def test_a_query_is_answered(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.clock.sleep(5)
    engine.providers.script("a", Says(text="Done.", after_s=2))
    assert process(engine, query)
    ended = stored(engine, query)
    assert ended.status is QueryStatus.SUCCEEDED
    assert (ended.attempts, ended.lease) == (1, None)
    assert ended.answer is not None
    assert ended.answer.output.text == "Done."
    # Waiting in the queue is no part of it.
    assert ended.answer.latency.total_ms == 2000
    assert engine.journal.story == [(query.id, "succeeded")]
    assert engine.gates.all_ended_once
    assert engine.queue.sent == []
    assert engine.queue.held == [Held(delivery=engine.delivery(query.id), duration_s=LEASE_S)]


def test_its_time_runs_from_when_it_is_taken_up(engine: QueryEngine) -> None:
    query = queued(engine, timeout_s=50)
    engine.clock.sleep(49)
    assert process(engine, query)
    assert engine.providers.called[0].timeouts.total_s == 50


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (ProviderRejected("No."), "validation_failed"),
        (CallCancelled("x"), None),
    ],
)
def test_what_no_repetition_mends_is_its_end(engine: QueryEngine, fault: Exception, code: str | None) -> None:
    query = queued(engine)
    engine.providers.script("a", fault)
    assert process(engine, query)
    ended = stored(engine, query)
    assert ended.status is (QueryStatus.FAILED if code else QueryStatus.CANCELLED)
    assert (ended.problem.code if ended.problem else None) == code
    assert engine.journal.story == [(query.id, ended.status.value)]


def test_a_query_whose_time_is_up_has_failed(engine: QueryEngine) -> None:
    query = queued(engine, timeout_s=10)
    engine.providers.script("a", Says(after_s=100))
    assert process(engine, query)
    problem = stored(engine, query).problem
    assert problem is not None
    assert (problem.status, problem.code) == (504, "deadline_exceeded")
    assert [attempt.error_code for attempt in problem.attempts] == ["provider_timeout"]


def test_a_query_that_is_late_is_not_asked_any_more_and_truly_ends(engine: QueryEngine) -> None:
    query = queued(engine, timeout_s=30)
    engine.clock.sleep(30)
    assert process(engine, query)
    problem = stored(engine, query).problem
    assert problem is not None
    assert (problem.status, problem.code) == (504, "deadline_exceeded")
    assert "timeout_s of the query: 30 s" in problem.detail
    assert engine.providers.called == []
    assert engine.journal.story == [(query.id, "failed")]
    assert not process(engine, query) or engine.journal.story == [(query.id, "failed")]
    ended = stored(engine, query)
    assert (ended.attempts, ended.started_at) == (0, None)


def test_one_that_fails_for_good_reads_failed_soon_after_its_time(engine: QueryEngine) -> None:
    query = queued(engine, timeout_s=30)
    engine.providers.otherwise = failing(ProviderFailed, provider_message="Out of owls.")
    for count in range(1, 9):
        if process(engine, query, count=count):
            break
        reads = engine.queries.port.get(query.id)
        assert reads.status is (QueryStatus.QUEUED if engine.clock.monotonic_s() < 30 else QueryStatus.FAILED)
        engine.clock.sleep(hidden_s(engine))
    ended = stored(engine, query)
    assert engine.clock.monotonic_s() <= 32
    assert ended.status is QueryStatus.FAILED
    assert ended.problem is not None
    assert (ended.problem.code, ended.problem.provider_message) == ("provider_error", "Out of owls.")
    # Every call is an attempt, of whichever try.
    assert len(ended.problem.attempts) == len(engine.providers.called) == 3
    # It was taken up as often, and once more to be ended.
    assert (ended.attempts, ended.started_at) == (3, query.created_at)
    assert engine.journal.story == [(query.id, "failed")]
    assert len(engine.journal.calls) == 3


def test_nobody_reads_one_as_failed_that_is_worked_on(engine: QueryEngine) -> None:
    query = queued(engine, timeout_s=30)
    engine.clock.sleep(20)
    assert engine.queries.port.claim(query.id, until=engine.clock.now() + timedelta(seconds=LEASE_S))
    engine.clock.sleep(40)
    assert engine.queries.port.summary(query.id).status is QueryStatus.RUNNING
    # Its holder is dead.
    engine.clock.sleep(LEASE_S + 60)
    assert engine.queries.port.summary(query.id).status is QueryStatus.FAILED
    assert process(engine, query)
    assert engine.providers.called == []
    assert engine.journal.story == [(query.id, "failed")]


def test_a_later_try_has_what_is_left_of_the_time(engine: QueryEngine) -> None:
    query = queued(engine, timeout_s=30)
    engine.providers.script("a", failing(ProviderFailed))
    assert not process(engine, query)
    engine.clock.sleep(10)
    assert process(engine, query, count=2)
    assert [call.timeouts.total_s for call in engine.providers.called] == [30, 20]


def test_a_call_that_takes_too_long_is_repeated_once(engine: QueryEngine) -> None:
    engine.store.replace(provider("a", timeouts=Timeouts(total_s=60), revision=2), expected_revision=1)
    query = queued(engine, timeout_s=840)
    engine.providers.otherwise = Says(after_s=65)
    assert not process(engine, query)
    engine.clock.sleep(hidden_s(engine))
    assert process(engine, query, count=2)
    problem = stored(engine, query).problem
    assert problem is not None
    assert (problem.code, len(problem.attempts)) == ("provider_timeout", 2)
    assert "timeouts.total_s of provider a: 60 s" in problem.detail
    assert len(engine.providers.called) == 2


def test_what_was_paid_for_and_whole_is_not_asked_again(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.providers.script("a", failing(ProviderResponseInvalid, complete=True, usage=USAGE))
    assert process(engine, query)
    assert stored(engine, query).status is QueryStatus.FAILED
    assert len(engine.providers.called) == 1


def test_an_answer_tells_of_the_tries_before_it(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.providers.script("a", failing(ProviderFailed, usage=USAGE))
    assert not process(engine, query)
    engine.clock.sleep(hidden_s(engine))
    assert process(engine, query, count=2)
    answer = stored(engine, query).answer
    assert answer is not None
    assert [attempt.outcome.value for attempt in answer.attempts] == ["error", "ok"]
    assert answer.cost_usd == 2 * (answer.attempts[0].cost_usd or 0)


def test_the_tries_of_one_query_are_one_failure_to_the_circuit(engine: QueryEngine) -> None:
    config = provider("a", circuit=CircuitPolicy(failure_threshold=2), revision=2)
    engine.store.replace(config, expected_revision=1)
    query = queued(engine)
    engine.providers.otherwise = failing(ProviderFailed)
    for count in range(1, 5):
        assert not process(engine, query, count=count)
        engine.clock.sleep(hidden_s(engine))
    assert engine.gates.state(engine.store.get("a")).circuit is CircuitState.CLOSED


def test_a_provider_that_is_gone_meanwhile_is_told(engine: QueryEngine) -> None:
    query = queued(engine, provider="a")
    engine.store.delete("a", expected_revision=None)
    engine.add(provider("b"))
    assert process(engine, query)
    problem = stored(engine, query).problem
    assert problem is not None
    assert problem.code == "provider_not_found"
    assert engine.journal.story == [(query.id, "failed")]


# Delivered again


def test_the_queue_delivers_twice_and_the_query_runs_once(engine: QueryEngine) -> None:
    query = queued(engine)
    assert process(engine, query)
    assert process(engine, query)
    assert len(engine.providers.called) == 1
    assert engine.journal.story == [(query.id, "succeeded")]


def test_a_message_about_nothing_is_done_with(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.port.erase(query.id)
    assert process(engine, query)
    assert engine.providers.called == []


def test_a_message_about_a_query_that_was_cancelled_is_done_with(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.port.cancel(query.id)
    assert process(engine, query)
    assert engine.providers.called == []


def test_a_message_about_a_query_that_somebody_holds_stays(engine: QueryEngine) -> None:
    """It is what brings the query back, should its holder die."""
    query = queued(engine)
    assert engine.queries.port.claim(query.id, until=engine.clock.now() + timedelta(seconds=LEASE_S))
    assert not process(engine, query)
    assert hidden_s(engine) == LEASE_S
    assert engine.providers.called == []
    engine.clock.sleep(LEASE_S)
    assert process(engine, query, count=2)
    assert stored(engine, query).status is QueryStatus.SUCCEEDED
    assert stored(engine, query).attempts == 2


# The owner's key


def of_key(engine: QueryEngine, **said: Any) -> tuple[Query, str]:
    """A query that was accepted from the holder of a key, and the key's id."""
    key = engine.gateway.key_changes.create(KeySpec(**{"name": "A key", "role": Role.CALLER, **said}), by=BY).key
    query = engine.accept(engine.asked(question(mode="async", timeout_s=300), caller=key.caller()))
    engine.queue.sent.clear()
    return query, key.id


def test_what_was_queued_with_a_key_that_is_revoked_is_cancelled(engine: QueryEngine) -> None:
    query, key_id = of_key(engine)
    engine.gateway.key_changes.revoke(key_id, expected=None, by=BY)
    assert process(engine, query)
    cancelled = stored(engine, query)
    assert (cancelled.status, cancelled.attempts, cancelled.started_at) == (QueryStatus.CANCELLED, 0, None)
    assert process(engine, query), "a message that comes again finds it cancelled"
    assert engine.journal.story == [(query.id, "cancelled")]
    assert engine.journal.calls == []


def test_what_was_queued_with_a_key_that_has_ended_since_is_answered(engine: QueryEngine) -> None:
    query, _ = of_key(engine, expires_at=engine.clock.now() + timedelta(seconds=1))
    engine.clock.sleep(2)
    engine.providers.script("a", Says(text="Done."))
    assert process(engine, query)
    assert engine.journal.story == [(query.id, "succeeded")]


def test_while_keys_cannot_be_read_nothing_is_asked(engine: QueryEngine) -> None:
    query, _ = of_key(engine)
    engine.gateway.outside.key_store.fault = AWAY  # type: ignore[attr-defined]
    assert not process(engine, query)
    assert stored(engine, query).status is QueryStatus.RUNNING
    assert hidden_s(engine) == LEASE_S
