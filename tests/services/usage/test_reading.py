"""Reading usage: the same sums whatever is summed up already, for every role, page by page."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.usage import DAY, HOUR, Bucket, Grouping, UsageRow
from llm_gateway.errors import MalformedRequest, ValidationFailed
from llm_gateway.services.usage.reading import UsageWanted

from tests.services.usage.records import MIDNIGHT, History

ADMIN = Caller(key_id="key_admin", role=Role.ADMIN)
ALICE = Caller(key_id="key_a", role=Role.CALLER)


@pytest.fixture
def history() -> History:
    return History()


def rows(history: History, *, caller: Caller = ADMIN, limit: int = 100, **wanted: Any) -> list[UsageRow]:
    found: list[UsageRow] = []
    cursor: str | None = None
    while True:
        page = history.reader.page(UsageWanted(**wanted), caller=caller, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


def requests(history: History, since: datetime, until: datetime, **how: Any) -> int:
    (row,) = rows(history, since=since, until=until, **how)
    return row.sums.requests


def three_days(history: History) -> None:
    history.roller.roll()
    for minutes in range(0, 3 * 24 * 60, 90):
        history.end(
            MIDNIGHT + timedelta(minutes=minutes), owner=f"key_{'ab'[minutes % 4 // 2]}", provider="xyz"[minutes % 3]
        )
    history.at(MIDNIGHT + 3 * DAY - timedelta(minutes=1))


def everything(history: History) -> list[list[UsageRow]]:
    span = {"since": MIDNIGHT + timedelta(minutes=30), "until": MIDNIGHT + 3 * DAY}
    return [
        rows(history, caller=caller, by=by, bucket=bucket, **span)
        for caller in (ADMIN, ALICE)
        for by in (None, *Grouping)
        for bucket in (None, *Bucket)
    ]


def test_the_sums_are_the_same_however_much_is_summed_up(history: History) -> None:
    """Nothing, to the last hour, and days too."""
    three_days(history)
    before = everything(history)
    history.roller.roll()
    assert everything(history) == before
    read = history.index.count("ended")
    history.at(MIDNIGHT + 3 * DAY + 3 * HOUR)
    history.roller.roll()
    assert everything(history) == before
    assert history.index.count("ended") > read
    assert sum(row.sums.requests for row in before[0]) == 47


def test_what_is_summed_up_is_not_read_query_by_query(history: History) -> None:
    three_days(history)
    history.at(MIDNIGHT + 3 * DAY + 3 * HOUR)
    history.roller.roll()
    read = history.index.count("ended")
    assert requests(history, MIDNIGHT, MIDNIGHT + 3 * DAY) == 48
    assert history.index.count("ended") == read


@pytest.mark.parametrize("roll", [False, True])
@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        (timedelta(0), timedelta(hours=3), 2),
        (timedelta(minutes=1), timedelta(hours=3), 1),
        (timedelta(0), timedelta(hours=3, microseconds=1), 3),
        (timedelta(minutes=89), timedelta(minutes=91), 1),
        (timedelta(minutes=91), timedelta(minutes=92), 0),
        (timedelta(hours=22), timedelta(hours=26), 3),
        (timedelta(hours=22, minutes=30), timedelta(hours=49, minutes=30), 18),
    ],
)
def test_a_span_begins_and_ends_where_it_says(
    history: History, since: timedelta, until: timedelta, expected: int, roll: bool
) -> None:
    three_days(history)
    if roll:
        history.at(MIDNIGHT + 4 * DAY)
        history.roller.roll()
    else:
        history.at(MIDNIGHT + 2 * DAY + 23 * HOUR)
    assert requests(history, MIDNIGHT + since, MIDNIGHT + until) == expected


def test_beyond_the_queries_lives_hours_count_whole_where_they_begin() -> None:
    history = History(kept=timedelta(days=1))
    for minutes in (10, 50, 70):
        history.end(MIDNIGHT + timedelta(minutes=minutes))
    history.at(MIDNIGHT + 4 * HOUR)
    history.roller.roll()
    history.at(MIDNIGHT + 10 * DAY)
    history.roller.roll()
    half = timedelta(minutes=30)
    assert requests(history, MIDNIGHT, MIDNIGHT + half) == 2
    assert requests(history, MIDNIGHT + half, MIDNIGHT + 2 * HOUR) == 1
    assert requests(history, MIDNIGHT, MIDNIGHT + HOUR + half) == 3


def test_without_a_span_the_last_day_counts(history: History) -> None:
    history.roller.roll()
    for minutes in (0, 1, 60, 24 * 60):
        history.end(MIDNIGHT + timedelta(minutes=minutes))
    history.at(MIDNIGHT + DAY + timedelta(minutes=1))
    history.roller.roll()
    (row,) = rows(history)
    assert row.sums.requests == 3
    (row,) = rows(history, until=MIDNIGHT + HOUR)
    assert row.sums.requests == 2


def test_a_caller_sees_its_own(history: History) -> None:
    history.end(MIDNIGHT, owner="key_a")
    history.end(MIDNIGHT, owner="key_b")
    history.at(MIDNIGHT + HOUR)
    assert [row.value for row in rows(history, caller=ALICE, by=Grouping.KEY)] == ["key_a"]
    for role in (Role.ADMIN, Role.OPERATOR, Role.AUDITOR):
        reader = Caller(key_id="key_c", role=role)
        assert [row.value for row in rows(history, caller=reader, by=Grouping.KEY)] == ["key_a", "key_b"]
    editor = Caller(key_id="key_b", role=Role.PROMPT_EDITOR)
    assert [row.value for row in rows(history, caller=editor, by=Grouping.KEY)] == ["key_b"]


def test_of_nothing_there_is_one_row_and_no_others(history: History) -> None:
    (row,) = rows(history)
    assert (row.sums.requests, row.sums.cost_usd) == (0, Decimal(0))
    assert rows(history, by=Grouping.KEY) == rows(history, bucket=Bucket.DAY) == []


def test_pages_go_on_with_the_span_of_the_first(history: History) -> None:
    for number in range(7):
        history.end(MIDNIGHT, provider=f"p{number}")
    history.at(MIDNIGHT + HOUR)
    page = history.reader.page(UsageWanted(by=Grouping.PROVIDER), caller=ADMIN, limit=3, cursor=None)
    history.at(MIDNIGHT + 2 * DAY)
    again = history.reader.page(UsageWanted(by=Grouping.PROVIDER), caller=ADMIN, limit=9, cursor=page.next_cursor)
    assert [row.value for row in (*page.items, *again.items)] == [f"p{number}" for number in range(7)]
    assert again.next_cursor is None


@pytest.mark.parametrize("cursor", ["x", "", "eyJiZWZvcmUiOiAieCJ9", "W10"])
def test_a_cursor_of_another_list_is_refused(history: History, cursor: str) -> None:
    with pytest.raises(MalformedRequest):
        history.reader.page(UsageWanted(), caller=ADMIN, limit=3, cursor=cursor)


@pytest.mark.parametrize("part", ["since", "until", "passed"])
@pytest.mark.parametrize("wrong", ["", "x", "-1", "2026-11-29T00:00:00"])
def test_a_cursor_that_was_tampered_with_is_refused(history: History, part: str, wrong: str) -> None:
    from llm_gateway.domain.cursors import to_cursor

    whole = {"since": MIDNIGHT.isoformat(), "until": (MIDNIGHT + DAY).isoformat(), "passed": "0"}
    with pytest.raises(MalformedRequest):
        history.reader.page(UsageWanted(), caller=ADMIN, limit=3, cursor=to_cursor(whole | {part: wrong}))


def test_a_cursor_spans_no_more_hours_than_a_question_may(history: History) -> None:
    from llm_gateway.domain.cursors import to_cursor

    span = {"since": (MIDNIGHT - timedelta(days=365)).isoformat(), "until": MIDNIGHT.isoformat(), "passed": "0"}
    hourly = UsageWanted(since=MIDNIGHT - DAY, until=MIDNIGHT, bucket=Bucket.HOUR)
    with pytest.raises(MalformedRequest):
        history.reader.page(hourly, caller=ADMIN, limit=3, cursor=to_cursor(span))
    assert history.index.count("ended") == 0


@pytest.mark.parametrize(
    "wanted",
    [
        lambda now: UsageWanted(since=now, until=now),
        lambda now: UsageWanted(since=now + HOUR),
        lambda now: UsageWanted(since=now - timedelta(days=31, seconds=1), bucket=Bucket.HOUR),
    ],
    ids=["nothing", "the other way round", "too many hours"],
)
def test_a_span_that_cannot_be_is_refused(history: History, wanted: Callable[[datetime], UsageWanted]) -> None:
    with pytest.raises(ValidationFailed) as refused:
        history.reader.page(wanted(history.clock.now()), caller=ADMIN, limit=3, cursor=None)
    assert [error.field for error in refused.value.errors] == ["from"]


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (datetime.min, datetime.max),
        (datetime.max - DAY, datetime.max),
        (datetime.min, datetime.min + DAY),
        (None, datetime.min + HOUR),
    ],
)
def test_the_ends_of_time_are_no_trouble(history: History, since: datetime | None, until: datetime) -> None:
    history.end(MIDNIGHT)
    history.at(MIDNIGHT + HOUR)
    utc = MIDNIGHT.tzinfo
    (row,) = rows(history, since=since and since.replace(tzinfo=utc), until=until.replace(tzinfo=utc))
    assert row.sums.requests == (1 if since == datetime.min and until == datetime.max else 0)
    assert history.index.count("ended") < 24 * 4
