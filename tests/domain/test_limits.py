"""The limit, tried with any arrivals: never more than it says, never less than it allows, and waits that are true."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gateway.domain.limits import (
    NS_PER_S,
    WINDOW_NS,
    Level,
    Limit,
    Reservation,
    duration_ns,
    from_ns,
    in_seconds,
    to_ns,
)
from llm_gateway.domain.writes import Write

from tests.adapters.items import InMemoryItems

START_NS = to_ns(datetime(2026, 11, 22, 12, tzinfo=UTC))
HOUR_NS = 3600 * NS_PER_S
TEN_MINUTES_NS = HOUR_NS // 6

limits = st.integers(1, 400).flatmap(
    lambda per_minute: st.builds(Limit.of, st.just(per_minute), burst=st.none() | st.integers(1, per_minute))
)
gaps_ns = st.lists(st.integers(0, 90 * NS_PER_S) | st.integers(0, NS_PER_S) | st.just(0), max_size=80)


class Bucket:
    """A bucket in an item, used by somebody who always knows the item as it is."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._items = InMemoryItems()

    @property
    def level(self) -> Level:
        return Level.of(self._items.items.get("bucket", {}), "tokens")

    def take(self, now_ns: int, amount: int = 1) -> bool:
        allowed = self.limit.wait_ns(self.level, now_ns=now_ns, amount=amount) == 0
        done = self.write(self.limit.take("tokens", self.level, now_ns=now_ns, amount=amount))
        assert done is allowed
        return done

    def settle(self, now_ns: int, reserved: Reservation, used: int) -> None:
        settlement = self.limit.settle("tokens", self.level, reserved=reserved, used=used, now_ns=now_ns)
        assert self.write(settlement)

    def write(self, write: Write) -> bool:
        return self._items.write("bucket", write).done


def most_in_a_window(taken: Sequence[tuple[int, int]]) -> int:
    """The largest amount that (time, amount) pairs have in any 60 s, both ends counted in."""
    windows = (sum(amount for at_ns, amount in taken if 0 <= at_ns - start_ns <= WINDOW_NS) for start_ns, _ in taken)
    return max(windows, default=0)


def most_at_once(taken: Sequence[tuple[int, int]]) -> int:
    return max((sum(amount for at_ns, amount in taken if at_ns == now_ns) for now_ns, _ in taken), default=0)


@given(limits, gaps_ns)
def test_never_more_than_the_limit_in_a_minute_nor_than_the_burst_at_once(limit: Limit, gaps: list[int]) -> None:
    bucket, now_ns, taken = Bucket(limit), START_NS, []
    for gap in gaps:
        now_ns += gap
        while bucket.take(now_ns):
            taken.append((now_ns, 1))
    assert most_in_a_window(taken) <= limit.per_minute
    assert most_at_once(taken) <= limit.burst


@given(limits)
def test_an_unused_limit_gives_exactly_its_burst_at_once(limit: Limit) -> None:
    bucket = Bucket(limit)
    assert [bucket.take(START_NS) for _ in range(limit.burst + 1)] == [True] * limit.burst + [False]


@given(limits)
def test_a_caller_who_comes_as_often_as_allowed_is_never_refused(limit: Limit) -> None:
    bucket = Bucket(limit)
    assert all(bucket.take(START_NS + n * limit.interval_ns) for n in range(limit.per_minute + 10))


@settings(max_examples=25)
@given(limits)
def test_a_greedy_caller_gets_all_that_the_limit_allows_in_ten_minutes(limit: Limit) -> None:
    bucket, now_ns, taken = Bucket(limit), START_NS, 0
    while now_ns <= START_NS + TEN_MINUTES_NS:
        if bucket.take(now_ns):
            taken += 1
        else:
            now_ns += limit.wait_ns(bucket.level, now_ns=now_ns)
    assert taken == limit.burst + TEN_MINUTES_NS // limit.interval_ns
    assert taken >= 10 * (limit.per_minute - limit.burst + 1)


@given(limits, gaps_ns)
def test_the_wait_is_exact(limit: Limit, gaps: list[int]) -> None:
    bucket, now_ns = Bucket(limit), START_NS
    for gap in gaps:
        now_ns += gap
        while bucket.take(now_ns):
            pass
        wait_ns = limit.wait_ns(bucket.level, now_ns=now_ns)
        assert 0 < wait_ns <= WINDOW_NS + 1
        assert not bucket.take(now_ns + wait_ns - 1)
        now_ns += wait_ns
        assert bucket.take(now_ns)


@given(limits, st.lists(st.tuples(st.integers(0, 30 * NS_PER_S), st.integers(1, 400)), max_size=60))
def test_amounts_of_any_size_stay_within_the_limit_and_pass_after_their_wait(
    limit: Limit, arrivals: list[tuple[int, int]]
) -> None:
    bucket, now_ns, taken = Bucket(limit), START_NS, []
    for gap, wanted in arrivals:
        now_ns += gap
        amount = min(wanted, limit.per_minute)
        if not bucket.take(now_ns, amount):
            now_ns += limit.wait_ns(bucket.level, now_ns=now_ns, amount=amount)
            assert bucket.take(now_ns, amount)
        taken.append((now_ns, amount))
    assert most_in_a_window(taken) <= limit.per_minute


calls = st.lists(
    st.tuples(
        st.integers(0, 20 * NS_PER_S),  # after the call before it
        st.integers(0, 400),  # reserved
        st.floats(0, 1),  # of which used
        st.integers(0, 40 * NS_PER_S),  # until it is settled
    ),
    max_size=40,
)


@given(limits, calls)
def test_giving_back_never_lets_more_be_used_than_the_limit(
    limit: Limit, calls: list[tuple[int, int, float, int]]
) -> None:
    bucket, now_ns, used_at = Bucket(limit), START_NS, []
    pending: list[tuple[int, int, Reservation, int]] = []

    def settle_until(moment_ns: int) -> None:
        for entry in sorted(entry[:2] for entry in pending if entry[0] <= moment_ns):
            _, _, reservation, used = pending.pop(next(i for i, other in enumerate(pending) if other[:2] == entry))
            bucket.settle(entry[0], reservation, used)

    for number, (gap, wanted, share, duration) in enumerate(calls):
        now_ns += gap
        settle_until(now_ns)
        amount = min(wanted, limit.per_minute)
        if bucket.take(now_ns, amount):
            used = int(amount * share)
            used_at.append((now_ns, used))
            pending.append((now_ns + duration, number, Reservation(amount=amount, level=bucket.level), used))
    assert most_in_a_window(used_at) <= limit.per_minute


def test_what_was_not_used_can_be_taken_again_at_once() -> None:
    limit = Limit.of(100, burst=50)
    bucket = Bucket(limit)
    assert bucket.take(START_NS, 40)
    reservation = Reservation(amount=40, level=bucket.level)
    assert not bucket.take(START_NS, 40)
    bucket.settle(START_NS + NS_PER_S, reservation, 5)
    assert bucket.take(START_NS + NS_PER_S, 40)


def test_a_reservation_that_has_drained_gives_nothing_back() -> None:
    limit = Limit.of(100, burst=50)
    bucket = Bucket(limit)
    assert bucket.take(START_NS, 50)
    orphan = Reservation(amount=50, level=bucket.level)
    drained_ns = bucket.level.tat_ns
    assert bucket.take(drained_ns, 50)
    bucket.settle(drained_ns, orphan, 0)
    assert not bucket.take(drained_ns, 1)


def test_a_bucket_that_was_empty_since_gives_nothing_back_though_it_is_not_yet_due() -> None:
    limit = Limit.of(100, burst=50)
    bucket = Bucket(limit)
    assert bucket.take(START_NS, 40)
    early = Reservation(amount=40, level=bucket.level)
    assert bucket.take(START_NS, 10)
    late = Reservation(amount=10, level=bucket.level)
    before = bucket.level
    bucket.settle(START_NS, early, 0)
    now_ns = bucket.level.tat_ns
    assert bucket.take(now_ns, 50)
    bucket.settle(now_ns, late, 0)
    assert not bucket.take(now_ns, 1)
    assert not bucket.write(limit.settle("tokens", before, reserved=late, used=0, now_ns=now_ns))


def test_what_was_used_beyond_the_reservation_is_owed() -> None:
    limit = Limit.of(100, burst=50)
    bucket = Bucket(limit)
    assert bucket.take(START_NS, 10)
    bucket.settle(START_NS, Reservation(amount=10, level=bucket.level), 90)
    assert limit.remaining(bucket.level, now_ns=START_NS) == 0
    assert bucket.level.tat_ns == START_NS + 90 * limit.interval_ns


@given(limits, st.integers(0, 200), st.integers(-HOUR_NS, HOUR_NS), st.integers(-HOUR_NS, HOUR_NS))
def test_a_write_for_a_bucket_that_has_changed_meanwhile_is_right_or_not_done(
    limit: Limit, wanted: int, drained_ns: int, guessed_ns: int
) -> None:
    amount = min(wanted, limit.per_minute)
    bucket = Bucket(limit)
    bucket.write(limit.take("tokens", Level(), now_ns=START_NS + drained_ns, amount=0))
    before, guess = bucket.level, Level(tat_ns=START_NS + guessed_ns)
    if bucket.write(limit.take("tokens", guess, now_ns=START_NS, amount=amount)):
        assert limit.wait_ns(before, now_ns=START_NS, amount=amount) == 0
        assert bucket.level.tat_ns == max(START_NS, before.tat_ns) + amount * limit.interval_ns
    else:
        assert bucket.level == before


@given(limits, st.integers(1, 400))
def test_what_remains_is_what_can_be_taken(limit: Limit, wanted: int) -> None:
    bucket = Bucket(limit)
    bucket.take(START_NS, min(wanted, limit.per_minute))
    for now_ns in (START_NS, START_NS + limit.interval_ns // 2, START_NS + 3 * limit.interval_ns):
        left = limit.remaining(bucket.level, now_ns=now_ns)
        assert left == 0 or limit.wait_ns(bucket.level, now_ns=now_ns, amount=left) == 0
        assert left == limit.burst or limit.wait_ns(bucket.level, now_ns=now_ns, amount=left + 1) > 0
    reset_ns = limit.reset_ns(bucket.level, now_ns=START_NS)
    assert limit.remaining(bucket.level, now_ns=START_NS + reset_ns) == limit.burst


@pytest.mark.parametrize(
    ("per_minute", "burst", "expected"), [(500, None, 100), (4, None, 1), (10, 3, 3), (10, 10, 10), (10, 50, 10)]
)
def test_the_default_burst_is_a_fifth_and_at_least_one(per_minute: int, burst: int | None, expected: int) -> None:
    assert Limit.of(per_minute, burst=burst) == Limit(per_minute=per_minute, burst=expected)


def test_times_survive_the_way_through_nanoseconds() -> None:
    moment = datetime(2026, 11, 22, 12, 0, 0, 123457, tzinfo=UTC)
    assert from_ns(to_ns(moment)) == moment
    assert from_ns(to_ns(moment) + 1) == moment + timedelta(microseconds=1)
    assert in_seconds(duration_ns(1.5)) == 1.5
    assert in_seconds(1) == 0.000001
