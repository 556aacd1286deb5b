"""Doing once: a second request gets the first answer, and what came to nothing may be tried again."""

from datetime import timedelta
from typing import Any

import pytest
from llm_gateway.errors import AlreadyExists, DependencyUnavailable, IdempotencyConflict, QueryInProgress
from llm_gateway.services.replay import Claims, Replay

from tests.adapters.clock import FakeClock
from tests.adapters.idempotency_store import InMemoryIdempotencyStore
from tests.adapters.ids import FakeIds
from tests.adapters.query_engine import idempotency
from tests.adapters.watched import Watched

AWAY = DependencyUnavailable("It cannot be reached.")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(clock: FakeClock) -> Any:
    return Watched(InMemoryIdempotencyStore(clock))


@pytest.fixture
def replay(store: Any, clock: FakeClock) -> Replay:
    return Replay(claims=Claims(store=store, clock=clock), ids=FakeIds(clock))


class Creation:
    """Makes something new each time; raises `faults` first."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.made = 0

    def __call__(self) -> bytes:
        if self.faults:
            raise self.faults.pop(0)
        self.made += 1
        return b"thing %d" % self.made


def test_under_a_key_it_is_done_once(replay: Replay) -> None:
    create = Creation()
    assert [replay.do(idempotency(), create) for _ in range(3)] == [(b"thing 1", False), *[(b"thing 1", True)] * 2]
    assert replay.do(idempotency("another"), create) == (b"thing 2", False)


def test_another_body_is_another_request(replay: Replay) -> None:
    replay.do(idempotency(), Creation())
    with pytest.raises(IdempotencyConflict):
        replay.do(idempotency(fingerprint="another"), Creation())


def test_a_first_one_that_still_runs_is_waited_for(replay: Replay, clock: FakeClock) -> None:
    inner: list[Exception] = []

    def create() -> bytes:
        with pytest.raises(QueryInProgress) as caught:
            replay.do(idempotency(), Creation())
        inner.append(caught.value)
        with pytest.raises(IdempotencyConflict):
            replay.do(idempotency(fingerprint="another"), Creation())
        return b"first"

    assert replay.do(idempotency(), create) == (b"first", False)
    assert [error.retry_after_s for error in inner] == [1]  # type: ignore[attr-defined]


def test_one_that_died_is_not_waited_for_for_ever(replay: Replay, store: Any, clock: FakeClock) -> None:
    store.port.claim("scope", fingerprint="body", reference="dead", until=clock.now() + timedelta(seconds=60))
    clock.sleep(60)
    assert replay.do(idempotency(), Creation()) == (b"thing 1", False)


@pytest.mark.parametrize("fault", [AlreadyExists("taken"), AWAY, ZeroDivisionError()])
def test_what_came_to_nothing_does_not_use_the_key_up(replay: Replay, fault: Exception) -> None:
    create = Creation(fault)
    with pytest.raises(type(fault)):
        replay.do(idempotency(), create)
    assert replay.do(idempotency(), create) == (b"thing 1", False)


def test_a_fault_is_told_even_where_the_key_cannot_be_freed(replay: Replay, store: Any) -> None:
    store.faults["release"] = AWAY
    with pytest.raises(AlreadyExists):
        replay.do(idempotency(), Creation(AlreadyExists("taken")))


def test_where_nobody_can_tell_whether_it_was_done_it_is_not(replay: Replay, store: Any) -> None:
    store.faults["claim"] = AWAY
    create = Creation()
    with pytest.raises(DependencyUnavailable):
        replay.do(idempotency(), create)
    assert create.made == 0


def test_what_was_made_is_told_even_where_it_cannot_be_remembered(replay: Replay, store: Any) -> None:
    store.faults["complete"] = AWAY
    create = Creation()
    assert replay.do(idempotency(), create) == (b"thing 1", False)
    with pytest.raises(QueryInProgress):
        replay.do(idempotency(), create)
    assert create.made == 1


def test_a_key_is_kept_for_a_day(replay: Replay, clock: FakeClock) -> None:
    create = Creation()
    replay.do(idempotency(), create)
    clock.sleep(24 * 3600 - 1)
    assert replay.do(idempotency(), create) == (b"thing 1", True)
    clock.sleep(1)
    assert replay.do(idempotency(), create) == (b"thing 2", False)
