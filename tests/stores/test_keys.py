"""What a key store promises beyond what every collection does."""

from datetime import UTC, datetime

from llm_gateway.domain.keys import Role

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.values import api_key


def test_a_key_comes_back_as_it_was(stores: Stores) -> None:
    key = api_key(role=Role.ADMIN, expires_at=datetime(2027, 1, 1, tzinfo=UTC), revoked=True)
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
