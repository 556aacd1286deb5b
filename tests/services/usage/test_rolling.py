"""Rolling up: once, twice, late, cut short, and after a long pause."""

from datetime import timedelta

import pytest
from llm_gateway.domain.usage import DAY, HOUR, Bucket
from llm_gateway.errors import DependencyUnavailable

from tests.services.usage.records import MIDNIGHT, History


@pytest.fixture
def history() -> History:
    return History()


def requests(history: History, window: Bucket, hours: int = 0) -> int:
    start = MIDNIGHT + timedelta(hours=hours)
    until = start + (HOUR if window is Bucket.HOUR else DAY)
    return sum(rollup.sums.requests for rollup in history.rollups.within(window, start, until))


def test_an_hour_is_summed_up_a_quarter_of_an_hour_after_its_end(history: History) -> None:
    history.end(MIDNIGHT)
    history.end(MIDNIGHT + HOUR)
    history.at(MIDNIGHT + HOUR + timedelta(minutes=14))
    history.roller.roll()
    assert requests(history, Bucket.HOUR) == 0
    history.at(MIDNIGHT + HOUR + timedelta(minutes=15))
    history.roller.roll()
    assert (requests(history, Bucket.HOUR), requests(history, Bucket.HOUR, 1)) == (1, 0)
    assert history.rollups.progress().hours == MIDNIGHT + HOUR


def test_again_it_changes_nothing(history: History) -> None:
    for minutes in range(0, 60, 7):
        history.end(MIDNIGHT + timedelta(minutes=minutes))
    history.at(MIDNIGHT + 2 * HOUR)
    history.roller.roll()
    before = list(history.rollups.within(Bucket.HOUR, MIDNIGHT, MIDNIGHT + HOUR))
    history.rollups.note(type(history.rollups.progress())(hours=MIDNIGHT, settled=MIDNIGHT, days=MIDNIGHT))
    history.roller.roll()
    assert list(history.rollups.within(Bucket.HOUR, MIDNIGHT, MIDNIGHT + HOUR)) == before


def test_an_hour_that_is_summed_up_is_not_read_again_before_it_settles(history: History) -> None:
    history.at(MIDNIGHT + HOUR + timedelta(minutes=15))
    history.roller.roll()
    read = history.index.count("ended")
    history.at(MIDNIGHT + HOUR + timedelta(minutes=59))
    history.roller.roll()
    assert history.index.count("ended") == read


def test_an_end_that_is_written_late_is_found_when_the_hour_settles(history: History) -> None:
    history.end(MIDNIGHT)
    history.at(MIDNIGHT + HOUR + timedelta(minutes=15))
    history.roller.roll()
    history.end(MIDNIGHT + timedelta(minutes=59), provider="another")
    history.end(MIDNIGHT + timedelta(minutes=59))
    history.roller.roll()
    assert requests(history, Bucket.HOUR) == 1
    history.at(MIDNIGHT + 4 * HOUR)
    history.roller.roll()
    assert requests(history, Bucket.HOUR) == 3


def test_a_day_is_summed_up_when_its_last_hour_has_settled(history: History) -> None:
    for hour in range(24):
        history.end(MIDNIGHT + hour * HOUR)
    history.at(MIDNIGHT + DAY + timedelta(hours=2, minutes=59))
    history.roller.roll()
    assert requests(history, Bucket.DAY) == 0
    history.end(MIDNIGHT + timedelta(hours=23, minutes=59))
    history.at(MIDNIGHT + DAY + 3 * HOUR)
    history.roller.roll()
    assert requests(history, Bucket.DAY) == 25
    assert history.rollups.progress().days == MIDNIGHT + DAY


def test_a_run_that_is_cut_short_is_gone_on_with(history: History) -> None:
    for hour in range(24):
        history.end(MIDNIGHT + hour * HOUR)
    history.roller.roll()
    history.at(MIDNIGHT + DAY + 3 * HOUR)
    for method in ("put", "note"):
        history.rollups.faults[method] = [None] * 5 + [DependencyUnavailable("It is away.")]  # type: ignore[list-item]
        with pytest.raises(DependencyUnavailable):
            history.roller.roll()
    history.rollups.faults.clear()
    history.roller.roll()
    assert requests(history, Bucket.DAY) == 24
    assert [requests(history, Bucket.HOUR, hour) for hour in range(24)] == [1] * 24


def test_after_a_long_pause_it_goes_on_where_it_was(history: History) -> None:
    history.roller.roll()
    for day in range(10):
        history.end(MIDNIGHT + day * DAY)
    history.at(MIDNIGHT + 10 * DAY + 3 * HOUR)
    history.roller.roll()
    assert [requests(history, Bucket.DAY, 24 * day) for day in range(10)] == [1] * 10


def test_the_first_run_looks_two_days_back(history: History) -> None:
    history.end(MIDNIGHT)
    history.at(MIDNIGHT + 2 * DAY + 3 * HOUR)
    history.roller.roll()
    assert requests(history, Bucket.DAY) == 1


def test_an_hour_that_settles_at_once_is_read_once(history: History) -> None:
    history.at(MIDNIGHT + 3 * DAY)
    history.roller.roll()
    # Two days, but for the hour that has just ended.
    assert history.index.count("ended") == 2 * 24 - 1
