"""When keys were used last: the latest time stays, and one call asks for many."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from llm_gateway.ports.keys import KeyUses
from llm_gateway.stores.key_uses import StoredKeyUses, dynamo_key_uses

from tests.adapters.clock import FakeClock
from tests.adapters.items import InMemoryItems
from tests.adapters.key_uses import InMemoryKeyUses

KINDS: dict[str, Callable[[], KeyUses]] = {
    "fake": InMemoryKeyUses,
    "items": lambda: StoredKeyUses(items=InMemoryItems()),
}


@pytest.fixture(params=[*KINDS, "aws"])
def uses(request: pytest.FixtureRequest) -> KeyUses:
    if request.param == "aws":
        settings = request.getfixturevalue("settings")
        return dynamo_key_uses(aws=request.getfixturevalue("aws"), table=settings.limits_table)
    return KINDS[request.param]()


def test_a_key_that_was_never_used_has_no_time(uses: KeyUses) -> None:
    assert uses.last(["key_1"]) == {}
    assert uses.last([]) == {}


def test_each_key_has_its_own_last_time(uses: KeyUses, clock: FakeClock) -> None:
    first = clock.now()
    uses.note("key_1", at=first)
    uses.note("key_2", at=first + timedelta(microseconds=1))
    uses.note("key_1", at=first + timedelta(days=400))
    assert uses.last(["key_1", "key_2", "key_3"]) == {
        "key_1": first + timedelta(days=400),
        "key_2": first + timedelta(microseconds=1),
    }


def test_a_note_that_comes_late_changes_nothing(uses: KeyUses, clock: FakeClock) -> None:
    uses.note("key_1", at=clock.now())
    uses.note("key_1", at=clock.now() - timedelta(seconds=1))
    assert uses.last(["key_1"]) == {"key_1": clock.now()}


def test_a_last_use_does_not_expire(aws, settings, clock: FakeClock) -> None:
    dynamo_key_uses(aws=aws, table=settings.limits_table).note("key_1", at=clock.now())
    (item,) = aws.dynamodb.scan(TableName=settings.limits_table)["Items"]
    assert "expires_at" not in item
