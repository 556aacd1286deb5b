"""Denials: counted beside the requests, and entered when their minute is over."""

import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from llm_gateway.domain.audit.denials import Denial
from llm_gateway.domain.audit.entries import Actor, Outcome
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.services.audit.denials import Denials

from tests.adapters.audit_log import InMemoryAuditLog
from tests.adapters.clock import FakeClock
from tests.adapters.denial_counters import InMemoryDenialCounters

START = datetime(2026, 11, 22, 12, 0, 30, tzinfo=UTC)
STRANGER = Denial(actor=Actor(address="10.0.0.1"), action="request.unauthenticated")
CALLER = Denial(actor=Actor(key_id="key_1", role="caller"), action="provider.updated", target="update_provider")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(START)


@pytest.fixture
def log(clock: FakeClock) -> InMemoryAuditLog:
    return InMemoryAuditLog(clock)


@pytest.fixture
def counters(log: InMemoryAuditLog) -> InMemoryDenialCounters:
    return InMemoryDenialCounters(log)


@pytest.fixture
def denials(counters: InMemoryDenialCounters, clock: FakeClock) -> Denials:
    return Denials(counters=counters, clock=clock)


def test_a_minutes_denials_of_a_kind_are_one_entry(denials: Denials, log: InMemoryAuditLog, clock: FakeClock) -> None:
    for denial in (STRANGER, CALLER, STRANGER, STRANGER):
        denials.count(denial)
    clock.advance(60)
    denials.count(STRANGER)
    assert denials.append() == 2
    assert [(entry.deed.actor.name, entry.deed.action, entry.deed.count) for entry in log.entries] == [
        ("10.0.0.1", "request.unauthenticated", 3),
        ("key_1", "provider.updated", 1),
    ]
    assert {entry.deed.outcome for entry in log.entries} == {Outcome.DENIED}
    assert {str(entry.deed.after) for entry in log.entries} == {"{'minute': '2026-11-22T12:00:00.000Z'}"}


@pytest.mark.parametrize(("waited_s", "entered"), [(0, 0), (29, 0), (39, 0), (40, 1), (90, 1)])
def test_a_minute_is_over_some_seconds_after_its_end(
    denials: Denials, clock: FakeClock, waited_s: float, entered: int
) -> None:
    denials.count(STRANGER)
    clock.advance(waited_s)
    assert denials.append() == entered


def test_what_was_entered_is_not_entered_again(denials: Denials, log: InMemoryAuditLog, clock: FakeClock) -> None:
    denials.count(STRANGER)
    clock.advance(60)
    assert [denials.append() for _ in range(3)] == [1, 0, 0]
    clock.advance(60)
    assert denials.append() == 0
    assert len(log.entries) == 1


def test_a_latecomer_is_entered_after_all(
    denials: Denials, counters: InMemoryDenialCounters, log: InMemoryAuditLog, clock: FakeClock
) -> None:
    denials.append()
    clock.advance(60)
    denials.append()
    counters.count(STRANGER, minute=START.replace(second=0))
    clock.advance(60)
    assert denials.append() == 1


@pytest.mark.parametrize("outage_min", [10, 239, 700])
def test_what_an_outage_left_is_made_up_for(denials: Denials, clock: FakeClock, outage_min: int) -> None:
    denials.append()
    for _ in range(outage_min):
        denials.count(STRANGER)
        clock.advance(60)
    entered = 0
    for _ in range(5):
        entered += denials.append()
        clock.advance(60)
    assert entered == outage_min


def test_a_run_that_fails_loses_nothing(denials: Denials, log: InMemoryAuditLog, clock: FakeClock) -> None:
    denials.count(STRANGER)
    clock.advance(60)
    log.fault = DependencyUnavailable("The log is away.")
    with pytest.raises(DependencyUnavailable):
        denials.append()
    log.fault = None
    clock.advance(180)
    assert denials.append() == 1


def test_counting_never_raises(
    denials: Denials, counters: InMemoryDenialCounters, caplog: pytest.LogCaptureFixture
) -> None:
    counters.fault = DependencyUnavailable("The limits are away.")
    denials.count(STRANGER)
    assert "not counted: The limits are away." in caplog.text


def test_counting_waits_for_nobody(
    denials: Denials, counters: InMemoryDenialCounters, caplog: pytest.LogCaptureFixture
) -> None:
    going_on, begun = threading.Event(), threading.Semaphore(0)

    class Slow(InMemoryDenialCounters):
        def count(self, denial: Denial, *, minute: datetime) -> None:
            begun.release()
            going_on.wait(10)

    slow = replace(denials, counters=Slow(counters.log))
    threads = [threading.Thread(target=slow.count, args=(STRANGER,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert begun.acquire(timeout=10)
    slow.count(STRANGER)
    assert "too many" in caplog.text
    going_on.set()
    for thread in threads:
        thread.join()
