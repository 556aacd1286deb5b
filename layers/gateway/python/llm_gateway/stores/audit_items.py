"""The audit log's table: a partition a month, entries in order of their places, and one item that holds the chain's end."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Any, Final

from llm_gateway.domain.audit.chain import Kept
from llm_gateway.domain.audit.entries import AuditEntry, Head, instant
from llm_gateway.stores.changes import RawItem
from llm_gateway.stores.connection import Aws, reaching

HOLDING: Final = "audit entries"

_HEAD: Final = "head"
_FIRST_MOMENT: Final = "-01T00:00:00.000Z"


class AuditItems:
    """Reads and queries; what is read is read as it is now."""

    def __init__(self, *, aws: Aws, table: str) -> None:
        self._aws = aws
        self._table = table

    def head(self) -> Head | None:
        found = self._get(_HEAD, _HEAD)
        return None if found is None else head_of(found)

    def write_id(self, place: str) -> str | None:
        """Which write put the entry there; None where there is none."""
        found = self._get(month_of(place), place)
        return None if found is None else write_id_of(found)

    def newest(
        self, *, since: datetime, before: str, limit: int, matching: Mapping[str, str]
    ) -> tuple[list[AuditEntry], str | None]:
        """Entries of one month, newest first: some of those before a place. And the place before which to go on, if any.

        One request. With `matching` attributes there may be fewer than `limit` entries, or more.
        """
        lowest, month = instant(since), _month_before(before)
        bound = {} if matching else {"Limit": limit}
        answer = self._query(month, lowest, _last_before(before), matching, ScanIndexForward=False, **bound)
        more = answer.get("LastEvaluatedKey")
        next_before = more["place"]["S"] if more else _beginning(month)
        entries = [AuditEntry.read(item["document"]["S"]) for item in answer["Items"]]
        return entries, next_before if next_before > lowest else None

    def between(self, since: datetime, until: datetime) -> Iterator[Kept]:
        """Oldest first, until `until` (exclusive)."""
        lowest, highest = instant(since), instant(until)
        month = month_of(lowest)
        while month <= month_of(highest):
            start: dict[str, Any] = {}
            while True:
                answer = self._query(month, lowest, highest, {}, **start)
                yield from map(kept_of, answer["Items"])
                if "LastEvaluatedKey" not in answer:
                    break
                start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}
            month = _month_after(month)

    def all(self) -> Iterator[Kept]:
        """Every entry, wherever in the table it is, in no order."""
        with reaching(HOLDING):
            pages = self._aws.dynamodb.get_paginator("scan").paginate(TableName=self._table, ConsistentRead=True)
            for page in pages:
                yield from (kept_of(item) for item in page["Items"] if item["month"]["S"] != _HEAD)

    def _get(self, month: str, place: str) -> RawItem | None:
        with reaching(HOLDING):
            key: Any = _key(month, place)
            return self._aws.dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True).get("Item")

    def _query(self, month: str, lowest: str, highest: str, matching: Mapping[str, str], **how: Any) -> Any:
        values = {"month": month, "lowest": lowest, "highest": highest, **matching}
        if matching:
            how["FilterExpression"] = " AND ".join(f"#{name} = :{name}" for name in matching)
        with reaching(HOLDING):
            return self._aws.dynamodb.query(
                TableName=self._table,
                ConsistentRead=True,
                KeyConditionExpression="#month = :month AND #place BETWEEN :lowest AND :highest",
                ExpressionAttributeNames={f"#{name}": name for name in ("month", "place", *matching)},
                ExpressionAttributeValues={f":{name}": {"S": value} for name, value in values.items()},
                **how,
            )


def entry_item(entry: AuditEntry, *, write_id: str, retention: timedelta | None) -> RawItem:
    actor = entry.deed.actor.name
    item = {
        **_key(month_of(entry.place), entry.place),
        "document": {"S": entry.document},
        "hash": {"S": entry.hash},
        "action": {"S": entry.deed.action},
        "write_id": {"S": write_id},
    }
    if actor is not None:
        item["actor"] = {"S": actor}
    if retention is not None:
        item["expires_at"] = {"N": str(ceil((entry.at + retention).timestamp()))}
    return item


def head_item(head: Head) -> RawItem:
    return {
        **_key(_HEAD, _HEAD),
        "sequence": {"N": str(head.sequence)},
        "hash": {"S": head.hash},
        "at": {"S": instant(head.at)},
        "since": {"S": instant(head.since)},
    }


def head_of(item: RawItem) -> Head:
    return Head(
        sequence=int(item["sequence"]["N"]),
        hash=item["hash"]["S"],
        at=datetime.fromisoformat(item["at"]["S"]),
        since=datetime.fromisoformat(item["since"]["S"]),
    )


def kept_of(item: RawItem) -> Kept:
    """Also of an item that somebody has taken attributes from."""
    return Kept(
        place=item["place"]["S"],
        document=item.get("document", {}).get("S", ""),
        hash=item.get("hash", {}).get("S", ""),
    )


def write_id_of(item: RawItem) -> str | None:
    write_id: str | None = item.get("write_id", {}).get("S")
    return write_id


def month_of(place: str) -> str:
    return place[:7]


def _key(month: str, place: str) -> dict[str, dict[str, str]]:
    return {"month": {"S": month}, "place": {"S": place}}


def _beginning(month: str) -> str:
    """A place before all of the month."""
    return f"{month}{_FIRST_MOMENT}#{0:012}"


def _month_before(place: str) -> str:
    """The month of what comes right before a place."""
    month = month_of(place)
    if place != _beginning(month):
        return month
    year, number = int(month[:4]), int(month[5:])
    return f"{year - 1:04}-12" if number == 1 else f"{year:04}-{number - 1:02}"


def _month_after(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year + 1:04}-01" if number == 12 else f"{year:04}-{number + 1:02}"


def _last_before(place: str) -> str:
    """The highest place below this one. Without a number it is below all entries of its moment."""
    moment, _, number = place.partition("#")
    return f"{moment}#{int(number) - 1:012}" if int(number) else moment
