"""When a key was used last: noted every five minutes, and never in a request's way."""

from datetime import timedelta

import pytest
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.services.keys.last_use import EVERY_S, LastUse

from tests.adapters.clock import FakeClock
from tests.adapters.key_uses import InMemoryKeyUses


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def uses() -> InMemoryKeyUses:
    return InMemoryKeyUses()


@pytest.fixture
def last_use(clock: FakeClock, uses: InMemoryKeyUses) -> LastUse:
    return LastUse(uses=uses, clock=clock)


def test_a_use_is_due_every_five_minutes(last_use: LastUse, clock: FakeClock) -> None:
    assert [last_use.is_due("key_1") for _ in range(3)] == [True, False, False]
    assert last_use.is_due("key_2")
    clock.advance(EVERY_S - 1)
    assert not last_use.is_due("key_1")
    clock.advance(1)
    assert [last_use.is_due("key_1") for _ in range(2)] == [True, False]


def test_a_note_says_when(last_use: LastUse, clock: FakeClock, uses: InMemoryKeyUses) -> None:
    last_use.note("key_1")
    clock.advance(1)
    last_use.note("key_1")
    start = clock.now() - timedelta(seconds=1)
    assert uses.noted == [("key_1", start), ("key_1", clock.now())]


def test_a_store_that_is_away_is_nobodys_fault(last_use: LastUse, uses: InMemoryKeyUses) -> None:
    uses.fault = DependencyUnavailable("away")
    last_use.note("key_1")
    assert uses.noted == []
