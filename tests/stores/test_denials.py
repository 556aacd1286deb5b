"""Counted denials: one number for each kind and actor of a minute, entered in the log once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from llm_gateway.domain.audit.denials import OTHERS, CountedDenials, Denial
from llm_gateway.domain.audit.entries import Actor, Outcome
from llm_gateway.stores import denials as under_test

from tests.adapters.aws import connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_in_memory, stores_on_aws
from tests.stores.values import NOW

MINUTE = NOW.replace(second=0, microsecond=0)
STRANGER = Denial(actor=Actor(address="10.0.0.1"), action="request.unauthenticated", request_id="req_1")
CALLER = Denial(
    actor=Actor(key_id="key_1", role="caller", address="10.0.0.1"),
    action="provider.updated",
    target="update_provider",
    request_id="req_2",
)


def counts(stores: Stores) -> dict[tuple[str | None, str], int]:
    return {
        (counted.denial.actor.name, counted.denial.action): counted.count for counted in stores.denials.counted(MINUTE)
    }


def test_denials_are_counted_by_kind_and_actor(stores: Stores) -> None:
    for denial in (STRANGER, STRANGER, CALLER, replace(STRANGER, actor=Actor(address="10.0.0.2")), STRANGER):
        stores.denials.count(denial, minute=MINUTE)
    stores.denials.count(STRANGER, minute=MINUTE + timedelta(minutes=1))
    assert counts(stores) == {
        ("10.0.0.1", "request.unauthenticated"): 3,
        ("10.0.0.2", "request.unauthenticated"): 1,
        ("key_1", "provider.updated"): 1,
    }
    assert stores.denials.counted(MINUTE + timedelta(minutes=9)) in ((), [])


def test_a_count_is_entered_once(stores: Stores) -> None:
    stores.denials.count(CALLER, minute=MINUTE)
    (counted,) = stores.denials.counted(MINUTE)
    assert stores.denials.enter(counted)
    assert not stores.denials.enter(counted)
    assert not stores.denials.counted(MINUTE)
    (kept,) = stores.audit.contents().kept
    assert '"outcome":"denied"' in kept.document


def test_a_count_that_grew_meanwhile_is_not_entered_as_it_was(stores: Stores) -> None:
    stores.denials.count(STRANGER, minute=MINUTE)
    (counted,) = stores.denials.counted(MINUTE)
    stores.denials.count(STRANGER, minute=MINUTE)
    assert not stores.denials.enter(counted)
    assert stores.audit.head() is None
    (counted,) = stores.denials.counted(MINUTE)
    assert stores.denials.enter(counted)


def test_it_is_noted_until_when_denials_were_entered(stores: Stores) -> None:
    assert stores.denials.entered_until() is None
    for until in (MINUTE, MINUTE + timedelta(minutes=1)):
        stores.denials.note_entered(until)
        assert stores.denials.entered_until() == until


def test_who_was_denied_last_is_told(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    elsewhere = replace(CALLER, actor=replace(CALLER.actor, address="10.9.9.9"), request_id="req_9")
    for denial in (CALLER, elsewhere):
        stores.denials.count(denial, minute=MINUTE)
    assert stores.denials.counted(MINUTE) == (CountedDenials(denial=elsewhere, minute=MINUTE, count=2),)
    deed = stores.denials.counted(MINUTE)[0].deed()
    assert (deed.actor, deed.outcome, deed.count) == (elsewhere.actor, Outcome.DENIED, 2)


def test_a_flood_from_many_addresses_is_counted_together_beyond_a_bound(
    aws, settings, clock: FakeClock, ids: FakeIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "MOST", 3)
    stores = stores_on_aws(aws, settings, clock, ids)
    strangers = [replace(STRANGER, actor=Actor(address=f"10.0.1.{number}")) for number in range(60)]
    for denial in (*strangers, *strangers):
        stores.denials.count(denial, minute=MINUTE)
    found = counts(stores)
    assert len(found) == 3 * under_test.SHARDS + 1
    assert sum(found.values()) == 120
    assert found[None, OTHERS] == 120 - 2 * 3 * under_test.SHARDS
    for counted in stores.denials.counted(MINUTE):
        assert stores.denials.enter(counted)
    assert not stores.denials.counted(MINUTE)


@pytest.mark.parametrize("where", ["memory", "emulator"])
def test_no_denial_is_lost_or_entered_twice_however_many_count_and_enter(
    where: str, request: pytest.FixtureRequest, clock: FakeClock, ids: FakeIds
) -> None:
    if where == "memory":
        stores = stores_in_memory(clock)
    else:
        aws = connect(request.getfixturevalue("emulator"))
        stores = stores_on_aws(aws, deploy(aws, name=f"test-{uuid4().hex[:12]}"), clock, ids)

    def act(number: int) -> int:
        if number % 4:
            stores.denials.count(STRANGER, minute=MINUTE)
            return 0
        return sum(counted.count for counted in stores.denials.counted(MINUTE) if stores.denials.enter(counted))

    with ThreadPoolExecutor(8) as threads:
        entered = sum(threads.map(act, range(80)))
    entered += sum(counted.count for counted in stores.denials.counted(MINUTE) if stores.denials.enter(counted))
    assert entered == 60
