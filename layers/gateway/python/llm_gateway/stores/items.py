"""Conditional writes carried out by DynamoDB: one `UpdateItem` each, which answers with the item as it is now, done or not.

Plain requests of botocore's client, not PynamoDB's: PynamoDB drops the item of a failed condition, and that is half the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Protocol, assert_never

from botocore.exceptions import ClientError

from llm_gateway.domain.writes import (
    Above,
    Absent,
    Add,
    AtMost,
    Change,
    Condition,
    Contains,
    EntryEqual,
    Equal,
    Item,
    Lacks,
    Put,
    PutEntry,
    Remove,
    RemoveEntry,
    SmallerThan,
    Value,
    Write,
)
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.stores.connection import CONDITION_FAILED, RETRY_AFTER_S, Aws, error_code, reaching

_BATCH: Final = 100
_BATCH_TRIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Whether a write was done, and the item after it, or as it met it."""

    done: bool
    item: Item


class Items(Protocol):
    """A table of items by one key, as the rules of `domain.writes` see it."""

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        """Carries out `write`, unless its conditions fail. One that is not `repeatable` is sent once, answered or not."""
        ...

    def read(self, keys: Sequence[str]) -> dict[str, Item]:
        """The items of these keys as they are now; an absent one is empty."""
        ...


class DynamoItems:
    def __init__(self, *, aws: Aws, table: str, key_name: str, holding: str) -> None:
        self._aws = aws
        self._table = table
        self._key_name = key_name
        self._holding = holding

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        with reaching(self._holding):
            client = self._aws.dynamodb if repeatable else self._aws.dynamodb_once
            try:
                answer: Any = client.update_item(
                    TableName=self._table,
                    Key={self._key_name: {"S": key}},
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                    **_expressions(write),
                )
            except ClientError as fault:
                if error_code(fault) != CONDITION_FAILED:
                    raise
                met: Any = fault.response
                return Outcome(done=False, item=self._from_dynamodb(met.get("Item", {})))
        return Outcome(done=True, item=self._from_dynamodb(answer["Attributes"]))

    def read(self, keys: Sequence[str]) -> dict[str, Item]:
        found: dict[str, Item] = {key: {} for key in keys}
        with reaching(self._holding):
            for start in range(0, len(keys), _BATCH):
                for raw in self._batch(keys[start : start + _BATCH]):
                    found[raw[self._key_name]["S"]] = self._from_dynamodb(raw)
        return found

    def _batch(self, keys: Sequence[str]) -> list[Any]:
        found: list[Any] = []
        asked = [{self._key_name: {"S": key}} for key in keys]
        left: Mapping[str, Any] = {self._table: {"Keys": asked, "ConsistentRead": True}}
        for _ in range(_BATCH_TRIES):
            answer = self._aws.dynamodb.batch_get_item(RequestItems=left)
            found += answer["Responses"].get(self._table, [])
            left = answer["UnprocessedKeys"]
            if not left:
                return found
        detail = f"The store of {self._holding} is too busy right now."
        raise DependencyUnavailable(detail, retry_after_s=RETRY_AFTER_S)

    def _from_dynamodb(self, raw: Mapping[str, Any]) -> Item:
        return {name: _value(value) for name, value in raw.items() if name != self._key_name}


@dataclass(frozen=True, slots=True)
class _Placeholders:
    """Names and values of a request's expressions, each under a placeholder: any of them may be one of DynamoDB's 573 words."""

    names: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)

    def name(self, *path: str) -> str:
        return ".".join(self.names.setdefault(part, f"#{len(self.names)}") for part in path)

    def value(self, value: Value) -> str:
        placeholder = f":{len(self.values)}"
        self.values[placeholder] = _to_dynamodb(value)
        return placeholder


def _expressions(write: Write) -> dict[str, Any]:
    """The members of an `UpdateItem` request that say what `write` says."""
    used = _Placeholders()
    clauses: dict[str, list[str]] = {}
    for change in write.changes:
        verb, clause = _clause(change, used)
        clauses.setdefault(verb, []).append(clause)
    members: dict[str, Any] = {
        "UpdateExpression": " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses.items()),
        "ConditionExpression": " AND ".join(_condition(condition, used) for condition in write.conditions),
        "ExpressionAttributeNames": {placeholder: name for name, placeholder in used.names.items()},
        "ExpressionAttributeValues": used.values,
    }
    return {name: member for name, member in members.items() if member}


def _condition(condition: Condition, used: _Placeholders) -> str:
    match condition:
        case Absent(path):
            return f"attribute_not_exists({used.name(path)})"
        case Equal(path, value):
            return f"{used.name(path)} = {used.value(value)}"
        case AtMost(path, value):
            return f"(attribute_not_exists({used.name(path)}) OR {used.name(path)} <= {used.value(value)})"
        case Above(path, value):
            return f"{used.name(path)} > {used.value(value)}"
        case Contains(path, entry):
            return f"attribute_exists({used.name(path, entry)})"
        case Lacks(path, entry):
            # DynamoDB needs no first half; moto fails without it.
            return f"attribute_exists({used.name(path)}) AND attribute_not_exists({used.name(path, entry)})"
        case EntryEqual(path, entry, value):
            return f"{used.name(path, entry)} = {used.value(value)}"
        case SmallerThan(path, entries):
            # DynamoDB needs no first half; moto fails without it.
            return f"attribute_exists({used.name(path)}) AND size({used.name(path)}) < {used.value(entries)}"
    assert_never(condition)


def _clause(change: Change, used: _Placeholders) -> tuple[str, str]:
    match change:
        case Put(path, value):
            return "SET", f"{used.name(path)} = {used.value(value)}"
        case PutEntry(path, entry, value):
            return "SET", f"{used.name(path, entry)} = {used.value(value)}"
        case Add(path, value):
            return "ADD", f"{used.name(path)} {used.value(value)}"
        case Remove(path):
            return "REMOVE", used.name(path)
        case RemoveEntry(path, entry):
            return "REMOVE", used.name(path, entry)
    assert_never(change)


def _to_dynamodb(value: Value) -> dict[str, Any]:
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, Mapping):
        return {"M": {name: _to_dynamodb(entry) for name, entry in value.items()}}
    # An exponent would be valid, but not every emulator reads one.
    return {"N": f"{value:f}" if isinstance(value, Decimal) else str(value)}


def _value(raw: Mapping[str, Any]) -> Any:
    if "M" in raw:
        return {name: _value(entry) for name, entry in raw["M"].items()}
    if "N" not in raw:
        return raw.get("S")
    number = Decimal(raw["N"])
    return int(number) if number == number.to_integral_value() else number
