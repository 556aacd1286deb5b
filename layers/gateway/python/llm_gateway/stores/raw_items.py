"""A table's items as DynamoDB's API shows them, read as they are now: each attribute with its type."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from llm_gateway.stores.changes import RawItem
from llm_gateway.stores.connection import Aws

MAX_KEY_BYTES: Final = 1024
BY_COLLECTION: Final = "by_collection"
"""The index that a table has where its items' hash key is their own: it lists a collection's ids."""


class RawItems:
    def __init__(self, *, aws: Aws, table: str) -> None:
        self._aws = aws
        self._table = table

    def get(self, **key: str) -> RawItem | None:
        """The item of this key, its attributes by their names."""
        request = {"TableName": self._table, "Key": raw_key(key), "ConsistentRead": True}
        found: RawItem | None = self._aws.tables.call("GetItem", request).get("Item")
        return found

    def under(
        self, name: str, value: str, *, above: tuple[str, str] | None = None, limit: int | None = None
    ) -> Iterator[RawItem]:
        """The items whose hash key `name` is `value`, in order: those `above` a range key, and `limit` of them at most."""
        request = self._query(name, value, above)
        if limit is not None:
            request["Limit"] = limit
        return islice(self._pages(request), limit)

    def _query(self, name: str, value: str, above: tuple[str, str] | None) -> dict[str, Any]:
        names, values, condition = {"#key": name}, {":key": {"S": value}}, "#key = :key"
        if above is not None:
            names["#place"], values[":above"] = above[0], {"S": above[1]}
            condition += " AND #place > :above"
        return {
            "TableName": self._table,
            "ConsistentRead": True,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }

    def _pages(self, request: dict[str, Any]) -> Iterator[RawItem]:
        while True:
            page = self._aws.tables.call("Query", request)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            request = {**request, "ExclusiveStartKey": page["LastEvaluatedKey"]}


def raw_key(key: Mapping[str, str]) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in key.items()}


def is_key(text: object) -> bool:
    """Whether an item can have this key at all: DynamoDB refuses the question for one that is empty or too long."""
    return isinstance(text, str) and text.isprintable() and 0 < len(text.encode()) <= MAX_KEY_BYTES
