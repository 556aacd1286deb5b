"""The indexes of the queries' table: lists of queries by their owner and by day, and what those count as that have ended.

Index partitions are read side by side. A list goes by ids, which sort by time: what came in before a time has a lower id than
what came in after it.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.identifiers import ID_LAG, QUERY_PREFIX, first_at, has_a_date, made_at_s
from llm_gateway.domain.queries import QuerySummary, as_listed
from llm_gateway.domain.usage import DAY, Bucket, UsageRecord
from llm_gateway.ports.queries import QuerySearch
from llm_gateway.ports.system import Clock, Page
from llm_gateway.stores.connection import Aws, reaching
from llm_gateway.stores.cursors import from_cursor, malformed, to_cursor
from llm_gateway.stores.query_items import (
    BY_DAY,
    BY_END,
    BY_OWNER,
    BY_SUBJECT,
    SHARDS,
    QueryItem,
    day,
    hour,
    partitions,
    record_of,
    standing_of,
)

if TYPE_CHECKING:
    from llm_gateway.domain.erasures import Target

_ROUNDS: Final = 12
# Where some are left out, so many are looked at in each partition and round.
_LOOKED_AT: Final = 250
_THREADS: Final = 2 * SHARDS
_HASH_KEYS: Final = {BY_SUBJECT: "subject_in", BY_OWNER: "listed_by", BY_DAY: "listed_on", BY_END: "ended_in"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stretch:
    """Ids of some partitions, from `lowest` (inclusive) up to `before`."""

    index: str
    partitions: Sequence[str]
    lowest: str
    before: str


class DynamoQueryIndex:
    """Reads that may lag by a second. One round of requests a page; more where a search leaves out much, or days are empty."""

    def __init__(self, *, aws: Aws, table: str, clock: Clock) -> None:
        self._aws = aws
        self._table = table
        self._clock = clock

    def page(self, search: QuerySearch, *, limit: int, cursor: str | None) -> Page[QuerySummary]:
        lowest = first_at(search.since, prefix=QUERY_PREFIX)
        before: str | None = _place(cursor) if cursor else first_at(search.until + ID_LAG, prefix=QUERY_PREFIX)
        leaves_out = search.status is not None or search.prompt is not None
        found: list[QuerySummary] = []
        for _ in range(_ROUNDS):
            if before is None or before <= lowest or len(found) > limit:
                break
            stretch = _stretch(search.owner, lowest=lowest, before=before)
            items, before = self._newest(stretch, count=_LOOKED_AT if leaves_out else limit + 1)
            found += [query for query in map(self._listed, items) if query is not None and search.matches(query)]
        if len(found) > limit:
            before = found[limit - 1].id
        more = before is not None and before > lowest
        return Page(items=tuple(found[:limit]), next_cursor=to_cursor({"before": before}) if before and more else None)

    def of_target(self, target: "Target", *, before: str, limit: int) -> tuple[tuple[str, ...], str | None]:
        index = BY_OWNER if target.key_id is not None else BY_SUBJECT
        lowest = first_at(datetime.fromtimestamp(0, tz=UTC), prefix=QUERY_PREFIX)
        stretch = _Stretch(index=index, partitions=partitions(target.listed_under), lowest=lowest, before=before)
        items, left = self._newest(stretch, count=limit)
        found = tuple(item.query_id for item in items)
        if len(found) > limit:
            return found[:limit], found[limit - 1]
        return found, left if left > lowest else None

    def ended(self, hour_: datetime, *, owner: str | None = None) -> Iterator[UsageRecord]:
        for partition in partitions(hour(hour_)):
            for page in self._pages(BY_END, partition):
                for item in map(QueryItem.from_raw_data, page["Items"]):
                    record = record_of(item)
                    if owner in (None, record.group.key):
                        yield record

    def _newest(self, stretch: _Stretch, *, count: int) -> tuple[list[QueryItem], str]:
        """The newest of a stretch, newest first, and before which id it goes on: the lowest one where that was all."""
        pages = list(
            _pool().map(lambda partition: self._newest_in(partition, stretch, count=count), stretch.partitions)
        )
        # Below the highest id at which a partition was left, others may have items that have not been seen.
        lefts = [page["Items"][-1]["query_id"]["S"] for page in pages if "LastEvaluatedKey" in page]
        left = max(lefts, default=stretch.lowest)
        items = [QueryItem.from_raw_data(item) for page in pages for item in page["Items"]]
        seen = [item for item in items if left <= item.query_id < stretch.before]
        return sorted(seen, key=lambda item: item.query_id, reverse=True), left

    def _newest_in(self, partition: str, stretch: _Stretch, *, count: int) -> Any:
        ids = (stretch.lowest, stretch.before)
        return self._query(stretch.index, partition, ids, Limit=count + 1, ScanIndexForward=False)

    def _pages(self, index: str, partition: str) -> Iterator[Any]:
        start: dict[str, Any] = {}
        while True:
            page = self._query(index, partition, None, **start)
            yield page
            if "LastEvaluatedKey" not in page:
                return
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def _query(self, index: str, partition: str, ids: tuple[str, str] | None, **how: Any) -> Any:
        condition, values = "#partition = :partition", {":partition": partition}
        if ids is not None:
            condition += " AND query_id BETWEEN :lowest AND :highest"
            values |= {":lowest": ids[0], ":highest": ids[1]}
        with reaching("queries"):
            return self._aws.dynamodb.query(
                TableName=self._table,
                IndexName=index,
                KeyConditionExpression=condition,
                ExpressionAttributeNames={"#partition": _HASH_KEYS[index]},
                ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
                **how,
            )

    def _listed(self, item: QueryItem) -> QuerySummary | None:
        now = self._clock.now()
        # DynamoDB deletes what has expired within days, not at once.
        return as_listed(standing_of(item), now=now) if item.expires_at > now.timestamp() else None


def _stretch(owner: str | None, *, lowest: str, before: str) -> _Stretch:
    """What is read in one round: all that an owner has, or a day of everybody's."""
    if owner is not None:
        return _Stretch(index=BY_OWNER, partitions=partitions(owner), lowest=lowest, before=before)
    midnight = Bucket.DAY.start(datetime.fromtimestamp(made_at_s(before, prefix=QUERY_PREFIX) or 0, tz=UTC))
    if first_at(midnight, prefix=QUERY_PREFIX) >= before:
        midnight -= DAY
    lowest = max(lowest, first_at(midnight, prefix=QUERY_PREFIX))
    return _Stretch(index=BY_DAY, partitions=partitions(day(midnight)), lowest=lowest, before=before)


def _place(cursor: str) -> str:
    before = from_cursor(cursor, "before")["before"]
    if not has_a_date(before, prefix=QUERY_PREFIX):
        raise malformed()
    return before


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="index")
