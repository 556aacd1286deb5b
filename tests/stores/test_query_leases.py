"""What a query store promises those who work on queries: one at a time, none lost, none ended twice."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest
from llm_gateway.domain.queries import LOST_AFTER_S, Ending, Lease, Query, QueryProblem, QueryStatus, QuerySummary
from llm_gateway.ports.queries import QueryStore

from tests.adapters.clock import FakeClock
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.test_queries import asking, text_of
from tests.stores.values import problem, query, question, succeeded

LEASE_S = 30.25
LARGE = 600_000
QUERY_ID = query().id
OTHER = replace(problem(), detail="another")


def queued(**changes) -> Query:
    state = {"status": QueryStatus.QUEUED, "attempts": 0, "started_at": None, "request": question(mode="async")}
    return query(**(state | changes))


@pytest.fixture
def queries(stores: Stores) -> QueryStore:
    return stores.queries


def soon(clock: FakeClock) -> datetime:
    return clock.now() + timedelta(seconds=LEASE_S)


def claimed(queries: QueryStore, clock: FakeClock) -> Query:
    query = queries.claim(QUERY_ID, until=soon(clock))
    assert query is not None
    return query


def cancelled(queries: QueryStore) -> Ending:
    ending = queries.cancel(QUERY_ID)
    assert ending is not None
    return ending


def buried(queries: QueryStore, why: QueryProblem = OTHER) -> Ending:
    ending = queries.bury(QUERY_ID, problem=why)
    assert ending is not None
    return ending


def summary_of(queries: QueryStore) -> QuerySummary:
    summary = queries.summary(QUERY_ID)
    assert summary is not None
    return summary


def status(queries: QueryStore) -> QueryStatus:
    return summary_of(queries).status


@pytest.mark.parametrize("request_", [question(mode="async"), asking(text_of(LARGE))], ids=["small", "large"])
def test_a_claim_brings_the_whole_query_running(queries: QueryStore, clock: FakeClock, request_) -> None:
    queries.add(queued(request=request_))
    clock.advance(5)
    query = claimed(queries, clock)
    assert query.lease is not None
    assert query.lease.until == soon(clock)
    assert query == replace(
        queued(request=request_), status=QueryStatus.RUNNING, attempts=1, started_at=clock.now(), lease=query.lease
    )
    assert queries.get(QUERY_ID) == query


def test_what_is_held_is_not_claimed_until_the_lease_is_over(queries: QueryStore, clock: FakeClock) -> None:
    """A holder that was killed says nothing: its time runs out."""
    queries.add(queued())
    first = claimed(queries, clock)
    clock.advance(LEASE_S - 0.001)
    assert queries.claim(QUERY_ID, until=soon(clock)) is None
    assert queries.get(QUERY_ID) == first
    clock.advance(0.001)
    second = claimed(queries, clock)
    assert second.attempts == 2
    assert second.lease != first.lease


def test_what_has_ended_is_gone_or_never_was_is_not_claimed(queries: QueryStore, clock: FakeClock) -> None:
    assert queries.claim(QUERY_ID, until=soon(clock)) is None
    assert queries.get(QUERY_ID) is None
    queries.add(queued(expires_at=clock.now() + timedelta(seconds=60)))
    queries.finish(succeeded(claimed(queries, clock)))
    clock.advance(LEASE_S + 1)
    assert queries.claim(QUERY_ID, until=soon(clock)) is None
    assert status(queries) is QueryStatus.SUCCEEDED
    queries.add(queued(query_id="qry_2", expires_at=clock.now() + timedelta(seconds=5)))
    clock.advance(6)
    assert queries.claim("qry_2", until=soon(clock)) is None


@pytest.mark.parametrize("query_id", ["", "q" * 3000, "\ud800"])
def test_what_cannot_be_an_id_is_nothing(queries: QueryStore, clock: FakeClock, query_id: str) -> None:
    assert queries.claim(query_id, until=soon(clock)) is None
    assert queries.cancel(query_id) is None
    assert queries.erase(query_id) is None


def test_renewing_holds_on(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    query = claimed(queries, clock)
    for _ in range(3):
        clock.advance(LEASE_S - 1)
        assert queries.renew(query, until=soon(clock))
        assert queries.claim(QUERY_ID, until=soon(clock)) is None
    summary = queries.summary(QUERY_ID)
    assert summary is not None
    assert summary.lease == replace(query.lease, until=soon(clock))
    assert summary.attempts == 1


def test_a_late_holder_may_renew_what_nobody_took_up(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    query = claimed(queries, clock)
    clock.advance(LEASE_S + 5)
    assert queries.renew(query, until=soon(clock))
    assert queries.claim(QUERY_ID, until=soon(clock)) is None


def test_who_lost_the_query_changes_nothing_but_its_success_counts(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    first = claimed(queries, clock)
    clock.advance(LEASE_S)
    second = claimed(queries, clock)
    assert not queries.renew(first, until=soon(clock))
    assert not queries.requeue(first, problem=problem(), counted=True)
    assert not queries.finish(replace(first, status=QueryStatus.CANCELLED, completed_at=clock.now()))
    assert not queries.finish(replace(first, status=QueryStatus.FAILED, completed_at=clock.now(), problem=problem()))
    assert queries.get(QUERY_ID) == second
    assert queries.finish(succeeded(first))
    assert not queries.renew(second, until=soon(clock))
    assert not queries.finish(succeeded(second, "too late"))
    found = queries.get(QUERY_ID)
    assert found is not None
    assert found.answer == succeeded(first).answer


@pytest.mark.parametrize(("counted", "attempts"), [(True, 1), (False, 0)])
def test_requeueing_gives_it_back_and_keeps_why(
    queries: QueryStore, clock: FakeClock, counted: bool, attempts: int
) -> None:
    queries.add(queued())
    query = claimed(queries, clock)
    begun_at = clock.now() if counted else None
    assert queries.requeue(query, problem=problem(), counted=counted)
    assert queries.get(QUERY_ID) == queued(attempts=attempts, started_at=begun_at, fault=problem())
    assert summary_of(queries).fault == problem()
    assert not queries.renew(query, until=soon(clock))
    clock.advance(7)
    again = claimed(queries, clock)
    assert (again.attempts, again.fault, again.problem) == (attempts + 1, problem(), None)
    # What was begun once stays begun then.
    assert again.started_at == (begun_at or clock.now())
    assert queries.finish(succeeded(again))
    found = queries.get(QUERY_ID)
    assert found is not None
    assert (found.fault, found.problem) == (None, None)


@pytest.mark.parametrize("fault", [problem(), None])
def test_a_query_whose_time_is_up_reads_as_failed_unless_somebody_works_on_it(
    queries: QueryStore, clock: FakeClock, fault: QueryProblem | None
) -> None:
    due_at = clock.now() + timedelta(seconds=30)
    queries.add(queued(due_at=due_at))
    assert queries.requeue(claimed(queries, clock), problem=fault, counted=True)
    clock.advance(29)
    assert status(queries) is QueryStatus.QUEUED
    held = claimed(queries, clock)
    assert held.due_at == due_at
    clock.advance(1)
    assert status(queries) is QueryStatus.RUNNING
    assert queries.requeue(held, problem=None, counted=True)
    found = queries.get(QUERY_ID)
    assert found is not None
    assert (found.status, found.completed_at, found.lease) == (QueryStatus.FAILED, due_at, None)
    assert found.problem is not None
    assert found.problem.code == (fault.code if fault else "deadline_exceeded")
    # That is how it reads: the next worker that takes it up ends it.
    again = claimed(queries, clock)
    assert again.is_overdue(clock.now())
    assert queries.finish(replace(again, status=QueryStatus.FAILED, completed_at=clock.now(), problem=OTHER))
    assert summary_of(queries).problem == OTHER


def test_what_nobody_has_begun_ends_without_a_beginning(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    untried = replace(claimed(queries, clock), attempts=0, started_at=None)
    assert queries.finish(replace(untried, status=QueryStatus.FAILED, completed_at=clock.now(), problem=OTHER))
    found = summary_of(queries)
    assert (found.attempts, found.started_at, found.status) == (0, None, QueryStatus.FAILED)


def test_what_was_requeued_and_fails_reads_its_last_problem(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    queries.requeue(claimed(queries, clock), problem=problem(), counted=True)
    query = claimed(queries, clock)
    assert queries.finish(replace(query, status=QueryStatus.FAILED, completed_at=clock.now(), problem=OTHER))
    found = queries.summary(QUERY_ID)
    assert found is not None
    assert (found.status, found.problem) == (QueryStatus.FAILED, OTHER)


def test_burying_fails_it_with_the_problem_it_was_last_requeued_for(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    for why in (OTHER, problem(), None):
        assert queries.requeue(claimed(queries, clock), problem=why, counted=True)
    ending = buried(queries)
    found = queries.summary(QUERY_ID)
    assert found is not None
    assert (found.status, found.problem, found.completed_at) == (QueryStatus.FAILED, problem(), clock.now())
    assert ending == Ending(query=found, ended_now=True)
    assert queries.claim(QUERY_ID, until=soon(clock)) is None


def test_burying_what_nobody_ever_gave_back_takes_the_given_problem(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    claimed(queries, clock)
    held = buried(queries)
    assert (held.query.status, held.ended_now) == (QueryStatus.RUNNING, False)
    assert status(queries) is QueryStatus.RUNNING
    clock.advance(LEASE_S)
    assert buried(queries).ended_now
    found = queries.summary(QUERY_ID)
    assert found is not None
    assert (found.status, found.problem, found.lease) == (QueryStatus.FAILED, OTHER, None)


def test_burying_what_has_ended_or_is_gone_changes_nothing(queries: QueryStore, clock: FakeClock) -> None:
    assert queries.bury(QUERY_ID, problem=problem()) is None
    assert queries.get(QUERY_ID) is None
    queries.add(queued())
    done = succeeded(claimed(queries, clock))
    queries.finish(done)
    assert buried(queries) == Ending(query=summary_of(queries), ended_now=False)
    assert queries.get(QUERY_ID) == replace(done, lease=None)


def test_a_queued_query_is_cancelled_at_once(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    clock.advance(3)
    ending = cancelled(queries)
    assert (ending.query.status, ending.query.completed_at) == (QueryStatus.CANCELLED, clock.now())
    assert ending == Ending(query=summary_of(queries), ended_now=True)
    assert cancelled(queries) == replace(ending, ended_now=False)
    assert queries.claim(QUERY_ID, until=soon(clock)) is None


def test_a_running_query_is_cancelled_by_its_holder_with_what_it_has(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    query = claimed(queries, clock)
    ending = cancelled(queries)
    assert (ending.query.status, ending.query.cancel_requested) == (QueryStatus.RUNNING, True)
    assert not ending.ended_now
    assert not queries.renew(query, until=soon(clock))
    assert status(queries) is QueryStatus.RUNNING
    stopped = replace(succeeded(query, "the first ha"), status=QueryStatus.CANCELLED)
    assert queries.finish(stopped)
    assert queries.get(QUERY_ID) == replace(stopped, lease=None, cancel_requested=True)


def test_an_answer_that_was_quicker_than_the_cancellation_counts(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    query = claimed(queries, clock)
    queries.cancel(QUERY_ID)
    assert queries.finish(succeeded(query))
    assert status(queries) is QueryStatus.SUCCEEDED


def test_what_is_to_be_cancelled_is_not_given_back(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    query = claimed(queries, clock)
    queries.cancel(QUERY_ID)
    assert not queries.requeue(query, problem=problem(), counted=True)
    assert status(queries) is QueryStatus.RUNNING
    assert queries.finish(replace(query, status=QueryStatus.CANCELLED, completed_at=clock.now()))
    found = summary_of(queries)
    assert (found.status, found.problem) == (QueryStatus.CANCELLED, None)


@pytest.mark.parametrize("end", [cancelled, buried])
def test_what_is_to_be_cancelled_ends_even_if_its_holder_dies(
    queries: QueryStore, clock: FakeClock, end: Callable[[QueryStore], Ending]
) -> None:
    queries.add(queued())
    claimed(queries, clock)
    assert not cancelled(queries).ended_now
    clock.advance(LEASE_S)
    assert status(queries) is QueryStatus.RUNNING
    assert queries.claim(QUERY_ID, until=soon(clock)) is None
    assert status(queries) is QueryStatus.RUNNING
    ending = end(queries)
    found = summary_of(queries)
    assert (found.status, found.completed_at, found.problem) == (QueryStatus.CANCELLED, clock.now(), None)
    assert ending == Ending(query=found, ended_now=True)


def test_a_holder_that_asks_again_is_told_the_same(queries: QueryStore, clock: FakeClock) -> None:
    """It may not have heard the first answer. Nobody else is told that it ended the query."""
    queries.add(queued())
    first = claimed(queries, clock)
    clock.advance(LEASE_S)
    second = claimed(queries, clock)
    large = succeeded(second, text_of(LARGE))
    assert queries.finish(large)
    assert queries.finish(large)
    assert not queries.finish(succeeded(first))
    assert not cancelled(queries).ended_now
    assert queries.get(QUERY_ID) == replace(large, lease=None)


@pytest.mark.parametrize("mode", ["async", "stream"])
def test_its_mode_and_whether_its_words_are_logged_stay_with_it(
    queries: QueryStore, clock: FakeClock, mode: Literal["async", "stream"]
) -> None:
    queries.add(queued(request=question(mode=mode), logs_bodies=True))
    query = claimed(queries, clock)
    assert (query.mode, query.logs_bodies) == (mode, True)
    ending = cancelled(queries)
    assert (ending.query.mode, ending.query.logs_bodies) == (mode, True)
    queries.add(queued(query_id="qry_2", request=question(mode=mode)))
    found = queries.get("qry_2")
    assert found is not None
    assert (found.mode, found.logs_bodies) == (mode, False)


def test_cancelling_what_has_ended_or_never_was_changes_nothing(queries: QueryStore, clock: FakeClock) -> None:
    assert queries.cancel(QUERY_ID) is None
    assert queries.get(QUERY_ID) is None
    queries.add(queued())
    done = succeeded(claimed(queries, clock))
    queries.finish(done)
    ending = cancelled(queries)
    assert (ending.query.status, ending.query.cancel_requested) == (QueryStatus.SUCCEEDED, False)
    assert not ending.ended_now
    assert queries.get(QUERY_ID) == replace(done, lease=None)


def test_a_stream_whose_holder_fell_silent_reads_as_failed(queries: QueryStore, clock: FakeClock) -> None:
    lease = Lease(holder="stream", until=soon(clock))
    running = query(request=question(mode="stream"), lease=lease)
    queries.add(running)
    clock.advance(LEASE_S + LOST_AFTER_S - 0.001)
    assert queries.get(QUERY_ID) == running
    clock.advance(0.001)
    found = queries.get(QUERY_ID)
    assert found is not None
    assert (found.status, found.completed_at, found.lease) == (QueryStatus.FAILED, lease.until, None)
    assert isinstance(found.problem, QueryProblem)
    assert (found.problem.status, found.problem.code) == (500, "internal_error")
    assert status(queries) is QueryStatus.FAILED
    assert queries.finish(succeeded(running))
    assert status(queries) is QueryStatus.SUCCEEDED


def test_an_asynchronous_query_whose_holder_fell_silent_still_runs(queries: QueryStore, clock: FakeClock) -> None:
    """Its message comes back, and somebody takes it up again."""
    queries.add(queued())
    claimed(queries, clock)
    clock.advance(LEASE_S + 100 * LOST_AFTER_S)
    assert status(queries) is QueryStatus.RUNNING


MADE = {"idempotency_scope": "scope", "cache_keys": frozenset({"k1", "k2"})}
NOTHING = {"idempotency_scope": None, "cache_keys": frozenset[str]()}


@pytest.mark.parametrize(("at_first", "at_last"), [(MADE, NOTHING), (NOTHING, MADE), (MADE, MADE)])
def test_a_query_knows_what_else_was_made_from_it(
    queries: QueryStore, clock: FakeClock, at_first: dict[str, Any], at_last: dict[str, Any]
) -> None:
    asked = queued(**at_first)
    queries.add(asked)
    query = claimed(queries, clock)
    assert (query.idempotency_scope, query.cache_keys) == (asked.idempotency_scope, asked.cache_keys)
    assert queries.finish(replace(succeeded(query), **at_last))
    found = queries.summary(QUERY_ID)
    assert found is not None
    assert (found.idempotency_scope, found.cache_keys) == ("scope", {"k1", "k2"})
    assert queries.erase(QUERY_ID) == Ending(query=found, ended_now=False)


@pytest.mark.parametrize("size", [10, LARGE], ids=["small", "large"])
def test_erasing_leaves_nothing_and_tells_what_was_there(queries: QueryStore, clock: FakeClock, size: int) -> None:
    queries.add(queued(request=asking(text_of(size)), cache_keys=frozenset({"key"})))
    queries.finish(succeeded(claimed(queries, clock), text_of(size)))
    before = queries.summary(QUERY_ID)
    assert queries.erase(QUERY_ID) == Ending(query=before, ended_now=False)
    assert queries.get(QUERY_ID) is None
    assert queries.summary(QUERY_ID) is None
    assert queries.erase(QUERY_ID) is None


def test_erasing_tells_that_it_ended_one_that_only_reads_as_failed(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued(due_at=soon(clock)))
    clock.advance(4000)
    before = queries.summary(QUERY_ID)
    assert before is not None
    assert before.status is QueryStatus.FAILED
    assert queries.erase(QUERY_ID) == Ending(query=before, ended_now=True)


def test_a_process_that_works_on_an_erased_query_finds_it_gone(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(queued())
    query = claimed(queries, clock)
    erased = queries.erase(QUERY_ID)
    assert erased is not None
    assert (erased.query.status, erased.ended_now) == (QueryStatus.RUNNING, True)
    assert not queries.renew(query, until=soon(clock))
    assert not queries.requeue(query, problem=problem(), counted=True)
    assert not queries.finish(succeeded(query, text_of(LARGE)))
    assert not queries.finish(replace(query, status=QueryStatus.CANCELLED, completed_at=clock.now()))
    assert queries.cancel(QUERY_ID) is None
    assert queries.bury(QUERY_ID, problem=problem()) is None
    assert queries.get(QUERY_ID) is None


def test_erasing_leaves_no_body_behind(aws, settings, clock: FakeClock, ids) -> None:
    queries = stores_on_aws(aws, settings, clock, ids).queries
    queries.add(queued(request=asking(text_of(LARGE))))
    query = claimed(queries, clock)
    bodies = aws.s3.list_objects_v2(Bucket=settings.bodies_bucket)
    assert bodies["KeyCount"] == 1
    queries.erase(QUERY_ID)
    assert not queries.finish(succeeded(query, text_of(LARGE)))
    assert aws.s3.list_objects_v2(Bucket=settings.bodies_bucket)["KeyCount"] == 0
    (left,) = aws.dynamodb.scan(TableName=settings.queries_table)["Items"]
    assert set(left) == {"query_id", "counted", "ended_in", "expires_at"}
    assert text_of(LARGE)[:100] not in str(left)
    assert left["expires_at"]["N"] == str(int(query.expires_at.timestamp()))


def test_without_a_lease_nothing_can_be_given_back(queries: QueryStore, clock: FakeClock) -> None:
    queries.add(query())
    with pytest.raises(ValueError, match="no lease"):
        queries.renew(query(), until=soon(clock))
    with pytest.raises(ValueError, match="no lease"):
        queries.requeue(query(), problem=None, counted=True)
