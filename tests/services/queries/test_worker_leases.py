"""The worker's hold on a query and on its message, while it works and where it loses it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from llm_gateway.domain.chat import ChatAnswer
from llm_gateway.domain.faults import (
    CallCancelled,
    ProviderRefused,
)
from llm_gateway.domain.queries import Query, QueryStatus
from llm_gateway.ports.providers import Provider
from llm_gateway.ports.queries import Delivery
from llm_gateway.ports.system import Cancelled, never
from llm_gateway.services.queries.lease import Hold, keep_lease, keeper

from tests.adapters.engine import provider
from tests.adapters.query_engine import QueryEngine
from tests.adapters.scripted_providers import USAGE
from tests.patience import FOREVER_S, PATIENCE_S
from tests.services.queries.worked import AWAY, hidden_s, process, queued, stored


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


@pytest.fixture(autouse=True)
def _no_hold_is_left() -> Iterator[None]:
    yield
    assert keeper().count == 0


SHORT = timedelta(seconds=0.24)


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
    assert waiting.began.wait(PATIENCE_S)
    do()
    thread.join(PATIENCE_S)
    assert not thread.is_alive()
    return done


def after_renewals(engine: QueryEngine, number: int) -> None:
    wanted = engine.queries.count("renew") + number
    until = time.monotonic() + PATIENCE_S
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
        assert renewed.wait(PATIENCE_S)
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


def test_what_goes_wrong_unforeseen_does_not_end_a_lease(slow: QueryEngine, waiting: Waiting) -> None:
    query = queued(slow)

    def do() -> None:
        slow.queries.faults["renew"] = IndexError("pop from an empty list")
        after_renewals(slow, 5)
        del slow.queries.faults["renew"]
        after_renewals(slow, 2)
        waiting.answer.set()

    assert meanwhile(slow, query, waiting, do) == [True]
    assert stored(slow, query).status is QueryStatus.SUCCEEDED


def test_one_that_is_waited_for_keeps_no_other_waiting(engine: QueryEngine) -> None:
    """However many hold a query, and however long the store takes for one of them."""
    hangs = threading.Event()
    first, second = (engine.queries.claim(queued(engine).id, until=engine.clock.now() + SHORT) for _ in range(2))
    with ExitStack() as held:
        held.callback(hangs.set)
        held.enter_context(
            keep_lease(first, engine.queries, engine.clock, lease=SHORT, also=partial(hangs.wait, FOREVER_S))
        )
        held.enter_context(keep_lease(second, engine.queries, engine.clock, lease=SHORT))
        after_renewals(engine, 5)
        assert [thread.name for thread in threading.enumerate()].count("leases") == 1
        hangs.set()


def test_what_ends_soon_has_asked_for_nothing(engine: QueryEngine) -> None:
    held = engine.queries.claim(queued(engine).id, until=engine.clock.now() + SHORT)
    before = engine.queries.count("renew", "summary")
    with keep_lease(held, engine.queries, engine.clock, lease=timedelta(seconds=60)):
        time.sleep(0.3)
    assert engine.queries.count("renew", "summary") == before


def test_a_look_that_has_not_begun_is_not_asked_for_again(engine: QueryEngine) -> None:
    """A store that is slow would have ever more of them waiting."""
    held = engine.queries.claim(queued(engine).id, until=engine.clock.now() + SHORT)
    hold = Hold(query=held, store=engine.queries, clock=engine.clock, lease=SHORT, also=None)
    late_s = time.monotonic() + 60
    assert hold.takes_its_turn(late_s)
    assert not hold.takes_its_turn(late_s)
    hold.look()
    assert hold.takes_its_turn(late_s)


_LEASES = """
import sys, threading, time
from contextlib import ExitStack
from datetime import timedelta
from types import SimpleNamespace
from llm_gateway.services.queries.lease import Hold, keep_lease, keeper

sys.setswitchinterval(1e-6)
lease = SimpleNamespace(holder="a")
query = SimpleNamespace(id="qry_1", lease=lease)
looks = []
store = SimpleNamespace(
    summary=lambda _: looks.append(1) or SimpleNamespace(lease=lease, cancel_requested=False),
    renew=lambda *_, **__: looks.append(1) or True,
)
clock = SimpleNamespace(now=lambda: timedelta())

def hold(work):
    with keep_lease(query, store, clock, lease=timedelta(seconds=0.24)):
        work()
"""


def told(program: str) -> str:
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    done = subprocess.run([sys.executable, "-c", _LEASES + program], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_many_first_leases_have_one_keeper_and_none_is_left() -> None:
    program = """
meeting = threading.Barrier(8)
def first():
    meeting.wait()
    hold(lambda: time.sleep(0.05))
threads = [threading.Thread(target=first) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print([thread.name for thread in threading.enumerate()].count("leases"), keeper().count)
"""
    assert told(program) == "1 0\n"


def test_a_lease_is_looked_after_while_its_process_ends() -> None:
    program = """
hold(lambda: time.sleep(0.1))
def go_on():
    threading.main_thread().join()
    time.sleep(0.1)
    looks.clear()
    until = time.monotonic() + 30
    while len(looks) < 4 and time.monotonic() < until:
        time.sleep(0.01)
    print(len(looks) > 3)
threading.Thread(target=hold, args=(go_on,)).start()
"""
    assert told(program) == "True\n"
