"""What a cache of answers promises: one maker for each, an answer only while it is good, and nothing left of what was deleted."""

from datetime import datetime, timedelta

import pytest
from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.ports.queries import AnswerCache

from tests.adapters.clock import FakeClock
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.test_queries import text_of
from tests.stores.values import answer

KEY = "5f" * 32
LEASE_S = 30
TTL_S = 3600
LARGE = 600_000


@pytest.fixture
def cache(stores: Stores) -> AnswerCache:
    return stores.cache


def soon(clock: FakeClock) -> datetime:
    return clock.now() + timedelta(seconds=LEASE_S)


def cached(clock: FakeClock, *, query_id: str = "qry_1", size: int = 100) -> CachedAnswer:
    now = clock.now()
    return CachedAnswer(
        answer=answer(text_of(size)), query_id=query_id, cached_at=now, expires_at=now + timedelta(seconds=TTL_S)
    )


def test_who_looks_first_makes_the_answer_and_the_others_are_told(cache: AnswerCache, clock: FakeClock) -> None:
    assert cache.peek(KEY) is None
    until = soon(clock)
    assert cache.look_up(KEY, holder="qry_1", until=until) is None
    clock.advance(1)
    assert cache.look_up(KEY, holder="qry_2", until=soon(clock)) == Pending(holder="qry_1", until=until)
    assert cache.peek(KEY) == Pending(holder="qry_1", until=until)


@pytest.mark.parametrize("size", [100, 20_000, LARGE, 4_000_000])
def test_the_answer_is_everybodys_as_it_was(cache: AnswerCache, clock: FakeClock, size: int) -> None:
    cache.look_up(KEY, holder="qry_1", until=soon(clock))
    made = cached(clock, size=size)
    cache.put(KEY, made, owner="key_alice")
    clock.advance(LEASE_S + 1)
    assert cache.look_up(KEY, holder="qry_2", until=soon(clock)) == made
    assert cache.peek(KEY) == made


def test_a_holder_that_asks_again_still_has_its_place(cache: AnswerCache, clock: FakeClock) -> None:
    for _ in range(2):
        assert cache.look_up(KEY, holder="qry_1", until=soon(clock)) is None
    assert isinstance(cache.look_up(KEY, holder="qry_2", until=soon(clock)), Pending)


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_holder_that_asks_again_after_it_has_answered_is_given_its_own(
    cache: AnswerCache, clock: FakeClock, size: int
) -> None:
    """As a query is that is taken up again because only its end could not be stored."""
    cache.look_up(KEY, holder="qry_1", until=soon(clock))
    cache.put(KEY, cached(clock, size=size), owner="key_alice")
    assert cache.look_up(KEY, holder="qry_1", until=soon(clock)) == cached(clock, size=size)
    cache.release(KEY, holder="qry_1")
    assert cache.peek(KEY) == cached(clock, size=size)


def test_a_maker_that_was_killed_loses_its_place_when_its_time_is_over(cache: AnswerCache, clock: FakeClock) -> None:
    cache.look_up(KEY, holder="qry_1", until=soon(clock))
    clock.advance(LEASE_S - 0.001)
    assert isinstance(cache.look_up(KEY, holder="qry_2", until=soon(clock)), Pending)
    clock.advance(0.001)
    assert cache.peek(KEY) is None
    assert cache.look_up(KEY, holder="qry_2", until=soon(clock)) is None
    assert cache.peek(KEY) == Pending(holder="qry_2", until=soon(clock))


@pytest.mark.parametrize("size", [100, LARGE])
def test_an_answer_is_gone_when_its_time_is_up(cache: AnswerCache, clock: FakeClock, size: int) -> None:
    cache.put(KEY, cached(clock, size=size), owner="key_alice")
    clock.advance(TTL_S - 0.001)
    assert cache.peek(KEY) is not None
    clock.advance(0.001)
    assert cache.peek(KEY) is None
    assert cache.look_up(KEY, holder="qry_2", until=soon(clock)) is None
    assert cache.peek(KEY) == Pending(holder="qry_2", until=soon(clock))


def test_releasing_lets_the_next_one_try(cache: AnswerCache, clock: FakeClock) -> None:
    cache.look_up(KEY, holder="qry_1", until=soon(clock))
    cache.release(KEY, holder="qry_2")
    assert isinstance(cache.peek(KEY), Pending)
    cache.release(KEY, holder="qry_1")
    assert cache.peek(KEY) is None
    assert cache.look_up(KEY, holder="qry_2", until=soon(clock)) is None


def test_releasing_a_place_that_was_filled_or_never_taken_changes_nothing(cache: AnswerCache, clock: FakeClock) -> None:
    cache.release(KEY, holder="qry_1")
    assert cache.peek(KEY) is None
    cache.look_up(KEY, holder="qry_1", until=soon(clock))
    cache.put(KEY, cached(clock), owner="key_alice")
    cache.release(KEY, holder="qry_1")
    assert cache.peek(KEY) == cached(clock)


@pytest.mark.parametrize(("first", "second"), [(100, LARGE), (LARGE, 100), (LARGE, LARGE)])
def test_a_newer_answer_takes_the_place_of_an_older(
    cache: AnswerCache, clock: FakeClock, first: int, second: int
) -> None:
    cache.put(KEY, cached(clock, query_id="qry_1", size=first), owner="key_alice")
    newer = cached(clock, query_id="qry_2", size=second)
    cache.put(KEY, newer, owner="key_alice")
    assert cache.peek(KEY) == newer


def test_a_late_answer_is_as_good_as_any(cache: AnswerCache, clock: FakeClock) -> None:
    cache.look_up(KEY, holder="qry_1", until=soon(clock))
    clock.advance(LEASE_S)
    cache.look_up(KEY, holder="qry_2", until=soon(clock))
    late = cached(clock, query_id="qry_1")
    cache.put(KEY, late, owner="key_alice")
    assert cache.peek(KEY) == late
    cache.release(KEY, holder="qry_2")
    assert cache.peek(KEY) == late


def test_keys_have_nothing_to_do_with_each_other(cache: AnswerCache, clock: FakeClock) -> None:
    cache.put("a", cached(clock), owner="key_alice")
    assert cache.peek("b") is None
    cache.delete("b", query_id="qry_1")
    assert cache.peek("a") == cached(clock)


@pytest.mark.parametrize("size", [100, LARGE])
def test_a_deleted_answer_is_a_miss(cache: AnswerCache, clock: FakeClock, size: int) -> None:
    cache.put(KEY, cached(clock, size=size), owner="key_alice")
    cache.delete(KEY, query_id="qry_1")
    assert cache.peek(KEY) is None
    assert cache.look_up(KEY, holder="qry_2", until=soon(clock)) is None
    cache.delete("nothing there", query_id="qry_1")


@pytest.mark.parametrize("size", [100, LARGE])
@pytest.mark.parametrize("looked_up", [False, True])
def test_an_answer_that_comes_after_it_was_deleted_stays_away(
    cache: AnswerCache, clock: FakeClock, size: int, looked_up: bool
) -> None:
    cache.look_up(KEY, holder="qry_1", until=soon(clock))
    cache.delete(KEY, query_id="qry_1")
    if looked_up:
        assert cache.look_up(KEY, holder="qry_2", until=soon(clock)) is None
    cache.put(KEY, cached(clock, size=size), owner="key_alice")
    assert not isinstance(cache.peek(KEY), CachedAnswer)
    another = cached(clock, query_id="qry_2", size=size)
    cache.put(KEY, another, owner="key_alice")
    assert cache.peek(KEY) == another


def test_a_place_that_was_emptied_is_soon_forgotten(aws, settings, clock: FakeClock, ids) -> None:
    cache = stores_on_aws(aws, settings, clock, ids).cache
    cache.put(KEY, cached(clock), owner="key_alice")
    cache.delete(KEY, query_id="qry_1")
    (item,) = aws.dynamodb.scan(TableName=settings.cache_table)["Items"]
    assert set(item) == {"cache_key", "holder", "erased", "taken_until", "expires_at"}
    assert int(item["expires_at"]["N"]) == int(clock.now().timestamp()) + 900


def test_deleting_leaves_no_body_behind_however_the_place_was_used_since(aws, settings, clock: FakeClock, ids) -> None:
    cache = stores_on_aws(aws, settings, clock, ids).cache

    def bodies() -> int:
        return aws.s3.list_objects_v2(Bucket=settings.bodies_bucket)["KeyCount"]

    cache.put(KEY, cached(clock, query_id="qry_1", size=LARGE), owner="key_alice")
    clock.advance(TTL_S)
    cache.look_up(KEY, holder="qry_2", until=soon(clock))
    cache.put(KEY, cached(clock, query_id="qry_2", size=LARGE), owner="key_alice")
    assert bodies() == 2
    cache.delete(KEY, query_id="qry_1")
    assert cache.peek(KEY) is None
    assert bodies() == 0


def test_an_answer_whose_body_is_gone_is_a_miss_that_somebody_can_mend(aws, settings, clock: FakeClock, ids) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    stores.cache.put(KEY, cached(clock, size=LARGE), owner="key_alice")
    (body,) = aws.s3.list_objects_v2(Bucket=settings.bodies_bucket)["Contents"]
    stores.bodies.delete(body["Key"])
    assert stores.cache.peek(KEY) is None
    assert stores.cache.look_up(KEY, holder="qry_2", until=soon(clock)) is None
    assert isinstance(stores.cache.look_up(KEY, holder="qry_3", until=soon(clock)), Pending)
    mended = cached(clock, query_id="qry_2", size=LARGE)
    stores.cache.put(KEY, mended, owner="key_alice")
    assert stores.cache.peek(KEY) == mended


def test_the_table_deletes_what_is_free_and_not_before(aws, settings, clock: FakeClock, ids) -> None:
    """Its TTL counts in whole seconds."""
    cache = stores_on_aws(aws, settings, clock, ids).cache
    cache.look_up(KEY, holder="qry_1", until=clock.now() + timedelta(seconds=29.5))
    (item,) = aws.dynamodb.scan(TableName=settings.cache_table)["Items"]
    assert int(item["expires_at"]["N"]) == int(clock.now().timestamp()) + 30
    cache.put(KEY, cached(clock), owner="key_alice")
    (item,) = aws.dynamodb.scan(TableName=settings.cache_table)["Items"]
    assert int(item["expires_at"]["N"]) == int(clock.now().timestamp()) + TTL_S
