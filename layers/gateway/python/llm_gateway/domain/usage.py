"""Usage: what a query counts as once it has ended, and sums of that by what it was for and when.

A query counts in the hour of its end. Sums are exact: costs are decimals, and what is unknown is counted, never taken for zero.
"""

from collections.abc import Iterable, Sequence
from dataclasses import field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, assert_never

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.money import squared, total
from llm_gateway.domain.queries import Attempt, AttemptOutcome, PromptUsed, QueryStatus, QuerySummary
from llm_gateway.domain.sketch import Sketch
from llm_gateway.values import dataclass

HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

TEST_TAG: Final = "llm-gateway:test"
"""Queries of a prompt's tests count under this tag, and are no part of the prompt's performance."""

_INVALID: Final = "response_validation_failed"
_BILLED: Final = (AttemptOutcome.OK, AttemptOutcome.CANCELLED)


class Bucket(StrEnum):
    """A span of time in UTC that is summed up as one."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"

    def start(self, moment: datetime) -> datetime:
        """The start of the bucket that `moment` lies in."""
        hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        match self:
            case Bucket.HOUR:
                return hour
            case Bucket.DAY:
                return hour.replace(hour=0)
            case Bucket.MONTH:
                return hour.replace(hour=0, day=1)
        assert_never(self)


class Grouping(StrEnum):
    """What sums are told apart by."""

    KEY = "key"
    PROVIDER = "provider"
    MODEL = "model"
    PROMPT = "prompt"
    TAG = "tag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What queries have in common that count together. `provider` and `model` are None where nobody was asked."""

    key: str
    provider: str | None
    model: str | None
    prompt: PromptUsed | None = None
    tags: tuple[str, ...] = ()

    def values(self, grouping: Grouping | None) -> Sequence[str | None]:
        """Where its queries count: under each of its tags, and once in everything else. None stands for "none"."""
        match grouping:
            case None:
                return (None,)
            case Grouping.KEY:
                return (self.key,)
            case Grouping.PROVIDER:
                return (self.provider,)
            case Grouping.MODEL:
                return (self.model,)
            case Grouping.PROMPT:
                return (self.prompt.id if self.prompt else None,)
            case Grouping.TAG:
                return tuple(dict.fromkeys(self.tags)) or (None,)
        assert_never(grouping)


def is_of_tests(group: Group) -> bool:
    return TEST_TAG in group.tags


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRecord:
    """A query as it counts. `cost_usd` is None where what it cost is not known; `latency_ms` where no provider answered it."""

    query_id: str
    group: Group
    completed_at: datetime
    failed: bool = False
    invalid: bool = False
    cache_hit: bool = False
    usage: Usage
    cost_usd: Decimal | None
    latency_ms: int | None = None

    @classmethod
    def of(cls, query: QuerySummary) -> "UsageRecord":
        """Raises ValueError for a query that has not ended."""
        if query.completed_at is None:
            raise ValueError(f"query {query.id} has not ended")
        figures, problem = query.figures, query.problem
        failed = query.status is QueryStatus.FAILED
        return cls(
            query_id=query.id,
            group=group_of(query),
            completed_at=query.completed_at,
            failed=failed,
            invalid=failed and problem is not None and problem.code == _INVALID,
            cache_hit=figures is not None and figures.cache_hit,
            usage=figures.usage if figures else Usage(),
            cost_usd=cost_of(query),
            latency_ms=figures.total_ms if figures and not figures.cache_hit else None,
        )


def group_of(query: QuerySummary) -> Group:
    """Who answered, or else who was asked last."""
    figures, called = query.figures, _called(query)
    asked = called[-1] if called else None
    return Group(
        key=query.owner,
        provider=figures.provider if figures else asked.provider if asked else None,
        model=figures.model if figures else asked.model if asked else None,
        prompt=query.prompt,
        tags=query.tags,
    )


def cost_of(query: QuerySummary) -> Decimal | None:
    """What an ended query cost, None where that is not known. Calls that failed cost what their provider billed."""
    if query.figures is not None:
        return query.figures.cost_usd
    called = _called(query)
    if any(call.outcome in _BILLED and call.cost_usd is None for call in called):
        return None
    return total(call.cost_usd for call in called if call.cost_usd is not None)


def _called(query: QuerySummary) -> list[Attempt]:
    # A query that was cancelled while it waited for its next try has no problem, but the fault of the last one.
    met = query.problem or query.fault
    attempts = met.attempts if met else ()
    return [attempt for attempt in attempts if attempt.outcome is not AttemptOutcome.SKIPPED]


@dataclass(slots=True, kw_only=True)
class Sums:
    """What queries add up to. `known_usd` is the sum of the costs that are known, `known_usd_squares` that of their
    squares, which tells how much they vary, `unpriced_requests` counts the others."""

    requests: int = 0
    errors: int = 0
    invalid: int = 0
    cache_hits: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    unpriced_requests: int = 0
    known_usd: Decimal = Decimal(0)
    known_usd_squares: Decimal = Decimal(0)
    latency_ms: Sketch = field(default_factory=Sketch)

    @property
    def cost_usd(self) -> Decimal | None:
        """None where no query's cost is known."""
        return None if 0 < self.requests == self.unpriced_requests else self.known_usd

    def count(self, record: UsageRecord) -> None:
        self.requests += 1
        self.errors += record.failed
        self.invalid += record.invalid
        self.cache_hits += record.cache_hit
        self.input_tokens += record.usage.input_tokens
        self.output_tokens += record.usage.output_tokens
        self.cached_input_tokens += record.usage.cached_input_tokens
        self.reasoning_tokens += record.usage.reasoning_tokens
        if record.cost_usd is None:
            self.unpriced_requests += 1
        else:
            self.known_usd = total((self.known_usd, record.cost_usd))
            self.known_usd_squares = total((self.known_usd_squares, squared(record.cost_usd)))
        if record.latency_ms is not None:
            self.latency_ms.add(record.latency_ms)

    def merge(self, other: "Sums") -> None:
        self.requests += other.requests
        self.errors += other.errors
        self.invalid += other.invalid
        self.cache_hits += other.cache_hits
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cached_input_tokens += other.cached_input_tokens
        self.reasoning_tokens += other.reasoning_tokens
        self.unpriced_requests += other.unpriced_requests
        self.known_usd = total((self.known_usd, other.known_usd))
        self.known_usd_squares = total((self.known_usd_squares, other.known_usd_squares))
        self.latency_ms.merge(other.latency_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """What a group's queries of one window add up to; `start` is the window's."""

    start: datetime
    group: Group
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """Sums of one bucket and one value of a grouping: None where none was asked for, or where queries have no such value."""

    bucket: datetime | None
    value: str | None
    sums: Sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far it is summed up: all hours before `hours`, for the last time before `settled`, and all days before `days`."""

    hours: datetime
    settled: datetime
    days: datetime


def rolled_up(records: Iterable[UsageRecord], *, start: datetime) -> tuple[Rollup, ...]:
    """The rollups of the window from `start` on, of all the records of queries that ended in it."""
    by_group: dict[Group, Sums] = {}
    for record in records:
        by_group.setdefault(record.group, Sums()).count(record)
    return tuple(Rollup(start=start, group=group, sums=sums) for group, sums in by_group.items())


def added_up(rollups: Iterable[Rollup], *, start: datetime) -> tuple[Rollup, ...]:
    """The rollups of the longer window from `start` on."""
    by_group: dict[Group, Sums] = {}
    for rollup in rollups:
        by_group.setdefault(rollup.group, Sums()).merge(rollup.sums)
    return tuple(Rollup(start=start, group=group, sums=sums) for group, sums in by_group.items())


def tabulated(rollups: Iterable[Rollup], *, by: Grouping | None, bucket: Bucket | None) -> list[UsageRow]:
    """Rows in the order of their buckets and values; one row of everything where neither is asked for."""
    found: dict[tuple[datetime | None, str | None], Sums] = {}
    if by is None and bucket is None:
        found[None, None] = Sums()
    for rollup in rollups:
        start = bucket.start(rollup.start) if bucket else None
        for value in rollup.group.values(by):
            found.setdefault((start, value), Sums()).merge(rollup.sums)
    rows = [UsageRow(bucket=start, value=value, sums=sums) for (start, value), sums in found.items()]
    return sorted(
        rows, key=lambda row: (row.bucket.timestamp() if row.bucket else 0, row.value is None, row.value or "")
    )
