"""What a query store promises."""

from dataclasses import replace
from datetime import timedelta

import pytest
from llm_gateway.domain.chat import Message, MessageRole, TextPart
from llm_gateway.domain.queries import QueryStatus, QuerySummary
from llm_gateway.errors import AlreadyExists
from llm_gateway.stores.bodies import S3BodyStore

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.values import problem, query, question, succeeded

KB, MB = 1000, 1_000_000
NOISE = "".join(chr(0x4E00 + (i * 7919) % 20000) for i in range(10 * KB))


def text_of(size_bytes: int) -> str:
    """A text of about this size that compression does not make small."""
    return "".join(NOISE[i % 97 :] for i in range(size_bytes // (3 * len(NOISE)) + 1))[: size_bytes // 3]


def asking(text: str):
    return question(messages=(Message(role=MessageRole.USER, content=(TextPart(text=text),)),))


def test_a_query_comes_back_as_it_was(stores: Stores) -> None:
    stores.queries.add(query())
    assert stores.queries.get(query().id) == query()


def test_a_query_that_has_already_ended_can_be_added(stores: Stores) -> None:
    stores.queries.add(succeeded(query()))
    assert stores.queries.get(query().id) == succeeded(query())


def test_a_taken_id_is_refused_and_the_first_query_stays(stores: Stores) -> None:
    stores.queries.add(query())
    with pytest.raises(AlreadyExists):
        stores.queries.add(query(owner="somebody else", request=asking(text_of(600 * KB))))
    assert stores.queries.get(query().id) == query()


@pytest.mark.parametrize("query_id", ["qry_unknown", "", "q" * 3000, "\ud800"])
def test_an_unknown_query_is_none(stores: Stores, query_id: str) -> None:
    assert stores.queries.get(query_id) is None
    assert stores.queries.summary(query_id) is None


def test_a_summary_is_all_but_the_bodies(stores: Stores) -> None:
    stores.queries.add(query())
    ended = replace(succeeded(query()), status=QueryStatus.FAILED, answer=None, problem=problem())
    assert stores.queries.finish(ended)
    assert stores.queries.summary(query().id) == QuerySummary(
        id=ended.id,
        owner=ended.owner,
        mode="sync",
        status=QueryStatus.FAILED,
        created_at=ended.created_at,
        expires_at=ended.expires_at,
        attempts=1,
        started_at=ended.started_at,
        completed_at=ended.completed_at,
        problem=problem(),
    )


def test_finishing_stores_how_it_ended(stores: Stores) -> None:
    stores.queries.add(query(status=QueryStatus.QUEUED, attempts=0, started_at=None))
    assert stores.queries.finish(succeeded(query()))
    assert stores.queries.get(query().id) == succeeded(query())


@pytest.mark.parametrize("text", ["another answer", text_of(600 * KB)], ids=["small", "600 KB"])
def test_the_first_end_stays(stores: Stores, text: str) -> None:
    first = succeeded(query(), text_of(600 * KB))
    stores.queries.add(query())
    assert stores.queries.finish(first)
    assert not stores.queries.finish(succeeded(query(), text))
    cancelled = replace(query(), status=QueryStatus.CANCELLED, completed_at=first.completed_at)
    assert not stores.queries.finish(cancelled)
    assert stores.queries.get(query().id) == first


def test_what_was_never_added_cannot_end(stores: Stores) -> None:
    assert not stores.queries.finish(succeeded(query()))
    assert stores.queries.get(query().id) is None


@pytest.mark.parametrize("size", [20 * KB, 149 * KB, 151 * KB, 299 * KB, 600 * KB, 4 * MB])
def test_bodies_of_any_size_come_back_whole(stores: Stores, size: int) -> None:
    asked = query(request=asking(text_of(size)))
    stores.queries.add(asked)
    assert stores.queries.get(asked.id) == asked
    answered = succeeded(asked, text_of(size))
    assert stores.queries.finish(answered)
    assert stores.queries.get(asked.id) == answered
    summary = stores.queries.summary(asked.id)
    assert summary is not None
    assert summary.status is QueryStatus.SUCCEEDED


def test_an_expired_query_is_gone_although_its_item_is_still_there(stores: Stores, clock: FakeClock) -> None:
    stores.queries.add(query(expires_at=clock.now() + timedelta(seconds=60)))
    clock.advance(59.9)
    assert stores.queries.get(query().id) is not None
    clock.advance(0.1)
    assert stores.queries.get(query().id) is None
    assert stores.queries.summary(query().id) is None


def test_the_table_deletes_what_has_expired_and_not_before(stores: Stores, clock: FakeClock) -> None:
    """Its TTL counts in whole seconds."""
    stores.queries.add(query(expires_at=clock.now() + timedelta(seconds=59.5)))
    found = stores.queries.get(query().id)
    assert found is not None
    assert found.expires_at == clock.now() + timedelta(seconds=60)


def test_small_bodies_never_leave_the_item(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    queries = stores_on_aws(aws, settings, clock, ids).queries
    queries.add(query())
    queries.finish(succeeded(query()))
    assert aws.s3.list_objects_v2(Bucket=settings.bodies_bucket)["KeyCount"] == 0


def test_a_write_that_lost_leaves_no_body_behind(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    queries = stores_on_aws(aws, settings, clock, ids).queries
    asked = query(request=asking(text_of(600 * KB)))
    queries.add(asked)
    with pytest.raises(AlreadyExists):
        queries.add(asked)
    queries.finish(succeeded(asked, text_of(600 * KB)))
    queries.finish(succeeded(asked, text_of(900 * KB)))
    keys = [found["Key"] for found in aws.s3.list_objects_v2(Bucket=settings.bodies_bucket)["Contents"]]
    assert [key.rsplit("/", 1)[0] for key in keys] == [f"queries/{asked.id}/answer", f"queries/{asked.id}/request"]


def test_a_query_whose_bodies_are_erased_is_gone(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    queries = stores_on_aws(aws, settings, clock, ids).queries
    queries.add(query(request=asking(text_of(600 * KB))))
    bodies = S3BodyStore(aws=aws, bucket=settings.bodies_bucket)
    for found in aws.s3.list_objects_v2(Bucket=settings.bodies_bucket)["Contents"]:
        bodies.delete(found["Key"])
    assert queries.get(query().id) is None
