"""Lists of queries, and the queries that count: in memory and on AWS alike."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.queries import Figures, Lease, PromptUsed, Query, QueryStatus, QuerySummary
from llm_gateway.domain.usage import UsageRecord
from llm_gateway.errors import MalformedRequest
from llm_gateway.ports.queries import QuerySearch
from llm_gateway.stores import query_index

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores
from tests.stores.values import answer, problem, query

ALICE, BOB = "key_alice", "key_bob"
FIGURES = Figures(
    provider="openai", model="gpt", usage=Usage(input_tokens=7), cost_usd=Decimal("1E-33"), total_ms=9, provider_ms=8
)
HOUR = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def came_in(stores: Stores, clock: FakeClock, ids: FakeIds) -> Any:
    """Stores a query that comes in now."""

    def add(owner: str = ALICE, **changes: Any) -> Query:
        made = query(
            QUERY_PREFIX + ids.ulid(), owner=owner, created_at=clock.now(), expires_at=clock.now() + timedelta(days=30)
        )
        stored = replace(made, **changes)
        stores.queries.add(stored)
        return stored

    return add


def ended(clock: FakeClock, **changes: Any) -> dict[str, Any]:
    return {
        "status": QueryStatus.SUCCEEDED,
        "completed_at": clock.now(),
        "answer": answer(),
        "figures": FIGURES,
    } | changes


def pages(stores: Stores, clock: FakeClock, *, limit: int = 3, days: float = 1, **search: Any) -> Iterator[list[str]]:
    """The ids on each page of what came in within the last days."""
    wanted = QuerySearch(
        since=clock.now() - timedelta(days=days), until=clock.now() + timedelta(milliseconds=1), **search
    )
    cursor: str | None = None
    while True:
        page = stores.index.page(wanted, limit=limit, cursor=cursor)
        yield [each.id for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return


def listed(stores: Stores, clock: FakeClock, **how: Any) -> list[str]:
    return [query_id for page in pages(stores, clock, **how) for query_id in page]


@pytest.mark.parametrize("owner", [ALICE, None], ids=["one's own", "everybody's"])
def test_pages_are_newest_first_and_miss_none(
    stores: Stores, clock: FakeClock, came_in: Any, owner: str | None
) -> None:
    made = []
    for _ in range(20):
        made.append(came_in().id)
        clock.advance(7000)
    found = list(pages(stores, clock, limit=3, days=3, owner=owner))
    assert [query_id for page in found for query_id in page] == made[::-1]
    assert all(len(page) <= 3 for page in found)


def test_one_sees_ones_own(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    hers, his = came_in(ALICE).id, came_in(BOB).id
    assert listed(stores, clock, owner=ALICE) == [hers]
    assert listed(stores, clock, owner=BOB) == [his]
    assert listed(stores, clock) == [his, hers]
    assert listed(stores, clock, owner="key_carol") == []


def test_what_is_listed_is_what_is_stored_but_for_its_content_and_lease(
    stores: Stores, clock: FakeClock, came_in: Any
) -> None:
    lease = Lease(holder="h", until=clock.now() + timedelta(seconds=30))
    running = came_in(lease=lease, prompt=PromptUsed(id="greet", version=2, label="live"))
    done = came_in(**ended(clock))
    failed = came_in(status=QueryStatus.FAILED, completed_at=clock.now(), problem=problem())
    now = clock.now()
    search = QuerySearch(since=now - timedelta(hours=1), until=now + timedelta(seconds=1), owner=ALICE)
    page = stores.index.page(search, limit=10, cursor=None)
    for found, stored in zip(page.items, [failed, done, running], strict=True):
        summary = stores.queries.summary(stored.id)
        assert summary is not None
        assert (found.id, found.status, found.completed_at) == (summary.id, summary.status, summary.completed_at)
        assert (found.figures, found.problem, found.prompt) == (summary.figures, summary.problem, summary.prompt)
        assert found.lease is None


def test_a_search_leaves_out_what_does_not_match(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    done = [came_in(**ended(clock)).id, came_in(status=QueryStatus.QUEUED).id and came_in(**ended(clock)).id]
    prompted = came_in(prompt=PromptUsed(id="greet", version=1)).id
    came_in(prompt=PromptUsed(id="greet-again", version=1))
    assert listed(stores, clock, owner=ALICE, status=QueryStatus.SUCCEEDED, limit=1) == done[::-1]
    assert listed(stores, clock, prompt="greet") == [prompted]


def test_a_span_begins_and_ends_where_it_says(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    made = []
    for _ in range(3):
        made.append(came_in())
        clock.advance(0.001)
    search = QuerySearch(since=made[1].created_at, until=made[2].created_at, owner=ALICE)
    assert [each.id for each in stores.index.page(search, limit=10, cursor=None).items] == [made[1].id]


def test_an_id_that_was_made_a_moment_later_is_in_the_span_of_its_query(
    stores: Stores, clock: FakeClock, came_in: Any
) -> None:
    """Even where the moment is midnight."""
    clock.advance(12 * 3600 - 0.001)
    before_midnight = clock.now()
    clock.advance(0.002)
    late = came_in(created_at=before_midnight)
    for owner in (ALICE, None):
        search = QuerySearch(since=before_midnight, until=before_midnight + timedelta(milliseconds=1), owner=owner)
        assert [each.id for each in stores.index.page(search, limit=10, cursor=None).items] == [late.id]


def test_days_without_a_query_do_not_hide_those_before(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    old = came_in()
    clock.advance(25 * 24 * 3600)
    assert listed(stores, clock, days=29) == [old.id]


def test_what_should_have_ended_long_ago_reads_as_failed(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    lease = Lease(holder="h", until=clock.now() + timedelta(seconds=30))
    waits = {"mode": "async", "status": QueryStatus.QUEUED, "lease": None}
    lost = came_in(mode="stream", lease=lease)
    overdue = came_in(**waits, due_at=clock.now() + timedelta(seconds=300))
    waiting = came_in(**waits, due_at=clock.now() + timedelta(seconds=1000))
    clock.advance(959)
    assert listed(stores, clock, owner=ALICE, status=QueryStatus.FAILED) == [overdue.id]
    clock.advance(2)
    assert listed(stores, clock, owner=ALICE, status=QueryStatus.FAILED) == [overdue.id, lost.id]
    assert listed(stores, clock, owner=ALICE, status=QueryStatus.QUEUED) == [waiting.id]


def test_erased_and_dropped_queries_are_not_listed(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    stores.queries.erase(came_in(**ended(clock)).id)
    stores.queries.erase(came_in().id)
    stores.queries.drop(came_in().id)
    assert listed(stores, clock) == listed(stores, clock, owner=ALICE) == []


def test_one_whose_time_is_over_is_not_listed(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    came_in(expires_at=clock.now() + timedelta(seconds=10))
    clock.advance(11)
    assert listed(stores, clock) == []


# Of the year 10889.
LATE = "eyJiZWZvcmUiOiAicXJ5XzdaWlpaWlpaWlpaWlpaWlpaWlpaWlpaWlpaIn0"


@pytest.mark.parametrize("cursor", ["x", "", "eyJiZWZvcmUiOiAicXJ5XzEifQ", "eyJhZnRlciI6ICJ4In0", "W10", "=" * 9, LATE])
def test_a_cursor_of_another_list_is_refused(stores: Stores, clock: FakeClock, cursor: str) -> None:
    search = QuerySearch(since=clock.now() - timedelta(days=1), until=clock.now())
    if cursor:
        with pytest.raises(MalformedRequest):
            stores.index.page(search, limit=1, cursor=cursor)


# What counts


def counted(stores: Stores, hour: datetime = HOUR, **how: Any) -> dict[str, UsageRecord]:
    records = list(stores.index.ended(hour, **how))
    assert len({record.query_id for record in records}) == len(records)
    return {record.query_id: record for record in records}


def summary_of(stores: Stores, stored: QuerySummary) -> QuerySummary:
    summary = stores.queries.summary(stored.id)
    assert summary is not None
    return summary


def test_a_query_counts_in_the_hour_of_its_end(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    clock.advance(3599)
    waits = came_in(mode="async", status=QueryStatus.QUEUED, tags=("b", "a"))
    at_once = came_in(**ended(clock), tags=("b", "a"))
    clock.advance(2)
    claimed = stores.queries.claim(waits.id, until=clock.now() + timedelta(seconds=60))
    assert claimed
    assert stores.queries.finish(replace(claimed, **ended(clock)))
    assert counted(stores) == {at_once.id: UsageRecord.of(summary_of(stores, at_once))}
    late = counted(stores, HOUR + timedelta(hours=1))
    assert late == {waits.id: UsageRecord.of(summary_of(stores, waits))}
    assert late[waits.id].group.tags == ("b", "a")
    assert late[waits.id].cost_usd == Decimal("1E-33")


def test_it_counts_once_however_it_ends(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    cancelled, buried = (came_in(mode="async", status=QueryStatus.QUEUED) for _ in range(2))
    held = came_in(mode="async", status=QueryStatus.QUEUED)
    claimed = stores.queries.claim(held.id, until=clock.now() + timedelta(seconds=60))
    assert claimed
    assert stores.queries.cancel(cancelled.id)
    assert stores.queries.bury(buried.id, problem=problem())
    end = replace(claimed, **ended(clock))
    assert stores.queries.finish(end)
    clock.advance(3600)
    # In another hour: a second end, however it comes about, changes nothing.
    assert stores.queries.finish(end)
    assert not stores.queries.finish(replace(claimed, lease=None, **ended(clock)))
    assert stores.queries.cancel(cancelled.id)
    assert stores.queries.bury(buried.id, problem=problem())
    assert counted(stores, HOUR + timedelta(hours=1)) == {}
    found = counted(stores)
    assert set(found) == {cancelled.id, buried.id, held.id}
    assert found[buried.id] == UsageRecord.of(summary_of(stores, buried))
    assert [found[each.id].failed for each in (cancelled, buried, held)] == [False, True, False]


def test_an_erased_query_counts_as_before(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    done = came_in(**ended(clock), tags=("t",))
    failed = came_in(status=QueryStatus.FAILED, completed_at=clock.now(), problem=problem())
    before = counted(stores)
    for each in (done, failed):
        assert stores.queries.erase(each.id)
        assert stores.queries.erase(each.id) is None
        assert stores.queries.get(each.id) is None
    assert counted(stores) == before


def test_one_that_is_erased_before_its_end_counts_as_cancelled(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    waits = came_in(mode="async", status=QueryStatus.QUEUED)
    runs = came_in(mode="async", status=QueryStatus.QUEUED)
    held = stores.queries.claim(runs.id, until=clock.now() + timedelta(seconds=60))
    assert held
    for each in (waits, runs):
        stores.queries.erase(each.id)
    assert not stores.queries.finish(replace(held, **ended(clock)))
    assert not stores.queries.renew(held, until=clock.now() + timedelta(seconds=90))
    assert not stores.queries.requeue(held, problem=None, counted=False)
    assert stores.queries.claim(waits.id, until=clock.now() + timedelta(seconds=60)) is None
    assert stores.queries.cancel(waits.id) is None
    assert stores.queries.bury(waits.id, problem=problem()) is None
    found = counted(stores)
    assert set(found) == {waits.id, runs.id}
    assert not any(record.failed for record in found.values())
    # The holder's call was under way: what it costs nobody knows.
    assert (found[waits.id].cost_usd, found[runs.id].cost_usd) == (0, None)


def test_one_that_was_refused_after_all_does_not_count(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    refused = came_in(mode="stream", lease=Lease(holder="h", until=clock.now() + timedelta(seconds=60)))
    stores.queries.drop(refused.id)
    stores.queries.drop(refused.id)
    assert stores.queries.get(refused.id) is None
    assert counted(stores) == {}


def test_one_sees_what_one_has_used(stores: Stores, clock: FakeClock, came_in: Any) -> None:
    hers, his = came_in(ALICE, **ended(clock)), came_in(BOB, **ended(clock))
    assert set(counted(stores, owner=ALICE)) == {hers.id}
    assert set(counted(stores)) == {hers.id, his.id}


def test_a_search_that_leaves_out_almost_all_goes_on_page_by_page(
    stores: Stores, clock: FakeClock, came_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_index, "_LOOKED_AT", 1)
    monkeypatch.setattr(query_index, "_ROUNDS", 2)
    wanted = came_in(**ended(clock))
    for _ in range(30):
        clock.advance(1)
        came_in(status=QueryStatus.QUEUED)
    assert listed(stores, clock, owner=ALICE, status=QueryStatus.SUCCEEDED) == [wanted.id]
