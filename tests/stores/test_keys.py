"""What a key store promises beyond what every collection does."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from llm_gateway.domain.admins import Admins
from llm_gateway.domain.keys import ApiKey, Role
from llm_gateway.errors import AlreadyExists, NotFound, RevisionConflict

from tests.adapters.authors import BY
from tests.adapters.aws import connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.values import NOW, api_key


def test_a_key_comes_back_as_it_was(stores: Stores) -> None:
    key = api_key(role=Role.ADMIN, expires_at=datetime(2027, 1, 1, tzinfo=UTC), revoked_at=NOW)
    stores.keys.add(key)
    assert stores.keys.find(key.id) == key


def test_a_key_that_ends_is_not_deleted_by_the_table(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    stores_on_aws(aws, settings, clock, ids).keys.add(api_key(expires_at=datetime(2027, 1, 1, tzinfo=UTC)))
    (item,) = aws.dynamodb.scan(TableName=settings.keys_table)["Items"]
    assert "expires_at" not in item


def test_keys_are_listed_by_their_index(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    stores_on_aws(aws, settings, clock, ids).keys.add(api_key())
    found = aws.dynamodb.query(
        TableName=settings.keys_table,
        IndexName="by_collection",
        KeyConditionExpression="#c = :key",
        ExpressionAttributeNames={"#c": "collection"},
        ExpressionAttributeValues={":key": {"S": "key"}},
    )
    assert [item["key_id"]["S"] for item in found["Items"]] == [api_key().id]


def test_a_revoked_key_goes_when_nobody_needs_its_name(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    stores.keys.add(api_key())
    save(stores, api_key(revoked_at=NOW, revision=2), expected_revision=1)
    (item,) = aws.dynamodb.scan(TableName=settings.keys_table)["Items"]
    assert int(item["expires_at"]["N"]) - (NOW + timedelta(days=90)).timestamp() == pytest.approx(0, abs=1)


def save(stores: Stores, key: ApiKey, **how: Any) -> None:
    stores.audit.append(BY.deed(key.id), *stores.keys.saving(key, **how))


ADMIN = api_key(role=Role.ADMIN)
FIRST = Admins(ends={ADMIN.id: None}, revision=1)


def test_before_the_first_admin_there_are_none(stores: Stores) -> None:
    assert stores.keys.admins() == Admins()


def test_a_key_and_who_is_an_admin_are_written_together(stores: Stores) -> None:
    save(stores, ADMIN, expected_revision=None, admins=FIRST)
    assert (stores.keys.get(ADMIN.id), stores.keys.admins()) == (ADMIN, FIRST)
    ends = Admins(ends={ADMIN.id: datetime(2027, 1, 1, tzinfo=UTC)}, revision=2)
    save(stores, api_key(revision=2), expected_revision=1, admins=ends)
    assert (stores.keys.get(ADMIN.id).revision, stores.keys.admins()) == (2, ends)


@pytest.mark.parametrize(
    ("key", "expected_revision", "admins", "raised"),
    [
        (api_key(revision=3), 2, Admins(revision=2), RevisionConflict),
        (api_key(revision=2), 1, Admins(revision=1), RevisionConflict),
        (api_key(revision=2), 1, Admins(revision=3), RevisionConflict),
        (api_key(), None, Admins(revision=2), AlreadyExists),
        (api_key("key_another", revision=2), 1, Admins(revision=2), NotFound),
    ],
    ids=["stale key", "stale list", "list of the future", "taken id", "no key"],
)
def test_where_one_cannot_be_written_neither_is(stores: Stores, key, expected_revision, admins, raised) -> None:
    save(stores, ADMIN, expected_revision=None, admins=FIRST)
    with pytest.raises(raised):
        save(stores, key, expected_revision=expected_revision, admins=admins)
    assert (stores.keys.get(ADMIN.id), stores.keys.admins()) == (ADMIN, FIRST)
    assert stores.keys.page(limit=10, cursor=None).items == (ADMIN,)


def test_the_list_of_admins_is_no_key(stores: Stores) -> None:
    save(stores, ADMIN, expected_revision=None, admins=FIRST)
    assert stores.keys.find("admins") is None
    with pytest.raises(NotFound):
        stores.keys.get("admins")
    assert [key.id for key in stores.keys.page(limit=10, cursor=None).items] == [ADMIN.id]


def test_of_many_changes_at_once_one_is_done(emulator: str, clock: FakeClock) -> None:
    aws = connect(emulator)
    stores = stores_on_aws(aws, deploy(aws, name=f"test-{uuid4().hex[:12]}"), clock, FakeIds(clock))
    keys = [api_key(f"key_{number}") for number in range(8)]
    for key in keys:
        stores.keys.add(key)

    def change(key) -> bool:
        try:
            save(stores, replace(key, revision=2), expected_revision=1, admins=FIRST)
        except RevisionConflict:
            return False
        return True

    with ThreadPoolExecutor(len(keys)) as crowd:
        done = list(crowd.map(change, keys))
    assert sum(done) == 1
    assert [stores.keys.get(key.id).revision == 2 for key in keys] == done
