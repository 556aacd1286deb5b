"""Items that PynamoDB's attributes describe, in tables that are asked the short way: every query's record, and its places."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, Self, TypeVar

from botocore.exceptions import ClientError
from pynamodb.attributes import Attribute, AttributeContainer, UnicodeAttribute, UTCDateTimeAttribute

from llm_gateway.stores.changes import RawItem
from llm_gateway.stores.connection import CONDITION_FAILED, Aws, error_code
from llm_gateway.stores.expressions import Changes, Where, members_of, to_raw

I = TypeVar("I", bound="DescribedItem")  # noqa: E741 - as short as T, and it stands for an item.

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class MillisecondsAttribute(Attribute[datetime]):
    """A time as a number, so that conditions can compare it; what is finer than a millisecond is cut off."""

    attr_type = "N"

    def serialize(self, value: datetime) -> str:
        return str((value - _EPOCH) // _MILLISECOND)

    def deserialize(self, value: str) -> datetime:
        return _EPOCH + int(value) * _MILLISECOND


class MomentAttribute(UTCDateTimeAttribute):
    """A time as text, as PynamoDB writes it: in a fifth of its time."""

    def serialize(self, value: datetime) -> str:
        return value.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "+0000"


class DescribedItem(AttributeContainer):
    """`write_id` names the write that left the item as it is. A write that went through although its answer was lost is sent
    again, and then fails its own condition, unless that also lets its own `write_id` pass.
    """

    write_id = UnicodeAttribute(null=True)

    @classmethod
    def from_raw_data(cls, raw: RawItem) -> Self:
        """Looks at what is there, where PynamoDB looks for each attribute that might be: most are not."""
        described = cls.get_attributes()
        item = cls.__new__(cls)
        item.attribute_values = {
            name: described[name].deserialize(described[name].get_value(value))
            for name, value in raw.items()
            if name in described and "NULL" not in value
        }
        return item

    @classmethod
    def to_raw_data(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """An item with these attributes; those that are None are none."""
        described = cls.get_attributes()
        return {name: to_raw(described[name], value) for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[I]):
    """Whether a conditional write was done, and the item: after a change, else as the write met it. None where there is none."""

    done: bool
    item: I | None


class DescribedItems(Generic[I]):
    """A table of items of one kind, each under a hash key `key_name`. One call to DynamoDB each."""

    def __init__(self, kind: type[I], *, aws: Aws, table: str, key_name: str) -> None:
        self._kind = kind
        self._aws = aws
        self._table = table
        self._key_name = key_name

    def find(self, key: str, *, attributes: Sequence[str] | None = None) -> I | None:
        """The item as it is now, with these attributes of it alone."""
        request = {**self._request(key), "ConsistentRead": True}
        if attributes is not None:
            request["ProjectionExpression"] = ", ".join([f"#{name}" for name in attributes])
            request["ExpressionAttributeNames"] = {f"#{name}": name for name in attributes}
        return self._from(self._aws.tables.call("GetItem", request).get("Item"))

    def put_new(self, values: Mapping[str, Any], *, write_id: str) -> None:
        """An item where there is none, or the one that this write has left. Raises ClientError where there is another."""
        self._aws.tables.call(
            "PutItem",
            {
                "TableName": self._table,
                "Item": self._kind.to_raw_data({**values, "write_id": write_id}),
                "ConditionExpression": "attribute_not_exists(#key) OR write_id = :write_id",
                "ExpressionAttributeNames": {"#key": self._key_name},
                "ExpressionAttributeValues": {":write_id": {"S": write_id}},
            },
        )

    def note(self, key: str, changes: Changes, *, where: Where) -> None:
        """A change of which nothing comes back. Raises ClientError where its condition fails."""
        self._aws.tables.call("UpdateItem", {**self._request(key), **self._members(changes, where)})

    def change(self, key: str, changes: Changes, *, where: Where) -> Outcome[I]:
        return self._write("UpdateItem", key, self._members(changes, where), returning="ALL_NEW")

    def swap(self, key: str, changes: Changes) -> Outcome[I]:
        """Changes the item, whatever it is; the outcome has it as it was."""
        return self._write("UpdateItem", key, self._members(changes, None), returning="ALL_OLD")

    def erase(self, key: str, *, where: Where) -> Outcome[I]:
        return self._write("DeleteItem", key, self._members({}, where), returning="ALL_OLD")

    def _write(self, operation: str, key: str, members: Mapping[str, Any], *, returning: str) -> Outcome[I]:
        request = {
            **self._request(key),
            **members,
            "ReturnValues": returning,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            answer = self._aws.tables.call(operation, request)
        except ClientError as fault:
            return Outcome(done=False, item=self._from(met_by(fault)))
        return Outcome(done=True, item=self._from(answer.get("Attributes")))

    def _request(self, key: str) -> dict[str, Any]:
        return {"TableName": self._table, "Key": {self._key_name: {"S": key}}}

    def _members(self, changes: Changes, where: Where | None) -> dict[str, Any]:
        return members_of(self._kind.get_attributes(), changes, where)

    def _from(self, raw: RawItem | None) -> I | None:
        return self._kind.from_raw_data(raw) if raw else None


def met_by(fault: ClientError) -> RawItem | None:
    """The item that a condition failed on, None where there was none. Any other fault is raised."""
    if error_code(fault) != CONDITION_FAILED:
        raise fault
    told: Any = fault.response
    item: RawItem | None = told.get("Item")
    return item
