"""Whole tables, for backups: an operator's command reads and writes them, and no function may."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from llm_gateway.services.backups import KEYS
from llm_gateway.stores.connection import Aws, ConditionFailed, reaching

_HOLDING: Final = "backed up tables"


class DynamoConfigurationTables:
    """`names` has the tables in DynamoDB by what they are called in a backup."""

    def __init__(self, *, aws: Aws, names: Mapping[str, str]) -> None:
        self._aws = aws
        self._names = names

    def items(self, table: str) -> Iterator[Mapping[str, Any]]:
        start: dict[str, Any] = {}
        while True:
            with reaching(_HOLDING):
                page = self._aws.dynamodb.scan(TableName=self._names[table], ConsistentRead=True, **start)
            yield from page["Items"]
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def put_new(self, table: str, item: Mapping[str, Any]) -> bool:
        try:
            with reaching(_HOLDING):
                self._aws.dynamodb.put_item(
                    TableName=self._names[table],
                    Item=dict(item),
                    ConditionExpression="attribute_not_exists(#key)",
                    # An item is sought by all of its key, so that one attribute tells whether there is one.
                    ExpressionAttributeNames={"#key": KEYS[table][0]},
                )
        except ConditionFailed:
            return False
        return True
