"""Reading usage: rows of sums."""

from dataclasses import dataclass
from datetime import datetime

from llm_gateway.access import Permission
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.usage import Bucket, Grouping, UsageRow, tabulated
from llm_gateway.ports.system import Clock, Page
from llm_gateway.services.usage.spans import SpanReader, TimeSpan, cursor_after, place_of


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageWanted:
    """Queries that ended from `since` on and before `until` (the last 24 hours where neither is given), as rows of `by` and
    `bucket`, or as a single one."""

    since: datetime | None = None
    until: datetime | None = None
    by: Grouping | None = None
    bucket: Bucket | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReader:
    spans: SpanReader
    clock: Clock

    def page(self, wanted: UsageWanted, *, caller: Caller, limit: int, cursor: str | None) -> Page[UsageRow]:
        """Rows by bucket and value: of the caller's queries, or of everybody's where the caller may see those.

        Raises `ValidationFailed` for a span that ends before it begins or has too many hours, `MalformedRequest` for a cursor of
        another list.
        """
        span, passed = TimeSpan.of(wanted.since, wanted.until, bucket=wanted.bucket, now=self.clock.now()), 0
        if cursor is not None:
            span, passed = place_of(cursor, bucket=wanted.bucket)
        key = None if caller.may(Permission.READ_ALL_USAGE) else caller.key_id
        found = self.spans.read(span, key=key, days=wanted.bucket is not Bucket.HOUR)
        rows = tabulated(found, by=wanted.by, bucket=wanted.bucket)
        shown, end = rows[passed : passed + limit], passed + limit
        return Page(items=tuple(shown), next_cursor=cursor_after(span, end) if end < len(rows) else None)
