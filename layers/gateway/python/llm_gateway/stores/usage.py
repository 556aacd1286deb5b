"""Rollups in DynamoDB: those of a day's hours, and those of a month's days, lie together, each key's side by side."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from math import ceil
from typing import Any, Final

from llm_gateway.domain.usage import DAY, Bucket, Group, Progress, Rollup
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.stores.codec import from_json, pack, to_json, unpack
from llm_gateway.stores.connection import PAUSE, RETRY_AFTER_S, Aws, reaching
from llm_gateway.stores.json_service import Pause

_HOLDING: Final = "usage"
_PROGRESS: Final = {"period": {"S": "progress"}, "place": {"S": "progress"}}
_BATCH: Final = 25
_TRIES: Final = 5


class DynamoRollupStore:
    """Rollups are deleted when their `retention` is over."""

    def __init__(self, *, aws: Aws, table: str, retention: timedelta, pause: Pause = PAUSE) -> None:
        self._aws = aws
        self._table = table
        self._retention = retention
        self._pause = pause

    def within(self, window: Bucket, since: datetime, until: datetime, *, key: str | None = None) -> Iterator[Rollup]:
        for period in _periods(window, since, until):
            for document in self._documents(period, key):
                rollup = from_json(Rollup, unpack(document))
                if since <= rollup.start < until:
                    yield rollup

    def put(self, window: Bucket, rollups: Iterable[Rollup]) -> None:
        left = iter(rollups)
        while some := list(islice(left, _BATCH)):
            self._write([{"PutRequest": {"Item": self._item(window, rollup)}} for rollup in some])

    def progress(self) -> Progress | None:
        found = self._query("progress", None)["Items"]
        return from_json(Progress, found[0]["document"]["B"]) if found else None

    def note(self, progress: Progress) -> None:
        with reaching(_HOLDING):
            item: Any = {**_PROGRESS, "document": {"B": to_json(Progress, progress)}}
            self._aws.dynamodb.put_item(TableName=self._table, Item=item)

    def _documents(self, period: str, key: str | None) -> Iterator[bytes]:
        start: dict[str, Any] = {}
        while True:
            page = self._query(period, key, **start)
            yield from (item["document"]["B"] for item in page["Items"])
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _query(self, period: str, key: str | None, **how: Any) -> Any:
        condition, values = "period = :period", {":period": {"S": period}}
        if key is not None:
            condition += " AND begins_with(place, :key)"
            values[":key"] = {"S": f"{key}#"}
        with reaching(_HOLDING):
            return self._aws.dynamodb.query(
                TableName=self._table,
                ConsistentRead=True,
                KeyConditionExpression=condition,
                ExpressionAttributeValues=values,
                **how,
            )

    def _write(self, requests: Any) -> None:
        left: Any = {self._table: requests}
        for tried in range(_TRIES):
            if tried:
                self._pause()
            with reaching(_HOLDING):
                left = self._aws.dynamodb.batch_write_item(RequestItems=left)["UnprocessedItems"]
            if not left:
                return
        raise DependencyUnavailable("The store of usage is too busy right now.", retry_after_s=RETRY_AFTER_S)

    def _item(self, window: Bucket, rollup: Rollup) -> dict[str, Any]:
        return {
            "period": {"S": _period(window, rollup.start)},
            "place": {"S": f"{rollup.group.key}#{rollup.start:%d-%H}#{_digest(rollup.group)}"},
            "document": {"B": pack(to_json(Rollup, rollup))},
            "expires_at": {"N": str(ceil((rollup.start + self._retention).timestamp()))},
        }


def _period(window: Bucket, start: datetime) -> str:
    """What lies together: the hours of a day, the days of a month."""
    return f"hours#{start:%Y-%m-%d}" if window is Bucket.HOUR else f"days#{start:%Y-%m}"


def _periods(window: Bucket, since: datetime, until: datetime) -> Iterator[str]:
    """The periods of all windows that start from `since` on and before `until`."""
    longer = Bucket.DAY if window is Bucket.HOUR else Bucket.MONTH
    start = longer.start(since)
    while start < until:
        yield _period(window, start)
        # A month and the days of the longest one later it is the next month.
        start = longer.start(start + (DAY if longer is Bucket.DAY else 31 * DAY))


def _digest(group: Group) -> str:
    return sha256(to_json(Group, group)).hexdigest()[:32]
