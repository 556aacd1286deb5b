"""What AWS would bill for a gateway's calls to its stores, counted as AWS counts: units of DynamoDB, requests of the others."""

import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from llm_gateway.stores.connection import Aws

if TYPE_CHECKING:
    from collections.abc import Iterator

READ_BYTES = 4_096
WRITE_BYTES = 1_024


@dataclass
class Meter:
    """`units` has "writes" and "reads" of DynamoDB, and a count for each operation of another service.

    A write to an item that is in an index is counted as a write to that index, too; DynamoDB bills it only where what the
    index holds has changed, so the count is what it may be at most.
    """

    aws: Aws
    units: Counter[str] = field(default_factory=Counter)
    _asked: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    _looking: threading.local = field(default_factory=threading.local)
    _indexes: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    _adding: threading.Lock = field(default_factory=threading.Lock)

    def attach(self) -> None:
        for client in (self.aws.dynamodb, self.aws.dynamodb_once, self.aws.s3, self.aws.sqs, self.aws.secrets_manager):
            client.meta.events.register("before-parameter-build", self._begin)
            client.meta.events.register("after-call", self._end)

    def _begin(self, params: dict[str, Any], model: Any, **_: object) -> None:
        self._asked[threading.get_ident()] = (model.name, dict(params))

    def _end(self, parsed: dict[str, Any], model: Any, **_: object) -> None:
        if getattr(self._looking, "now", False):
            return
        name, params = self._asked[threading.get_ident()]
        counted = self._counted(model.service_model.service_name, name, params, parsed)
        with self._adding:
            self.units.update(counted)

    def _counted(self, service: str, name: str, params: dict[str, Any], parsed: dict[str, Any]) -> dict[str, Any]:
        if service != "dynamodb":
            return {name: 1}
        if name == "TransactWriteItems":
            writes = [single for write in params["TransactItems"] for single in write.items()]
            return {"writes": sum(2 * self._written(kind, single) for kind, single in writes)}
        if name in ("PutItem", "UpdateItem", "DeleteItem"):
            return {"writes": self._written(name.removesuffix("Item"), params)}
        if name == "BatchWriteItem":
            puts = [
                {"TableName": table, "Item": write["PutRequest"]["Item"]}
                for table, writes in params["RequestItems"].items()
                for write in writes
            ]
            return {"writes": sum(self._written("Put", put) for put in puts)}
        return {"reads": _read(name, params, parsed)}

    def _written(self, kind: str, params: dict[str, Any]) -> int:
        item = params.get("Item") or self._found(params["TableName"], params["Key"])
        indexes = [] if kind == "ConditionCheck" else self._indexes_of(params["TableName"])
        held_by = sum(all(key in item for key in keys) for keys in indexes)
        return max(1, ceil(size_of(item) / WRITE_BYTES)) + held_by

    def _found(self, table: str, key: dict[str, Any]) -> dict[str, Any]:
        with self._looked():
            return self.aws.dynamodb.get_item(TableName=table, Key=key).get("Item", {})

    def _indexes_of(self, table: str) -> list[tuple[str, ...]]:
        if table not in self._indexes:
            with self._looked():
                described = self.aws.dynamodb.describe_table(TableName=table)["Table"]
            self._indexes[table] = [
                tuple(key["AttributeName"] for key in index["KeySchema"])
                for index in described.get("GlobalSecondaryIndexes", [])
            ]
        return self._indexes[table]

    @contextmanager
    def _looked(self) -> "Iterator[None]":
        self._looking.now = True
        try:
            yield
        finally:
            self._looking.now = False


def _read(name: str, params: dict[str, Any], parsed: dict[str, Any]) -> float:
    if name == "BatchGetItem":
        tables = params["RequestItems"]
        missing = sum(len(asked["Keys"]) for asked in tables.values()) - sum(map(len, parsed["Responses"].values()))
        found = [
            _read_units(item, consistent=tables[table].get("ConsistentRead", False))
            for table, items in parsed["Responses"].items()
            for item in items
        ]
        return sum(found) + 0.5 * missing
    items = parsed.get("Items") or [parsed.get("Item", {})]
    return sum(_read_units(item, consistent=params.get("ConsistentRead", False)) for item in items)


def _read_units(item: dict[str, Any], *, consistent: bool) -> float:
    return max(1, ceil(size_of(item) / READ_BYTES)) * (1 if consistent else 0.5)


def size_of(item: dict[str, Any]) -> int:
    """An item's bytes, nearly as DynamoDB counts them: names and values."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(typed: dict[str, Any]) -> int:
    ((kind, value),) = typed.items()
    match kind:
        case "S":
            return len(value.encode())
        case "N":
            return len(value) // 2 + 2
        case "B":
            return len(value)
        case "M":
            return 3 + size_of(value) + len(value)
        case "L":
            return 3 + sum(_value_size(part) + 1 for part in value)
        case "SS":
            return sum(len(part.encode()) for part in value)
        case "BOOL" | "NULL":
            return 1
    raise ValueError(json.dumps(typed))
