"""A prompt's performance: what the queries of each of its versions add up to, as a whole or by the hour or the day."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

from llm_gateway.domain.prompts.canaries import Feedback
from llm_gateway.domain.queries import QuerySummary
from llm_gateway.domain.usage import TEST_TAG, Bucket, Rollup, Sums
from llm_gateway.values import dataclass

PerformanceBucket = Literal[Bucket.HOUR, Bucket.DAY]

_PLACES: Final = Decimal("1e-12")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackSum:
    """The feedback on those queries of a version that ended in the hour from `start` on, and that `label` led to it."""

    version: int
    label: str | None = None
    start: datetime
    feedback: Feedback


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceRow:
    """A version in a bucket: None where the whole time is one."""

    version: int
    bucket: datetime | None
    sums: Sums
    feedback: Feedback


def feedback_change(query: QuerySummary, before: Sequence[Decimal], after: Sequence[Decimal]) -> Feedback | None:
    """What it changes in the sums of a query's version that it has the scores `after` instead of those `before`.

    None where the query counts for no version: it has none, or is one of a test.
    """
    if query.prompt is None or TEST_TAG in query.tags:
        return None
    is_judged = query.figures is None or not query.figures.cache_hit
    return Feedback(
        count=len(after) - len(before),
        total=sum(after, Decimal(0)) - sum(before, Decimal(0)),
        rated=int(is_judged) * (bool(after) - bool(before)),
        means=(_mean(after) - _mean(before)) * is_judged,
    )


def _mean(scores: Sequence[Decimal]) -> Decimal:
    # So many places that DynamoDB adds them up exactly.
    return (sum(scores, Decimal(0)) / max(len(scores), 1)).quantize(_PLACES)


def performance(
    rollups: Iterable[Rollup],
    feedback: Iterable[FeedbackSum],
    *,
    prompt_id: str,
    version: int | None,
    bucket: Bucket | None,
) -> list[PerformanceRow]:
    """Rows of one prompt in the order of their buckets and versions; of all versions where `version` is None."""
    sums: dict[tuple[datetime | None, int], Sums] = {}
    scores: dict[tuple[datetime | None, int], Feedback] = {}
    for rollup in rollups:
        used = rollup.group.prompt
        if used is not None and used.id == prompt_id and version in (None, used.version):
            sums.setdefault((_start(rollup.start, bucket), used.version), Sums()).merge(rollup.sums)
    for each in feedback:
        if version in (None, each.version):
            place = _start(each.start, bucket), each.version
            scores[place] = scores.get(place, Feedback()).plus(each.feedback)
    places = sorted(sums.keys() | scores.keys(), key=lambda place: (place[0].timestamp() if place[0] else 0, place[1]))
    return [
        PerformanceRow(
            version=place[1],
            bucket=place[0],
            sums=sums.get(place, Sums()),
            feedback=scores.get(place, Feedback()),
        )
        for place in places
    ]


def _start(moment: datetime, bucket: Bucket | None) -> datetime | None:
    return bucket.start(moment) if bucket else None
