"""What a query counts as, and what queries add up to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.queries import (
    Attempt,
    AttemptOutcome,
    Figures,
    PromptUsed,
    QueryProblem,
    QueryStatus,
    QuerySummary,
)
from llm_gateway.domain.usage import (
    Bucket,
    Group,
    Grouping,
    Rollup,
    Sums,
    UsageRecord,
    added_up,
    cost_of,
    rolled_up,
    tabulated,
)

AT = datetime(2026, 11, 29, 19, 41, 31, 5, tzinfo=UTC)
FIGURES = Figures(
    provider="openai",
    model="gpt",
    usage=Usage(input_tokens=8, output_tokens=5, cached_input_tokens=3, reasoning_tokens=2),
    cost_usd=Decimal("0.000393"),
    total_ms=655,
    provider_ms=640,
)
ENDED = QuerySummary(
    id="qry_1",
    owner="key_a",
    mode="sync",
    status=QueryStatus.SUCCEEDED,
    created_at=AT,
    expires_at=AT + timedelta(days=30),
    completed_at=AT,
    figures=FIGURES,
)


def attempt(outcome: AttemptOutcome, cost: str | None = None, *, provider: str = "openai") -> Attempt:
    return Attempt(
        provider=provider, model=f"{provider}-model", outcome=outcome, cost_usd=None if cost is None else Decimal(cost)
    )


def failed(*attempts: Attempt, code: str = "provider_error") -> QuerySummary:
    problem = QueryProblem(status=502, code=code, title="Failed", detail="It failed.", attempts=attempts)
    return replace(ENDED, status=QueryStatus.FAILED, figures=None, problem=problem)


def record(query_id: str = "qry_1", *, cost: str | None = "1", key: str = "key_a", **changes: Any) -> UsageRecord:
    group = Group(key=key, provider="openai", model="gpt", **changes)
    known = None if cost is None else Decimal(cost)
    return UsageRecord(query_id=query_id, group=group, completed_at=AT, usage=Usage(input_tokens=1), cost_usd=known)


def test_a_query_counts_as_its_answer_says() -> None:
    asked = replace(ENDED, tags=("a", "b"), prompt=PromptUsed(id="greet", version=3, label="live"))
    counted = UsageRecord.of(asked)
    assert counted.group == Group(
        key="key_a",
        provider="openai",
        model="gpt",
        prompt=PromptUsed(id="greet", version=3, label="live"),
        tags=("a", "b"),
    )
    assert (counted.usage, counted.cost_usd, counted.latency_ms) == (FIGURES.usage, Decimal("0.000393"), 655)
    assert (counted.failed, counted.invalid, counted.cache_hit) == (False, False, False)


def test_a_hit_took_no_providers_time() -> None:
    counted = UsageRecord.of(replace(ENDED, figures=replace(FIGURES, cache_hit=True, cost_usd=Decimal(0))))
    assert (counted.cache_hit, counted.cost_usd, counted.latency_ms) == (True, 0, None)


def test_a_query_that_has_not_ended_does_not_count() -> None:
    with pytest.raises(ValueError, match="has not ended"):
        UsageRecord.of(replace(ENDED, completed_at=None))


@pytest.mark.parametrize(
    ("attempts", "cost"),
    [
        ((), "0"),
        ((attempt(AttemptOutcome.SKIPPED),), "0"),
        ((attempt(AttemptOutcome.ERROR),), "0"),
        ((attempt(AttemptOutcome.ERROR, "0.25"), attempt(AttemptOutcome.ERROR, "0.5")), "0.75"),
        ((attempt(AttemptOutcome.CANCELLED),), None),
    ],
)
def test_a_failure_costs_what_was_billed_before_it(attempts: tuple[Attempt, ...], cost: str | None) -> None:
    assert cost_of(failed(*attempts)) == (None if cost is None else Decimal(cost))


def test_a_query_cancelled_between_two_tries_costs_what_the_first_one_did() -> None:
    tried = failed(attempt(AttemptOutcome.ERROR, "0.02"))
    cancelled = replace(tried, status=QueryStatus.CANCELLED, problem=None, fault=tried.problem)
    counted = UsageRecord.of(cancelled)
    assert (counted.cost_usd, counted.group.provider, counted.failed) == (Decimal("0.02"), "openai", False)


def test_a_failure_counts_for_whom_was_asked_last() -> None:
    asked = (attempt(AttemptOutcome.ERROR), attempt(AttemptOutcome.ERROR, provider="b"))
    group = UsageRecord.of(failed(*asked, attempt(AttemptOutcome.SKIPPED, provider="c"))).group
    assert (group.provider, group.model) == ("b", "b-model")
    nobody = UsageRecord.of(failed(attempt(AttemptOutcome.SKIPPED))).group
    assert (nobody.provider, nobody.model) == (None, None)


def test_an_answer_that_was_not_as_asked_is_told_apart() -> None:
    assert UsageRecord.of(failed(code="response_validation_failed")).invalid
    assert not UsageRecord.of(failed()).invalid


def test_sums_are_exact_beyond_what_a_decimal_usually_keeps() -> None:
    costs = ["1E-33", "123456789012.5", *["0.000000000000000000000000001"] * 3]
    sums = Sums()
    for cost in costs:
        sums.count(record(cost=cost))
    assert sums.cost_usd == Decimal("123456789012.500000000000000000000000003000001")


def test_an_unknown_cost_is_counted_and_never_zero() -> None:
    sums = Sums()
    assert sums.cost_usd == 0
    sums.count(record(cost=None))
    assert (sums.cost_usd, sums.unpriced_requests) == (None, 1)
    sums.count(record(cost="0.1"))
    assert (sums.cost_usd, sums.unpriced_requests, sums.requests) == (Decimal("0.1"), 1, 2)


def test_adding_up_in_two_steps_is_adding_up_in_one() -> None:
    records = [record(f"qry_{n}", cost=f"0.{n}7", key=f"key_{n % 3}") for n in range(30)]
    at_once = rolled_up(records, start=AT)
    halves = [*rolled_up(records[:11], start=AT), *rolled_up(records[11:], start=AT)]
    assert sorted(added_up(halves, start=AT), key=str) == sorted(at_once, key=str)


def rollups(*groups: Group, start: datetime = AT) -> tuple[Rollup, ...]:
    return tuple(Rollup(start=start, group=group, sums=Sums(requests=1)) for group in groups)


def test_a_query_counts_once_under_each_tag() -> None:
    tagged = Group(key="k", provider=None, model=None, tags=("b", "a", "b"))
    plain = Group(key="k", provider=None, model=None)
    rows = tabulated(rollups(tagged, plain), by=Grouping.TAG, bucket=None)
    assert [(row.value, row.sums.requests) for row in rows] == [("a", 1), ("b", 1), (None, 1)]


def test_without_a_grouping_there_is_one_row_even_of_nothing() -> None:
    (row,) = tabulated((), by=None, bucket=None)
    assert (row.bucket, row.value, row.sums) == (None, None, Sums())
    assert tabulated((), by=Grouping.KEY, bucket=None) == []


@pytest.mark.parametrize(
    ("bucket", "start"),
    [(Bucket.HOUR, (2026, 11, 29, 19)), (Bucket.DAY, (2026, 11, 29)), (Bucket.MONTH, (2026, 11, 1))],
)
def test_a_bucket_begins_in_utc(bucket: Bucket, start: tuple[int, ...]) -> None:
    eastern = AT.astimezone(tz=datetime.fromisoformat("2026-01-01T00:00:00+09:00").tzinfo)
    assert bucket.start(eastern) == datetime(*start, tzinfo=UTC)  # type: ignore[misc,arg-type]


def test_rows_come_in_the_order_of_their_buckets() -> None:
    group = Group(key="k", provider="p", model=None)
    months = [datetime(2026, month, 1, tzinfo=UTC) for month in (3, 1, 2)]
    rows = tabulated(
        [rollup for start in months for rollup in rollups(group, start=start)],
        by=Grouping.PROVIDER,
        bucket=Bucket.MONTH,
    )
    assert [row.bucket for row in rows] == sorted(months)


def test_costs_are_summed_up_with_their_squares() -> None:
    [rollup] = rolled_up([record("qry_1", cost="0.1"), record("qry_2", cost="0.3")], start=AT)
    assert (rollup.sums.known_usd, rollup.sums.known_usd_squares) == (Decimal("0.4"), Decimal("0.1"))
