"""Conditional writes carried out by DynamoDB: one `UpdateItem` each, which answers with the item as it is now, done or not.

Plain requests, not PynamoDB's: PynamoDB drops the item of a failed condition, and that is half the answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, Protocol

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
from llm_gateway.stores.connection import CONDITION_FAILED, PAUSE, RETRY_AFTER_S, Aws, error_code, reaching
from llm_gateway.stores.json_service import Pause

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
    def __init__(self, *, aws: Aws, table: str, key_name: str, holding: str, pause: Pause = PAUSE) -> None:
        self._aws = aws
        self._table = table
        self._key_name = key_name
        self._holding = holding
        self._pause = pause

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        with reaching(self._holding):
            request = {
                "TableName": self._table,
                "Key": {self._key_name: {"S": key}},
                "ReturnValues": "ALL_NEW",
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                **_expressions(write),
            }
            try:
                answer = self._aws.tables.call("UpdateItem", request, repeatable=repeatable)
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
        left: Mapping[str, Any] | None = {self._table: {"Keys": asked, "ConsistentRead": True}}
        for tried in range(_BATCH_TRIES):
            if tried:
                self._pause()
            answer = self._aws.tables.call("BatchGetItem", {"RequestItems": left})
            found += answer["Responses"].get(self._table, [])
            left = answer.get("UnprocessedKeys")
            if not left:
                return found
        detail = f"The store of {self._holding} is too busy right now."
        raise DependencyUnavailable(detail, retry_after_s=RETRY_AFTER_S)

    def _from_dynamodb(self, raw: Mapping[str, Any]) -> Item:
        return {name: _value(value) for name, value in raw.items() if name != self._key_name}


# DynamoDB needs no first half of what begins with `attribute_exists`; moto fails without it. Every name has a placeholder: any of
# them may be one of DynamoDB's 573 words.
_CONDITIONS: Final[Mapping[type[Condition], str]] = {
    Absent: "attribute_not_exists({path})",
    Equal: "{path} = {value}",
    AtMost: "(attribute_not_exists({path}) OR {path} <= {value})",
    Above: "{path} > {value}",
    Contains: "attribute_exists({path}.{entry})",
    Lacks: "attribute_exists({path}) AND attribute_not_exists({path}.{entry})",
    EntryEqual: "{path}.{entry} = {value}",
    SmallerThan: "attribute_exists({path}) AND size({path}) < {value}",
}
_CHANGES: Final[Mapping[type[Change], tuple[str, str]]] = {
    Put: ("SET", "{path} = {value}"),
    PutEntry: ("SET", "{path}.{entry} = {value}"),
    Add: ("ADD", "{path} {value}"),
    Remove: ("REMOVE", "{path}"),
    RemoveEntry: ("REMOVE", "{path}.{entry}"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Expressions:
    """A write's expressions as text, whatever its names and values are.

    `paths`, `entries` and `values` are placeholders with the number of the condition or change that each is of.
    """

    members: Mapping[str, str]
    paths: Sequence[tuple[str, int]]
    entries: Sequence[tuple[str, int]]
    values: Sequence[tuple[str, int]]


def _expressions(write: Write) -> dict[str, Any]:
    """The members of an `UpdateItem` request that say what `write` says."""
    parts: tuple[Any, ...] = (*write.conditions, *write.changes)
    said = _said(tuple(map(type, write.conditions)), tuple(map(type, write.changes)))
    names = {placeholder: parts[number].path for placeholder, number in said.paths}
    names.update([(placeholder, parts[number].entry) for placeholder, number in said.entries])
    values = {placeholder: _to_dynamodb(_value_in(parts[number])) for placeholder, number in said.values}
    members = {**said.members, "ExpressionAttributeNames": names}
    return {**members, "ExpressionAttributeValues": values} if values else members


def _value_in(part: Any) -> Value:
    value: Value = part.entries if isinstance(part, SmallerThan) else part.value
    return value


@lru_cache(maxsize=256)
def _said(conditions: tuple[type[Condition], ...], changes: tuple[type[Change], ...]) -> _Expressions:
    """Writes of one rule differ in names and values alone: their text is put together once."""
    texts = [_CONDITIONS[kind] for kind in conditions] + [_CHANGES[kind][1] for kind in changes]
    filled = [text.format(path=f"#{at}", entry=f"#e{at}", value=f":{at}") for at, text in enumerate(texts)]
    clauses: dict[str, list[str]] = {}
    for kind, text in zip(changes, filled[len(conditions) :], strict=True):
        clauses.setdefault(_CHANGES[kind][0], []).append(text)
    members = {
        "UpdateExpression": " ".join(f"{verb} {', '.join(parts)}" for verb, parts in clauses.items()),
        "ConditionExpression": " AND ".join(filled[: len(conditions)]),
    }
    return _Expressions(
        members={name: member for name, member in members.items() if member},
        paths=[(f"#{at}", at) for at in range(len(texts))],
        entries=[(f"#e{at}", at) for at, text in enumerate(texts) if "{entry}" in text],
        values=[(f":{at}", at) for at, text in enumerate(texts) if "{value}" in text],
    )


def _to_dynamodb(value: Value) -> dict[str, Any]:
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, Decimal):
        # An exponent would be valid, but not every emulator reads one.
        return {"N": f"{value:f}"}
    return {"M": {name: _to_dynamodb(entry) for name, entry in value.items()}}


def _value(raw: Mapping[str, Any]) -> Any:
    text: str | None = raw.get("N")
    if text is None:
        return {name: _value(entry) for name, entry in raw["M"].items()} if "M" in raw else raw.get("S")
    if text.isdecimal():
        return int(text)
    number = Decimal(text)
    return int(number) if number == number.to_integral_value() else number
