"""Items as DynamoDB shows them, page by page."""

from typing import Any, cast

from llm_gateway.stores.connection import Aws
from llm_gateway.stores.raw_items import RawItems

FIRST, SECOND, THIRD = ({"id": {"S": name}} for name in ("a", "b", "c"))


class Paged:
    """DynamoDB, as far as a table of two pages goes."""

    def __init__(self) -> None:
        self.tables = self
        self.asked: list[dict[str, Any]] = []

    def call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        assert operation == "Query"
        self.asked.append(request)
        if "ExclusiveStartKey" in request:
            assert request["ExclusiveStartKey"] == SECOND
            return {"Items": [THIRD]}
        return {"Items": [FIRST, SECOND], "LastEvaluatedKey": SECOND}


def items_of(paged: Paged) -> RawItems:
    return RawItems(aws=cast(Aws, paged), table="t")


def test_every_page_is_read() -> None:
    paged = Paged()
    assert list(items_of(paged).under("collection", "x")) == [FIRST, SECOND, THIRD]
    assert len(paged.asked) == 2
    assert all(each["ConsistentRead"] for each in paged.asked)


def test_no_page_is_read_that_nobody_wants() -> None:
    paged = Paged()
    assert list(items_of(paged).under("collection", "x", above=("id", "0"), limit=2)) == [FIRST, SECOND]
    [request] = paged.asked
    assert request["Limit"] == 2
    assert request["KeyConditionExpression"] == "#key = :key AND #place > :above"
    assert request["ExpressionAttributeNames"] == {"#key": "collection", "#place": "id"}
    assert request["ExpressionAttributeValues"] == {":key": {"S": "x"}, ":above": {"S": "0"}}
