"""How often each step on the way of a query asks DynamoDB, and S3: once is what it costs to know and to change a thing."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from llm_gateway.domain.caching import CachedAnswer
from llm_gateway.domain.queries import Query, QueryStatus

from tests.adapters.clock import FakeClock
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.test_queries import asking, text_of
from tests.stores.values import answer, problem, query, succeeded

LARGE = 600_000


@pytest.fixture
def calls(aws) -> Iterator[list[str]]:
    """The operations that AWS was asked for."""
    asked: list[str] = []

    def note(model, **_: object) -> None:
        asked.append(model.name)

    for client in (aws.dynamodb, aws.s3):
        client.meta.events.register("before-call", note)
    yield asked
    for client in (aws.dynamodb, aws.s3):
        client.meta.events.unregister("before-call", note)


@pytest.fixture
def on_aws(aws, settings, clock: FakeClock, ids) -> Stores:
    return stores_on_aws(aws, settings, clock, ids)


@pytest.fixture
def asks(calls: list[str]) -> Callable[[Callable[[], object]], list[str]]:
    """What a step asks of AWS."""

    def asked(step: Callable[[], object]) -> list[str]:
        calls.clear()
        step()
        return list(calls)

    return asked


def claimed(stores: Stores, clock: FakeClock) -> Query:
    found = stores.queries.claim(query().id, until=clock.now() + timedelta(seconds=30))
    assert found is not None
    return found


def test_a_query_asks_dynamodb_once_for_each_step(on_aws: Stores, clock: FakeClock, asks) -> None:
    queries, until, queued = on_aws.queries, clock.now() + timedelta(seconds=30), QueryStatus.QUEUED
    assert asks(lambda: queries.add(query(status=queued, attempts=0))) == ["PutItem"]
    assert asks(lambda: queries.claim(query().id, until=until)) == ["UpdateItem"]
    assert asks(lambda: queries.claim(query().id, until=until)) == ["UpdateItem"]
    clock.advance(30)
    held = claimed(on_aws, clock)
    assert asks(lambda: queries.renew(held, until=clock.now() + timedelta(seconds=30))) == ["UpdateItem"]
    assert asks(lambda: queries.requeue(held, problem=problem(), counted=True)) == ["UpdateItem"]
    held = claimed(on_aws, clock)
    assert asks(lambda: queries.finish(succeeded(held))) == ["UpdateItem"]
    assert asks(lambda: queries.cancel(held.id)) == ["UpdateItem"]
    assert asks(lambda: queries.bury(held.id, problem=problem())) == ["UpdateItem"]
    assert asks(lambda: queries.summary(held.id)) == ["GetItem"]
    assert asks(lambda: queries.get(held.id)) == ["GetItem"]
    assert asks(lambda: queries.erase(held.id)) == ["GetItem", "UpdateItem"]


def test_cancelling_a_running_query_takes_two(on_aws: Stores, clock: FakeClock, asks) -> None:
    on_aws.queries.add(query(status=QueryStatus.QUEUED))
    claimed(on_aws, clock)
    assert asks(lambda: on_aws.queries.cancel(query().id)) == ["UpdateItem", "UpdateItem"]


def test_a_large_body_takes_one_call_to_s3(on_aws: Stores, clock: FakeClock, asks) -> None:
    queries = on_aws.queries
    large = query(status=QueryStatus.QUEUED, request=asking(text_of(LARGE)))
    assert asks(lambda: queries.add(large)) == ["PutObject", "PutItem"]
    assert asks(lambda: claimed(on_aws, clock)) == ["UpdateItem", "GetObject"]
    assert asks(lambda: queries.erase(large.id)) == ["GetItem", "DeleteObject", "UpdateItem"]


@pytest.mark.parametrize("size", [100, LARGE])
def test_the_cache_and_the_keys_are_asked_once(on_aws: Stores, clock: FakeClock, asks, size: int) -> None:
    cache, keys, until = on_aws.cache, on_aws.idempotency, clock.now() + timedelta(seconds=30)
    made = CachedAnswer(answer=answer(text_of(size)), query_id="qry_1", cached_at=clock.now(), expires_at=until)
    put, got = (["PutObject"], ["GetObject"]) if size == LARGE else ([], [])
    for holder in ("qry_1", "qry_2"):
        assert asks(lambda holder=holder: cache.look_up("k", holder=holder, until=until)) == ["UpdateItem"]
    assert asks(lambda: cache.peek("k")) == ["GetItem"]
    assert asks(lambda: cache.put("k", made, owner="key_alice")) == [*put, "UpdateItem"]
    assert asks(lambda: cache.look_up("k", holder="qry_2", until=until)) == ["UpdateItem", *got]
    assert asks(lambda: cache.peek("k")) == ["GetItem", *got]
    assert asks(lambda: cache.delete("k", query_id="qry_1")) == ["UpdateItem", "DeleteObject"]
    for reference in ("qry_1", "qry_2"):
        claim = lambda reference=reference: keys.claim("s", fingerprint="f", reference=reference, until=until)  # noqa: E731
        assert asks(claim) == ["UpdateItem"]
    response = text_of(size).encode()
    assert asks(lambda: keys.complete("s", reference="qry_1", expires_at=until, response=response))[-1] == "UpdateItem"
    assert asks(lambda: keys.release("s", reference="qry_1")) == ["DeleteItem"]
