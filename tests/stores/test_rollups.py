"""Rollups: in memory and on AWS alike."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from llm_gateway.domain.queries import PromptUsed
from llm_gateway.domain.sketch import Sketch
from llm_gateway.domain.usage import DAY, HOUR, Bucket, Group, Progress, Rollup, Sums
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.settings import Settings
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.usage import DynamoRollupStore

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_on_aws

START = datetime(2026, 11, 29, 19, tzinfo=UTC)
GROUP = Group(
    key="key_a",
    provider="openai",
    model="gpt é",
    prompt=PromptUsed(id="greet", version=3, label="live"),
    tags=("b", "a"),
)


def rollup(start: datetime = START, group: Group = GROUP, requests: int = 2) -> Rollup:
    latency = Sketch(counts={300 + n: n for n in range(1, 700)}, zeros=1)
    sums = Sums(
        requests=requests, known_usd=Decimal("123456789012.50000000000000000000000000000000001"), latency_ms=latency
    )
    return Rollup(start=start, group=group, sums=sums)


def found(
    stores: Stores, since: datetime, until: datetime, *, window: Bucket = Bucket.HOUR, key: str | None = None
) -> list[Rollup]:
    return sorted(stores.rollups.within(window, since, until, key=key), key=lambda each: (each.start, str(each.group)))


def test_what_is_put_is_found_whole(stores: Stores) -> None:
    stores.rollups.put(Bucket.HOUR, [rollup()])
    assert found(stores, START, START + HOUR) == [rollup()]


def test_put_again_it_takes_the_place_of_the_one_before(stores: Stores) -> None:
    stores.rollups.put(Bucket.HOUR, [rollup()])
    stores.rollups.put(Bucket.HOUR, [rollup(requests=3)])
    assert [each.sums.requests for each in found(stores, START, START + HOUR)] == [3]


def test_groups_hours_and_days_are_told_apart(stores: Stores) -> None:
    others = [replace(GROUP, tags=("a", "b")), replace(GROUP, model=None), replace(GROUP, prompt=None)]
    stores.rollups.put(Bucket.HOUR, [rollup(), *(rollup(group=each) for each in others)])
    stores.rollups.put(Bucket.HOUR, [rollup(START + HOUR)])
    stores.rollups.put(Bucket.DAY, [rollup(Bucket.DAY.start(START))])
    assert len(found(stores, START, START + HOUR)) == 4
    assert len(found(stores, START, START + 2 * HOUR)) == 5
    assert found(stores, Bucket.DAY.start(START), START, window=Bucket.DAY) == [rollup(Bucket.DAY.start(START))]


def test_one_keys_are_found_by_themselves(stores: Stores) -> None:
    """Also where another key's id begins as this one does."""
    others = [rollup(group=replace(GROUP, key=key)) for key in ("key_ab", "key_b")]
    stores.rollups.put(Bucket.HOUR, [rollup(), *others])
    assert found(stores, START, START + HOUR, key="key_a") == [rollup()]


@pytest.mark.parametrize("window", [Bucket.HOUR, Bucket.DAY])
def test_a_span_reaches_over_months_and_years(stores: Stores, window: Bucket) -> None:
    first, last = datetime(2026, 12, 30, tzinfo=UTC), datetime(2027, 3, 2, tzinfo=UTC)
    starts = [first + n * DAY for n in range((last - first).days)]
    stores.rollups.put(window, [rollup(start) for start in starts])
    assert [each.start for each in found(stores, first, last, window=window)] == starts
    assert [each.start for each in found(stores, first + DAY, last - DAY, window=window)] == starts[1:-1]


def test_more_than_one_batch_or_page_is_stored_and_found(stores: Stores) -> None:
    many = [rollup(group=replace(GROUP, model=f"model-{n}")) for n in range(60)]
    stores.rollups.put(Bucket.HOUR, iter(many))
    stores.rollups.put(Bucket.HOUR, [])
    assert found(stores, START, START + HOUR) == sorted(many, key=lambda each: str(each.group))


def test_the_progress_is_noted(stores: Stores) -> None:
    assert stores.rollups.progress() is None
    for hours in (START, START + HOUR):
        progress = Progress(hours=hours, settled=START, days=Bucket.DAY.start(START))
        stores.rollups.note(progress)
        assert stores.rollups.progress() == progress


def test_rollups_are_kept_for_their_time(aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    stores.rollups.put(Bucket.HOUR, [rollup()])
    (item,) = aws.dynamodb.scan(TableName=settings.usage_table)["Items"]
    assert item["expires_at"]["N"] == str(int((START + timedelta(days=400)).timestamp()))


def test_a_store_that_takes_only_a_part_is_asked_again_after_a_pause(
    aws: Aws, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int | str] = []

    def part(RequestItems: dict[str, list[object]]) -> dict[str, object]:  # noqa: N803
        ((table, requests),) = RequestItems.items()
        seen.append(len(requests))
        return {"UnprocessedItems": {table: requests[1:]} if requests[1:] else {}}

    monkeypatch.setattr(aws.dynamodb, "batch_write_item", part)
    rollups = DynamoRollupStore(
        aws=aws, table=settings.usage_table, retention=timedelta(days=400), pause=lambda: seen.append("a pause")
    )
    rollups.put(Bucket.HOUR, [rollup(group=replace(GROUP, model=str(n))) for n in range(3)])
    assert seen == [3, "a pause", 2, "a pause", 1]
    with pytest.raises(DependencyUnavailable):
        rollups.put(Bucket.HOUR, [rollup(group=replace(GROUP, model=str(n))) for n in range(9)])
