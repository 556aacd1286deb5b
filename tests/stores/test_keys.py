"""What a key store promises."""

from datetime import UTC, datetime

import pytest
from llm_gateway.domain.keys import Role
from llm_gateway.errors import AlreadyExists

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.values import api_key


def test_a_key_comes_back_as_it_was(stores: Stores) -> None:
    key = api_key(role=Role.ADMIN, expires_at=datetime(2027, 1, 1, tzinfo=UTC), revoked=True)
    stores.keys.add(key)
    assert stores.keys.get(key.id) == key


def test_a_taken_id_is_refused_and_the_first_key_stays(stores: Stores) -> None:
    stores.keys.add(api_key(name="first"))
    with pytest.raises(AlreadyExists):
        stores.keys.add(api_key(name="second"))
    found = stores.keys.get(api_key().id)
    assert found is not None
    assert found.name == "first"


@pytest.mark.parametrize("key_id", ["key_unknown", "", "k" * 3000, "key_\ud800", "key_\x00"])
def test_an_id_that_nobody_has_is_no_key(stores: Stores, key_id: str) -> None:
    assert stores.keys.get(key_id) is None


def test_a_key_is_read_anew_every_time(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    here = stores_on_aws(aws, settings, clock, ids).keys
    assert here.get(api_key().id) is None
    stores_on_aws(aws, settings, clock, ids).keys.add(api_key())
    assert here.get(api_key().id) == api_key()


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
