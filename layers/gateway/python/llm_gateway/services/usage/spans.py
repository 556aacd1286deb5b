"""Spans of time, and what queries add up to that ended in one: from the rollups where there are any, and from the queries
themselves where there are none yet."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from llm_gateway.domain.cursors import from_cursor, malformed, to_cursor
from llm_gateway.domain.usage import DAY, HOUR, Bucket, Progress, Rollup, rolled_up
from llm_gateway.errors import ValidationFailed
from llm_gateway.ports.queries import QueryIndex
from llm_gateway.ports.system import Clock
from llm_gateway.ports.usage import RollupStore
from llm_gateway.services.usage.rolling import beginning

MOST_HOURS: Final = timedelta(days=31)

_DEFAULT_WINDOW: Final = DAY
# Queries whose time is about to be over may be gone any moment.
_SPARE: Final = timedelta(hours=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpan:
    """From `since` on and before `until`."""

    since: datetime
    until: datetime

    @classmethod
    def of(cls, since: datetime | None, until: datetime | None, *, bucket: Bucket | None, now: datetime) -> "TimeSpan":
        """The last 24 hours where nothing is given. Raises `ValidationFailed` for one that ends before it begins, or has too many
        hours for `bucket`."""
        until = until or now
        since = since or until - min(_DEFAULT_WINDOW, until - datetime.min.replace(tzinfo=until.tzinfo))
        if since >= until:
            raise ValidationFailed.of("from", "must be earlier than `to`")
        span = cls(since=since, until=until)
        if span.has_too_many(bucket):
            raise ValidationFailed.of(
                "from", f"may be {MOST_HOURS.days} days before `to` at most where the bucket is an hour"
            )
        return span

    def has_too_many(self, bucket: Bucket | None) -> bool:
        """Whether it has more hours than are read one by one."""
        return bucket is Bucket.HOUR and self.until - self.since > MOST_HOURS


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanReader:
    """`kept` is how long queries are kept: that far back, a span may begin and end within an hour. Rollups are kept for
    `rollups_kept`."""

    index: QueryIndex
    rollups: RollupStore
    clock: Clock
    kept: timedelta
    rollups_kept: timedelta

    def read(self, span: TimeSpan, *, key: str | None = None, days: bool) -> Iterator[Rollup]:
        """All that ended in the span, one key's or everybody's, in pieces: whole days, where `days` are wanted, whole hours, and
        what is not summed up or only a part."""
        span = self._bounded(span)
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
                found = self._within_an_hour(TimeSpan(since=at, until=end), progress, key=key)
            yield from found
            at = end

    def _bounded(self, span: TimeSpan) -> TimeSpan:
        """Nothing is known of what was before and of what will be."""
        now = self.clock.now()
        earliest, latest = Bucket.DAY.start(now - self.rollups_kept), Bucket.HOUR.start(now + HOUR)
        return TimeSpan(since=max(span.since, earliest), until=min(span.until, latest))

    def _within_an_hour(self, part: TimeSpan, progress: Progress, *, key: str | None) -> Iterator[Rollup]:
        hour = Bucket.HOUR.start(part.since)
        if hour < progress.hours and hour < self.clock.now() - self.kept + _SPARE:
            # Its queries may be gone: the hour counts whole where it begins within the span, or not at all.
            if hour == part.since:
                yield from self.rollups.within(Bucket.HOUR, hour, hour + HOUR, key=key)
            return
        records = self.index.ended(hour, owner=key)
        yield from rolled_up((each for each in records if part.since <= each.completed_at < part.until), start=hour)


def _end_of_days(at: datetime, span: TimeSpan, progress: Progress) -> datetime:
    """Until when days that begin at `at` are summed up."""
    return min(Bucket.DAY.start(span.until), progress.days) if at == Bucket.DAY.start(at) else at


def _end_of_hours(at: datetime, span: TimeSpan, progress: Progress) -> datetime:
    """Until when hours that begin at `at` are summed up; not past the day, because days may begin there."""
    until = min(Bucket.HOUR.start(span.until), progress.hours, Bucket.DAY.start(at) + DAY)
    return until if at == Bucket.HOUR.start(at) else at


def cursor_after(span: TimeSpan, passed: int) -> str:
    """The place after so many rows. The span is in it: one that ends now would be another one on the next page."""
    return to_cursor({"since": span.since.isoformat(), "until": span.until.isoformat(), "passed": str(passed)})


def place_of(cursor: str, *, bucket: Bucket | None) -> tuple[TimeSpan, int]:
    """Raises `MalformedRequest` for a cursor of another list, and for one with too many hours for `bucket`: none is made so."""
    place = from_cursor(cursor, "since", "until", "passed")
    try:
        span = TimeSpan(since=datetime.fromisoformat(place["since"]), until=datetime.fromisoformat(place["until"]))
        passed = int(place["passed"])
        if span.since.utcoffset() is None or span.until.utcoffset() is None or passed < 0 or span.has_too_many(bucket):
            raise malformed()
    except ValueError as fault:
        raise malformed() from fault
    return span, passed
