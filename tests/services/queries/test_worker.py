"""The worker: every queued query is answered once, and no message is given up before its query is safe."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from llm_gateway.domain.chat import ChatAnswer
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import (
    CallCancelled,
    CircuitOpen,
    ProviderBusy,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
    ProviderResponseInvalid,
    ProviderTimeout,
)
from llm_gateway.domain.keys import KeySpec, Role
from llm_gateway.domain.providers import CircuitPolicy, Timeouts
from llm_gateway.domain.queries import Query, QueryProblem, QueryStatus
from llm_gateway.errors import DependencyUnavailable, NotDone
from llm_gateway.ports.providers import Provider
from llm_gateway.ports.queries import Delivery
from llm_gateway.ports.system import Cancelled, never
from llm_gateway.services.queries.lease import keep_lease

from tests.adapters.authors import BY
from tests.adapters.engine import provider, question
from tests.adapters.query_engine import QueryEngine
from tests.adapters.query_queue import Held, Sent
from tests.adapters.scripted_providers import USAGE, Says, failing

AWAY = DependencyUnavailable("It cannot be reached.")
LEASE_S = 60
SHORT = timedelta(seconds=0.24)


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "lease"] == []


def queued(engine: QueryEngine, **changes: object) -> Query:
    """A query that was accepted; its message is not sent again by whatever follows."""
    request = question(**{"mode": "async", "timeout_s": 300, **changes})
    query = engine.accept(engine.asked(request))
    engine.queue.sent.clear()
    return query


def stored(engine: QueryEngine, query: Query) -> Query:
    found = engine.queries.port.get(query.id)
    assert found is not None
    result: Query = found
    return result


def process(engine: QueryEngine, query: Query, *, count: int = 1) -> bool:
    """Whether the message is done with."""
    try:
        engine.worker.process(engine.delivery(query.id, count=count))
    except NotDone:
        return False
    return True


def hidden_s(engine: QueryEngine) -> float:
    """How long the message is kept back from now on."""
    return engine.queue.held[-1].duration_s


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
    assert ended.attempts == 1
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


@pytest.mark.parametrize("method", ["claim", "summary", "requeue", "finish"])
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


@pytest.mark.parametrize("times", [1, 2])
def test_storing_what_was_paid_for_is_tried_again(engine: QueryEngine, times: int) -> None:
    query = queued(engine)
    engine.queries.faults["finish"] = [AWAY] * times
    assert process(engine, query)
    assert stored(engine, query).status is QueryStatus.SUCCEEDED
    assert len(engine.providers.called) == 1
    assert engine.journal.story == [(query.id, "succeeded")]
    assert engine.clock.slept_s == [1, 2][:times]


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


# Held


@dataclass
class Waiting(Provider):
    """Answers (or raises `fault`) when `answer` says so, or breaks off once nobody wants the answer."""

    began: threading.Event = field(default_factory=threading.Event)
    broken_off: threading.Event = field(default_factory=threading.Event)
    answer: threading.Event = field(default_factory=threading.Event)
    fault: Exception | None = None

    def open(self, *_: object) -> Provider:
        return self

    def complete(self, request, *, timeouts, cancelled: Cancelled = never) -> ChatAnswer:  # type: ignore[no-untyped-def]
        self.began.set()
        while not self.answer.wait(0.005):
            if cancelled():
                self.broken_off.set()
                raise CallCancelled("The call was broken off.")
        if self.fault:
            raise self.fault
        return ChatAnswer(text="Late.", finish_reason="stop", model="a-model", usage=USAGE)  # type: ignore[arg-type]


@pytest.fixture
def waiting() -> Waiting:
    return Waiting()


@pytest.fixture
def slow(waiting: Waiting) -> QueryEngine:
    """An engine whose provider waits, under a lease so short that it is renewed all the time."""
    engine = QueryEngine(real_providers=waiting, lease=SHORT)  # type: ignore[arg-type]
    return engine.add(provider("a"))  # type: ignore[return-value]


def meanwhile(engine: QueryEngine, query: Query, waiting: Waiting, do: Callable[[], object]) -> list[bool]:
    """Does something while the query is worked on; whether its message was then done with."""
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(process(engine, query)))
    thread.start()
    assert waiting.began.wait(5)
    do()
    thread.join(5)
    assert not thread.is_alive()
    return done


def after_renewals(engine: QueryEngine, number: int) -> None:
    wanted = engine.queries.count("renew") + number
    until = time.monotonic() + 5
    while engine.queries.count("renew") < wanted and time.monotonic() < until:
        time.sleep(0.005)
    assert engine.queries.count("renew") >= wanted


def test_query_and_message_are_kept_while_the_work_goes_on(slow: QueryEngine, waiting: Waiting) -> None:
    query = queued(slow)

    def go_on() -> None:
        until = stored(slow, query).lease
        slow.clock.sleep(0.1)
        after_renewals(slow, 3)
        renewed = stored(slow, query).lease
        assert until is not None
        assert renewed is not None
        assert renewed.until > until.until
        assert renewed.holder == until.holder
        waiting.answer.set()

    assert meanwhile(slow, query, waiting, go_on) == [True]
    assert len(slow.queue.held) >= 3
    assert {held.duration_s for held in slow.queue.held} == {SHORT.total_seconds()}
    assert stored(slow, query).status is QueryStatus.SUCCEEDED


def test_a_renewal_under_way_does_not_undo_the_pause_before_the_next_try(slow: QueryEngine, waiting: Waiting) -> None:
    query, renewed = queued(slow), threading.Event()
    renew, hold, seen_to = slow.queries.port.renew, slow.queue.hold, threading.Event()

    def slowly(*given: Any, **named: Any) -> bool:
        done: bool = renew(*given, **named)
        renewed.set()
        seen_to.wait(0.2)
        return done

    def noted(delivery: Delivery, *, duration_s: float) -> None:
        hold(delivery, duration_s=duration_s)
        if duration_s != SHORT.total_seconds():
            seen_to.set()

    slow.queries.port.renew, slow.queue.hold = slowly, noted  # type: ignore[method-assign]
    waiting.fault = ProviderRefused("403")

    def fail() -> None:
        assert renewed.wait(5)
        waiting.answer.set()

    assert meanwhile(slow, query, waiting, fail) == [False]
    assert hidden_s(slow) == 5


def test_a_query_that_is_cancelled_stops_its_call(slow: QueryEngine, waiting: Waiting) -> None:
    query = queued(slow)
    assert meanwhile(slow, query, waiting, lambda: slow.queries.port.cancel(query.id)) == [True]
    assert waiting.broken_off.is_set()
    ended = stored(slow, query)
    assert ended.status is QueryStatus.CANCELLED
    assert slow.journal.story == [(query.id, "cancelled")]
    assert slow.gates.all_ended_once
    assert [result.cancelled for result in slow.gates.results] == [True]
    assert ended.answer is not None
    assert ended.answer.cost_usd is not None


def test_a_query_that_is_erased_stops_its_call(slow: QueryEngine, waiting: Waiting) -> None:
    query = queued(slow)
    assert meanwhile(slow, query, waiting, lambda: slow.queries.port.erase(query.id)) == [True]
    assert waiting.broken_off.is_set()
    assert slow.queries.port.get(query.id) is None


def test_a_lost_lease_stops_the_call_and_leaves_the_message(slow: QueryEngine, waiting: Waiting) -> None:
    """Deleting it might delete the delivery by which the other one works."""
    query = queued(slow)

    def taken_up_by_another() -> None:
        slow.clock.sleep(SHORT.total_seconds() * 100)
        assert slow.queries.port.claim(query.id, until=slow.clock.now() + timedelta(hours=1))

    slow.queries.faults["renew"] = AWAY

    def do() -> None:
        taken_up_by_another()
        slow.queries.faults.clear()

    assert meanwhile(slow, query, waiting, do) == [False]
    assert waiting.broken_off.is_set()
    assert stored(slow, query).status is QueryStatus.RUNNING
    assert slow.journal.written == []


def test_a_lost_lease_does_not_lose_an_answer(slow: QueryEngine, waiting: Waiting) -> None:
    """It was paid for, so it counts from the worker that brings it first; the other one's is not journaled."""
    query = queued(slow)
    slow.queries.faults["renew"] = AWAY

    def do() -> None:
        slow.clock.sleep(SHORT.total_seconds() * 100)
        assert slow.queries.port.claim(query.id, until=slow.clock.now() + timedelta(hours=1))
        waiting.answer.set()

    assert meanwhile(slow, query, waiting, do) == [True]
    assert stored(slow, query).status is QueryStatus.SUCCEEDED
    assert slow.journal.story == [(query.id, "succeeded")]


def test_a_query_that_another_has_answered_is_not_journaled_twice(slow: QueryEngine, waiting: Waiting) -> None:
    query = queued(slow)
    slow.queries.faults["renew"] = AWAY

    def do() -> None:
        slow.clock.sleep(SHORT.total_seconds() * 100)
        other = QueryEngine(queue=slow.queue, journal=slow.journal).add(provider("a"))
        other.clock = slow.clock
        other.queries = slow.queries
        assert process(other, query, count=2)  # type: ignore[arg-type]
        waiting.answer.set()

    assert meanwhile(slow, query, waiting, do) == [True]
    assert slow.journal.story == [(query.id, "succeeded")]
    ended = stored(slow, query).answer
    assert ended is not None
    assert ended.output.text == "Hello there."


def test_a_lease_outlasts_failed_renewals(slow: QueryEngine, waiting: Waiting) -> None:
    query = queued(slow)

    def do() -> None:
        slow.queries.faults["renew"] = AWAY
        after_renewals(slow, 5)
        del slow.queries.faults["renew"]
        after_renewals(slow, 2)
        waiting.answer.set()

    assert meanwhile(slow, query, waiting, do) == [True]
    assert not waiting.broken_off.is_set()
    assert stored(slow, query).status is QueryStatus.SUCCEEDED


def test_a_block_that_fails_is_held_no_longer(engine: QueryEngine) -> None:
    query = queued(engine)
    held = engine.queries.claim(query.id, until=engine.clock.now() + SHORT)
    with pytest.raises(ZeroDivisionError), keep_lease(held, engine.queries, engine.clock, lease=SHORT):
        raise ZeroDivisionError
    renewals = engine.queries.count("renew")
    time.sleep(0.1)
    assert engine.queries.count("renew") == renewals


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
    assert engine.queue.sent == []


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
    assert stored(engine, query).status is QueryStatus.CANCELLED
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
