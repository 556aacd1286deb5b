"""Reading usage: rows of sums, from the rollups where there are any, and from the queries themselves where there are none yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from llm_gateway.access import Permission
from llm_gateway.domain.cursors import from_cursor, malformed, to_cursor
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.usage import DAY, HOUR, Bucket, Grouping, Progress, Rollup, UsageRow, rolled_up, tabulated
from llm_gateway.errors import ValidationFailed
from llm_gateway.ports.queries import QueryIndex
from llm_gateway.ports.system import Clock, Page
from llm_gateway.ports.usage import RollupStore
from llm_gateway.services.usage.rolling import beginning

MOST_HOURS: Final = timedelta(days=31)

_DEFAULT_WINDOW: Final = DAY
# Queries whose time is about to be over may be gone any moment.
_SPARE: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageWanted:
    """Queries that ended from `since` on and before `until` (the last 24 hours where neither is given), as rows of `by` and
    `bucket`, or as a single one."""

    since: datetime | None = None
    until: datetime | None = None
    by: Grouping | None = None
    bucket: Bucket | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageReader:
    """`kept` is how long queries are kept: that far back, a span may begin and end within an hour. Rollups are kept for
    `rollups_kept`."""

    index: QueryIndex
    rollups: RollupStore
    clock: Clock
    kept: timedelta
    rollups_kept: timedelta

    def page(self, wanted: UsageWanted, *, caller: Caller, limit: int, cursor: str | None) -> Page[UsageRow]:
        """Rows by bucket and value: of the caller's queries, or of everybody's where the caller may see those.

        Raises `ValidationFailed` for a span that ends before it begins or has too many hours, `MalformedRequest` for a cursor of
        another list.
        """
        span, passed = self._span(wanted), 0
        if cursor is not None:
            span, passed = _place(cursor)
        key = None if caller.may(Permission.READ_ALL_USAGE) else caller.key_id
        found = self._rollups(self._bounded(span), key=key, days=wanted.bucket is not Bucket.HOUR)
        rows = tabulated(found, by=wanted.by, bucket=wanted.bucket)
        shown, end = rows[passed : passed + limit], passed + limit
        return Page(items=tuple(shown), next_cursor=_cursor(span, end) if end < len(rows) else None)

    def _span(self, wanted: UsageWanted) -> _Span:
        until = wanted.until or self.clock.now()
        since = wanted.since or until - min(_DEFAULT_WINDOW, until - datetime.min.replace(tzinfo=until.tzinfo))
        if since >= until:
            raise ValidationFailed.of("from", "must be earlier than `to`")
        if wanted.bucket is Bucket.HOUR and until - since > MOST_HOURS:
            raise ValidationFailed.of(
                "from", f"may be {MOST_HOURS.days} days before `to` at most where the bucket is an hour"
            )
        return _Span(since=since, until=until)

    def _bounded(self, span: _Span) -> _Span:
        """Nothing is known of what was before and of what will be."""
        now = self.clock.now()
        earliest, latest = Bucket.DAY.start(now - self.rollups_kept), Bucket.HOUR.start(now + HOUR)
        return _Span(since=max(span.since, earliest), until=min(span.until, latest))

    def _rollups(self, span: _Span, *, key: str | None, days: bool) -> Iterator[Rollup]:
        """All that ended in the span, in pieces: whole days, whole hours, and what is not summed up or only a part."""
        progress = self.rollups.progress() or beginning(self.clock.now())
        at = span.since
        while at < span.until:
            day_end, hour_end = _end_of_days(at, span, progress), _end_of_hours(at, span, progress)
            if days and day_end > at:
                end, found = day_end, self.rollups.within(Bucket.DAY, at, day_end, key=key)
            elif hour_end > at:
                end, found = hour_end, self.rollups.within(Bucket.HOUR, at, hour_end, key=key)
            else:
                end = min(span.until, Bucket.HOUR.start(at) + HOUR)
                found = self._within_an_hour(_Span(since=at, until=end), progress, key=key)
            yield from found
            at = end

    def _within_an_hour(self, part: _Span, progress: Progress, *, key: str | None) -> Iterator[Rollup]:
        hour = Bucket.HOUR.start(part.since)
        if hour < progress.hours and hour < self.clock.now() - self.kept + _SPARE:
            # Its queries may be gone: the hour counts whole where it begins within the span, or not at all.
            if hour == part.since:
                yield from self.rollups.within(Bucket.HOUR, hour, hour + HOUR, key=key)
            return
        records = self.index.ended(hour, owner=key)
        yield from rolled_up((each for each in records if part.since <= each.completed_at < part.until), start=hour)


def _end_of_days(at: datetime, span: _Span, progress: Progress) -> datetime:
    """Until when days that begin at `at` are summed up."""
    return min(Bucket.DAY.start(span.until), progress.days) if at == Bucket.DAY.start(at) else at


def _end_of_hours(at: datetime, span: _Span, progress: Progress) -> datetime:
    """Until when hours that begin at `at` are summed up; not past the day, because days may begin there."""
    until = min(Bucket.HOUR.start(span.until), progress.hours, Bucket.DAY.start(at) + DAY)
    return until if at == Bucket.HOUR.start(at) else at


def _cursor(span: _Span, passed: int) -> str:
    """The span is in it: one that ends now would be another one on the next page."""
    return to_cursor({"since": span.since.isoformat(), "until": span.until.isoformat(), "passed": str(passed)})


def _place(cursor: str) -> tuple[_Span, int]:
    place = from_cursor(cursor, "since", "until", "passed")
    try:
        span = _Span(since=datetime.fromisoformat(place["since"]), until=datetime.fromisoformat(place["until"]))
        passed = int(place["passed"])
        if span.since.utcoffset() is None or span.until.utcoffset() is None or passed < 0:
            raise malformed()
    except ValueError as fault:
        raise malformed() from fault
    return span, passed
