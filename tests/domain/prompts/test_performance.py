"""What a prompt's versions have done, by version and time."""

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.prompts.canaries import Feedback
from llm_gateway.domain.prompts.performance import FeedbackSum, PerformanceRow, performance
from llm_gateway.domain.queries import PromptUsed
from llm_gateway.domain.usage import Bucket, Group, Rollup, UsageRecord, rolled_up
from llm_gateway.stores.codec import from_json, to_json

HOUR = datetime(2026, 11, 29, 19, tzinfo=UTC)
SAMPLES, PROCESSES = 10_000, 8


def record(
    *, version: int = 1, prompt: str = "support", key: str = "key_a", ms: int = 100, failed: bool = False
) -> UsageRecord:
    group = Group(key=key, provider="openai", model="gpt", prompt=PromptUsed(id=prompt, version=version))
    return UsageRecord(
        query_id="qry_1",
        group=group,
        completed_at=HOUR,
        failed=failed,
        usage=Usage(input_tokens=10, output_tokens=2),
        cost_usd=Decimal("0.001"),
        latency_ms=ms,
    )


def feedback(version: int, start: datetime, *scores: str) -> FeedbackSum:
    total = sum((Decimal(score) for score in scores), Decimal(0))
    return FeedbackSum(version=version, start=start, feedback=Feedback(count=len(scores), total=total))


def rows(*rollups: Rollup, scores: tuple[FeedbackSum, ...] = (), version: int | None = None,
         bucket: Bucket | None = None) -> list[PerformanceRow]:  # fmt: skip
    return performance(rollups, scores, prompt_id="support", version=version, bucket=bucket)


def test_a_version_has_a_row_over_the_whole_time_of_all_keys() -> None:
    first = rolled_up([record(), record(key="key_b"), record(version=2, failed=True)], start=HOUR)
    later = rolled_up([record()], start=HOUR + timedelta(hours=1))
    others = rolled_up([record(prompt="other"), UsageRecord(
        query_id="qry_2", group=Group(key="key_a", provider=None, model=None), completed_at=HOUR,
        usage=Usage(), cost_usd=None)], start=HOUR)  # fmt: skip
    one, two = rows(*first, *later, *others)
    assert (one.version, one.bucket, one.sums.requests, one.sums.errors) == (1, None, 3, 0)
    assert one.sums.known_usd == Decimal("0.003")
    assert (two.version, two.sums.requests, two.sums.errors) == (2, 1, 1)


def test_buckets_come_in_order_with_their_versions() -> None:
    hours = [HOUR + timedelta(hours=count) for count in (0, 1, 6)]
    found = [rollup for hour in hours for rollup in rolled_up([record(version=2), record()], start=hour)]
    by_day = rows(*found, bucket=Bucket.DAY)
    midnight, next_day = datetime(2026, 11, 29, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
    assert [(row.bucket, row.version, row.sums.requests) for row in by_day] == [
        (midnight, 1, 2), (midnight, 2, 2), (next_day, 1, 1), (next_day, 2, 1),
    ]  # fmt: skip
    assert [row.bucket for row in rows(*found, bucket=Bucket.HOUR, version=2)] == hours


def test_feedback_joins_its_version_and_bucket() -> None:
    scores = (feedback(1, HOUR, "1", "0.5"), feedback(1, HOUR + timedelta(hours=1), "0"), feedback(2, HOUR, "0.25"))
    one, two = rows(*rolled_up([record()], start=HOUR), scores=scores)
    assert (one.feedback.count, one.feedback.mean) == (3, 0.5)
    assert (two.sums.requests, two.feedback.mean) == (0, 0.25)
    assert [row.feedback.count for row in rows(scores=scores, bucket=Bucket.HOUR, version=1)] == [2, 1]


def test_without_feedback_there_is_no_mean() -> None:
    [row] = rows(*rolled_up([record()], start=HOUR))
    assert (row.feedback.count, row.feedback.mean) == (0, None)


def latencies(seed: int) -> list[int]:
    draw = Random(seed)  # noqa: S311
    return [round(draw.lognormvariate(6, 1.2)) + 1 for _ in range(SAMPLES // PROCESSES)]


def recorded(seed: int) -> list[bytes]:
    """What one process leaves of its queries: rollups, as they are stored."""
    rollups = rolled_up([record(ms=ms, key=f"key_{seed}") for ms in latencies(seed)], start=HOUR)
    return [to_json(Rollup, rollup) for rollup in rollups]


def test_percentiles_of_eight_processes_are_within_two_percent() -> None:
    with ProcessPoolExecutor(max_workers=PROCESSES) as pool:
        stored = [rollup for rollups in pool.map(recorded, range(PROCESSES)) for rollup in rollups]
    [row] = rows(*(from_json(Rollup, rollup) for rollup in stored))
    everything = sorted(ms for seed in range(PROCESSES) for ms in latencies(seed))
    assert row.sums.requests == len(everything) == SAMPLES
    for share in (0.5, 0.95, 0.99):
        exact = everything[int(share * (SAMPLES - 1))]
        assert row.sums.latency_ms.quantile(share) == pytest.approx(exact, rel=0.02)
