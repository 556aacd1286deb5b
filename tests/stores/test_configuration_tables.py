"""Whole tables are read page by page, and what is put back never takes another item's place."""

from llm_gateway.settings import Settings
from llm_gateway.stores.configuration_tables import DynamoConfigurationTables
from llm_gateway.stores.connection import Aws


def tables(aws: Aws, settings: Settings) -> DynamoConfigurationTables:
    names = {"keys": settings.keys_table, "providers": settings.providers_table, "prompts": settings.prompts_table}
    return DynamoConfigurationTables(aws=aws, names=names)


def test_more_than_a_page_of_items_comes_whole(aws: Aws, settings: Settings) -> None:
    kept = tables(aws, settings)
    items = [
        {"collection": {"S": "large"}, "place": {"S": f"{number}"}, "body": {"S": "x" * 390_000}} for number in range(4)
    ]
    # DynamoDB hands out a megabyte at a time.
    assert [kept.put_new("prompts", item) for item in items] == [True] * 4
    found = [item for item in kept.items("prompts") if item["collection"] == {"S": "large"}]
    assert sorted(found, key=lambda item: str(item["place"])) == items


def test_an_item_that_is_there_stays(aws: Aws, settings: Settings) -> None:
    kept = tables(aws, settings)
    first = {"key_id": {"S": "key_there"}, "hash": {"B": b"\x00\xff"}}
    assert kept.put_new("keys", first)
    assert not kept.put_new("keys", {"key_id": {"S": "key_there"}, "hash": {"B": b"other"}})
    assert [item for item in kept.items("keys") if item["key_id"] == {"S": "key_there"}] == [first]
    place = {"collection": {"S": "providers"}, "provider_id": {"S": "a"}}
    assert [kept.put_new("providers", {**place, "provider_id": {"S": name}}) for name in "aab"] == [True, False, True]
