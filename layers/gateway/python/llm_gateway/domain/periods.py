"""Periods of a budget, in UTC: a day is called like `2026-11-29`, a month like `2026-11`."""

from datetime import UTC, datetime, timedelta
from typing import Final

from llm_gateway.domain.keys import Period
from llm_gateway.domain.limits import from_ns

_DAY: Final = len("2026-11-29")


def period_at(kind: Period, now_ns: int) -> str:
    """The period that goes on at `now_ns`, in ns since 1970."""
    day = from_ns(now_ns).date().isoformat()
    return day if kind is Period.DAY else day.rpartition("-")[0]


def end_of(period: str) -> datetime:
    if len(period) == _DAY:
        return datetime.fromisoformat(period).replace(tzinfo=UTC) + timedelta(days=1)
    first = datetime.fromisoformat(f"{period}-01").replace(tzinfo=UTC)
    return (first + timedelta(days=31)).replace(day=1)


def begins(period: str, *, after: str) -> bool:
    """Whether `period` begins anew: it is later, or of another kind. One that a faster clock has begun is not gone back from."""
    return not is_alike(period, after) or period > after


def is_alike(period: str, other: str) -> bool:
    """Whether both are days, or both months."""
    return len(period) == len(other)
