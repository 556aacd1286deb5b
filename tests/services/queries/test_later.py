"""Queries that are asked now and answered later: accepted whole or not at all, read by their owners, cancelled, erased."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from llm_gateway.domain.caching import CachedAnswer
from llm_gateway.domain.chat import Parameters
from llm_gateway.domain.faults import ProviderRejected
from llm_gateway.domain.idempotency import Replayed
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.queries import Query, QueryStatus
from llm_gateway.domain.streams import Position, Waiting
from llm_gateway.domain.waits import MOST_WAITS
from llm_gateway.errors import (
    DependencyUnavailable,
    IdempotencyConflict,
    ProviderNotFound,
    QueryExpired,
    QueryInProgress,
    QueryNotFound,
    RateLimited,
)

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import ALICE, QueryEngine, idempotency
from tests.adapters.query_queue import Sent
from tests.adapters.waits import InMemoryWaits

AWAY = DependencyUnavailable("It cannot be reached.")
BOB = Caller(key_id="key_bob", role=Role.CALLER)
ADMIN = Caller(key_id="key_root", role=Role.ADMIN)
AUDITOR = Caller(key_id="key_auditor", role=Role.AUDITOR)


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


def accept(engine: QueryEngine, *, key: Any = None, **changes: Any) -> Query:
    request = question(**{"mode": "async", "timeout_s": 300, **changes})
    return engine.accept(engine.asked(request, idempotency=key))


def answer(engine: QueryEngine, **changes: Any) -> Query:
    parameters = Parameters(temperature=0, max_output_tokens=100)
    request = question(**{"parameters": parameters, **changes})
    return engine.run(engine.asked(request, idempotency=idempotency()))


def held(engine: QueryEngine, query: Query, *, for_s: float = 60) -> Query:
    claimed: Query = engine.queries.port.claim(query.id, until=engine.clock.now() + timedelta(seconds=for_s))
    assert claimed is not None
    return claimed


def waits_of(engine: QueryEngine) -> InMemoryWaits:
    waits = engine.gateway.outside.waits
    assert isinstance(waits, InMemoryWaits)
    return waits


# Accepted


def test_it_is_stored_and_handed_to_the_workers(engine: QueryEngine) -> None:
    query = accept(engine, priority="high")
    assert engine.queue.sent == [Sent(query_id=query.id, delay_s=0, priority="high")]
    kept = engine.queries.port.get(query.id)
    assert (kept.status, kept.attempts, kept.lease, kept.owner) == (QueryStatus.QUEUED, 0, None, ALICE.key_id)
    assert engine.providers.called == []
    assert engine.gates.admitted == []
    assert engine.journal.written == []


def test_it_is_stored_before_anybody_hears_of_it(engine: QueryEngine) -> None:
    order: list[str] = []
    engine.queries.first["add"] = lambda: order.append("stored")
    send = engine.queue.send
    engine.queue.send = lambda *given, **named: (order.append("sent"), send(*given, **named))[1]  # type: ignore[method-assign]
    accept(engine)
    assert order == ["stored", "sent"]


@pytest.mark.parametrize("away", ["the queue", "the store", "what nobody foresaw"])
def test_what_cannot_be_handed_over_leaves_nothing(engine: QueryEngine, away: str) -> None:
    fault = ZeroDivisionError() if away == "what nobody foresaw" else AWAY
    if away == "the store":
        engine.queries.faults["add"] = fault
    else:
        engine.queue.fault = fault
    with pytest.raises(type(fault)):
        accept(engine, key=idempotency())
    assert engine.queries.port._stored == {}
    engine.queries.faults.clear()
    engine.queue.fault = None
    assert accept(engine, key=idempotency()).status is QueryStatus.QUEUED


def test_what_cannot_be_planned_is_not_accepted(engine: QueryEngine) -> None:
    with pytest.raises(ProviderNotFound):
        accept(engine, provider="nobody", key=idempotency())
    assert engine.queries.asked == []
    assert engine.keys.asked == ["find"]


def test_the_same_request_again_is_the_same_query(engine: QueryEngine) -> None:
    query = accept(engine, key=idempotency())
    again = engine.asking.accept(engine.asked(question(mode="async", timeout_s=300), idempotency=idempotency()))
    assert isinstance(again, Replayed)
    assert again.made.id == query.id
    assert len(engine.queue.sent) == 1
    with pytest.raises(IdempotencyConflict):
        accept(engine, key=idempotency(fingerprint="another"))


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_a_replay_promises_again_whatever_came_of_it(engine: QueryEngine, end: str) -> None:
    query = accept(engine, key=idempotency())
    if end == "cancelled":
        engine.reading.cancel(query.id, caller=ALICE)
    elif end == "failed":
        engine.providers.script("a", ProviderRejected("No."))
    engine.worker.process(engine.delivery(query.id))
    again = engine.asking.accept(engine.asked(question(mode="async", timeout_s=300), idempotency=idempotency()))
    assert isinstance(again, Replayed)
    assert (again.made.id, again.made.status.value) == (query.id, end)
    assert len(engine.queue.sent) == 1


def test_a_key_of_one_that_is_being_accepted(engine: QueryEngine) -> None:
    engine.keys.port.claim(
        "scope", fingerprint="body", reference="qry_x", until=engine.clock.now() + timedelta(seconds=30)
    )
    with pytest.raises(QueryInProgress):
        accept(engine, key=idempotency())
    assert engine.queue.sent == []
    assert engine.queries.asked == []


def test_without_the_keys_store_nothing_is_accepted_under_a_key(engine: QueryEngine) -> None:
    engine.keys.faults["claim"] = AWAY
    with pytest.raises(DependencyUnavailable):
        accept(engine, key=idempotency())
    assert engine.queue.sent == []
    assert accept(engine).status is QueryStatus.QUEUED


def test_a_key_that_cannot_be_completed_does_not_take_the_query_back(engine: QueryEngine) -> None:
    engine.keys.faults["complete"] = AWAY
    query = accept(engine, key=idempotency())
    assert engine.queries.port.get(query.id).status is QueryStatus.QUEUED


# Read


def test_a_caller_sees_its_own(engine: QueryEngine) -> None:
    query = answer(engine)
    assert engine.reading.summary(query.id, caller=ALICE).status is QueryStatus.SUCCEEDED
    assert engine.reading.get(query.id, caller=ALICE).answer == query.answer
    assert engine.reading.get(query.id, caller=ALICE, wait_s=20).answer == query.answer


def test_admins_see_all_and_auditors_where_they_stand(engine: QueryEngine) -> None:
    query = answer(engine)
    for caller in (ADMIN, AUDITOR):
        assert engine.reading.summary(query.id, caller=caller).id == query.id
    assert engine.reading.get(query.id, caller=ADMIN).answer == query.answer
    for wait_s in (0, 5):
        with pytest.raises(QueryNotFound):
            engine.reading.get(query.id, caller=AUDITOR, wait_s=wait_s)


@pytest.mark.parametrize("role", [Role.CALLER, Role.PROMPT_EDITOR, Role.OPERATOR])
def test_somebody_elses_is_not_found_and_left_alone(engine: QueryEngine, role: Role) -> None:
    query, caller = accept(engine), replace(BOB, role=role)
    reading = engine.reading
    for use in (
        lambda: reading.summary(query.id, caller=caller),
        lambda: reading.summary(query.id, caller=caller, wait_s=20),
        lambda: reading.get(query.id, caller=caller),
        lambda: reading.get(query.id, caller=caller, wait_s=20),
        lambda: reading.cancel(query.id, caller=caller),
        lambda: reading.erase(query.id, caller=caller),
    ):
        with pytest.raises(QueryNotFound):
            use()
    assert engine.clock.slept_s == []  # type: ignore[attr-defined]
    assert engine.queries.port.get(query.id).status is QueryStatus.QUEUED


def test_waiting_ends_with_the_query(engine: QueryEngine) -> None:
    query = accept(engine)
    engine.events.extend([lambda: None, lambda: None, lambda: engine.worker.process(engine.delivery(query.id))])
    assert engine.reading.summary(query.id, caller=ALICE, wait_s=20).status is QueryStatus.SUCCEEDED
    assert engine.clock.slept_s == [0.5, 0.5, 0.5]  # type: ignore[attr-defined]


@pytest.mark.parametrize("wait_s", [0, 0.3, 2, 20])
def test_waiting_ends_in_time(engine: QueryEngine, wait_s: float) -> None:
    query = accept(engine)
    before_s = engine.clock.monotonic_s()
    assert engine.reading.summary(query.id, caller=ALICE, wait_s=wait_s).status is QueryStatus.QUEUED
    assert engine.reading.get(query.id, caller=ALICE, wait_s=wait_s).status is QueryStatus.QUEUED
    assert engine.clock.monotonic_s() - before_s == pytest.approx(2 * wait_s)


def test_a_result_that_is_waited_for_is_read_once(engine: QueryEngine) -> None:
    query = accept(engine)
    engine.queries.asked.clear()
    engine.reading.get(query.id, caller=ALICE, wait_s=5)
    assert engine.queries.count("get") == 1


def test_a_key_waits_ten_times_at_once(engine: QueryEngine) -> None:
    query, reading, waits = accept(engine), engine.reading, waits_of(engine)
    for _ in range(MOST_WAITS):
        waits.begin(ALICE.key_id, lasting_s=5, now=engine.clock.now())
    for use in (
        lambda: reading.summary(query.id, caller=ALICE, wait_s=20),
        lambda: reading.get(query.id, caller=ALICE, wait_s=20),
        lambda: list(reading.resume(query.id, None, caller=ALICE)),
    ):
        with pytest.raises(RateLimited) as met:
            use()
        assert met.value.retry_after_s == 15
    assert engine.clock.slept_s == []  # type: ignore[attr-defined]
    # Another key waits, and who does not wait is not refused.
    assert reading.summary(query.id, caller=ADMIN, wait_s=1).status is QueryStatus.QUEUED
    assert reading.get(query.id, caller=ALICE).status is QueryStatus.QUEUED
    engine.clock.sleep(15)
    assert reading.get(query.id, caller=ALICE, wait_s=1).status is QueryStatus.QUEUED


def test_only_waiting_is_counted(engine: QueryEngine) -> None:
    queued, done, reading = accept(engine), answer(engine), engine.reading
    reading.summary(queued.id, caller=ALICE)
    reading.get(queued.id, caller=ALICE)
    reading.summary(done.id, caller=ALICE, wait_s=20)
    reading.get(done.id, caller=ALICE, wait_s=20)
    list(reading.resume(done.id, Position(), caller=ALICE))
    with pytest.raises(QueryNotFound):
        reading.summary(queued.id, caller=BOB, wait_s=20)
    assert waits_of(engine).items.calls == []


def test_a_wait_counts_until_it_is_over_however_it_ends(engine: QueryEngine) -> None:
    reading, counted = engine.reading, lambda: waits_of(engine).items.items["waits#key_alice"]["leases"]
    during: list[int] = []
    queued = accept(engine)
    engine.events.append(lambda: during.append(len(counted())))
    reading.get(queued.id, caller=ALICE, wait_s=2)
    engine.events.extend([lambda: during.append(len(counted())), lambda: engine.queries.port.erase(queued.id)])
    with pytest.raises(QueryNotFound):
        reading.summary(queued.id, caller=ALICE, wait_s=2)
    held(engine, running := accept(engine))
    stream = reading.resume(running.id, None, caller=ALICE)
    assert next(stream) == Waiting()
    during.append(len(counted()))
    stream.close()
    assert (during, counted()) == ([1, 1, 1], {})


def test_where_waits_cannot_be_counted_nobody_waits(engine: QueryEngine) -> None:
    query, waits = accept(engine), waits_of(engine)
    waits.items.fault = AWAY
    assert engine.reading.summary(query.id, caller=ALICE, wait_s=20).status is QueryStatus.QUEUED
    assert engine.reading.get(query.id, caller=ALICE, wait_s=20).status is QueryStatus.QUEUED
    with pytest.raises(DependencyUnavailable):
        list(engine.reading.resume(query.id, None, caller=ALICE))
    assert engine.clock.slept_s == []  # type: ignore[attr-defined]


def test_a_wait_that_cannot_be_ended_spoils_no_answer(engine: QueryEngine) -> None:
    query = accept(engine)

    def answered() -> None:
        engine.worker.process(engine.delivery(query.id))
        waits_of(engine).items.fault = AWAY

    engine.events.append(answered)
    assert engine.reading.get(query.id, caller=ALICE, wait_s=20).status is QueryStatus.SUCCEEDED


def test_what_is_kept_no_longer_is_gone_for_everybody(engine: QueryEngine) -> None:
    query = answer(engine)
    unknown = f"qry_{engine.ids.ulid()}"
    engine.clock.sleep(30 * 86_400 + 1)
    for query_id in (query.id, unknown):
        for caller in (ALICE, BOB, ADMIN, AUDITOR):
            with pytest.raises(QueryExpired):
                engine.reading.summary(query_id, caller=caller)
            with pytest.raises(QueryExpired):
                engine.reading.get(query_id, caller=caller)
        with pytest.raises(QueryExpired):
            engine.reading.cancel(query_id, caller=ALICE)
        with pytest.raises(QueryExpired):
            engine.reading.erase(query_id, caller=ALICE)


@pytest.mark.parametrize("query_id", ["", "x", "qry_", "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"])
def test_what_is_no_id_was_never_there(engine: QueryEngine, query_id: str) -> None:
    with pytest.raises(QueryNotFound):
        engine.reading.summary(query_id, caller=ADMIN)


def test_a_store_that_is_away_is_not_a_query_that_is_not_there(engine: QueryEngine) -> None:
    query = answer(engine)
    engine.queries.faults.update(get=AWAY, summary=AWAY)
    with pytest.raises(DependencyUnavailable):
        engine.reading.summary(query.id, caller=ALICE)
    with pytest.raises(DependencyUnavailable):
        engine.reading.get(query.id, caller=ALICE)


# Cancelled


def test_a_queued_one_is_cancelled_at_once(engine: QueryEngine) -> None:
    query = accept(engine)
    assert engine.reading.cancel(query.id, caller=ALICE).status is QueryStatus.CANCELLED
    engine.worker.process(engine.delivery(query.id))
    assert engine.providers.called == []


def test_a_running_one_is_asked_to_stop(engine: QueryEngine) -> None:
    query = accept(engine)
    running = held(engine, query)
    after = engine.reading.cancel(query.id, caller=ALICE)
    assert (after.status, after.cancel_requested) == (QueryStatus.RUNNING, True)
    assert not engine.queries.port.renew(running, until=engine.clock.now() + timedelta(seconds=60))


def test_one_at_its_end_stays(engine: QueryEngine) -> None:
    query = answer(engine)
    engine.queries.asked.clear()
    assert engine.reading.cancel(query.id, caller=ALICE).status is QueryStatus.SUCCEEDED
    assert engine.queries.count("cancel") == 0


def test_an_admin_cancels_for_others(engine: QueryEngine) -> None:
    assert engine.reading.cancel(accept(engine).id, caller=ADMIN).status is QueryStatus.CANCELLED


def test_one_that_is_erased_while_it_is_cancelled_is_not_there(engine: QueryEngine) -> None:
    query = accept(engine)
    engine.queries.first["cancel"] = lambda: engine.queries.port.erase(query.id)
    with pytest.raises(QueryNotFound):
        engine.reading.cancel(query.id, caller=ALICE)


# Erased


def test_nothing_is_left_of_an_erased_one(engine: QueryEngine) -> None:
    query = answer(engine)
    (key,) = query.cache_keys
    assert isinstance(engine.cache.port.peek(key), CachedAnswer)
    engine.reading.erase(query.id, caller=ALICE)
    assert engine.queries.port.get(query.id) is None
    assert engine.cache.port.peek(key) is None
    engine.run(
        engine.asked(question(parameters=Parameters(temperature=0, max_output_tokens=100)), idempotency=idempotency())
    )
    assert len(engine.providers.called) == 2
    with pytest.raises(QueryNotFound):
        engine.reading.erase(query.id, caller=ALICE)


def test_erasing_a_hit_erases_the_answer_that_it_shows(engine: QueryEngine) -> None:
    answer(engine)
    parameters = Parameters(temperature=0, max_output_tokens=100)
    hit = engine.run(engine.asked(question(parameters=parameters)))
    assert hit.answer is not None
    assert hit.answer.cache.hit
    engine.reading.erase(hit.id, caller=ALICE)
    (key,) = hit.cache_keys
    assert engine.cache.port.peek(key) is None


def test_an_admin_erases_for_others_and_an_auditor_does_not(engine: QueryEngine) -> None:
    query = answer(engine)
    with pytest.raises(QueryNotFound):
        engine.reading.erase(query.id, caller=AUDITOR)
    engine.reading.erase(query.id, caller=ADMIN)
    assert engine.queries.port.get(query.id) is None


@pytest.mark.parametrize("away", ["the cache", "the keys", "the store"])
def test_an_erasure_that_fails_on_the_way_can_be_asked_for_again(engine: QueryEngine, away: str) -> None:
    query = answer(engine)
    port, method = {
        "the cache": (engine.cache, "delete"),
        "the keys": (engine.keys, "delete"),
        "the store": (engine.queries, "erase"),
    }[away]
    port.faults[method] = [AWAY]
    with pytest.raises(DependencyUnavailable):
        engine.reading.erase(query.id, caller=ALICE)
    assert engine.reading.summary(query.id, caller=ALICE).id == query.id
    engine.reading.erase(query.id, caller=ALICE)
    assert engine.cache.port.peek(next(iter(query.cache_keys))) is None
    assert engine.queries.port.get(query.id) is None


def test_an_end_that_comes_while_a_query_is_erased_leaves_no_copy(engine: QueryEngine) -> None:
    """The last word is the erasure's: here the answer is cached and stored right before the query goes."""
    parameters = Parameters(temperature=0, max_output_tokens=100)
    items = engine.asking.stream(engine.asked(question(mode="stream", parameters=parameters)))
    opened: Any = next(items)
    engine.queries.first["erase"] = lambda: list(items)
    engine.reading.erase(opened.query_id, caller=ALICE)
    assert engine.queries.port.get(opened.query_id) is None
    assert engine.cache.port.peek(engine.seat_of(question(parameters=parameters))) is None


def test_a_stream_that_is_erased_as_soon_as_it_has_ended_leaves_no_copy(engine: QueryEngine) -> None:
    parameters = Parameters(temperature=0, max_output_tokens=100)
    items = engine.asking.stream(engine.asked(question(mode="stream", parameters=parameters)))
    opened: Any = next(items)
    has_ended = threading.Event()

    def erase() -> None:
        has_ended.wait(0.2)
        engine.reading.erase(opened.query_id, caller=ALICE)

    finish = engine.queries.port.finish
    engine.queries.port.finish = lambda ended: (finish(ended), has_ended.set())[0]
    engine.cache.first["put"] = erase
    list(items)
    assert engine.queries.port.get(opened.query_id) is None
    assert engine.cache.port.peek(engine.seat_of(question(parameters=parameters))) is None


def test_what_was_stored_though_the_answer_to_that_was_lost_is_not_left(engine: QueryEngine) -> None:
    engine.queries.late["add"] = AWAY
    with pytest.raises(DependencyUnavailable):
        accept(engine, key=idempotency())
    assert engine.queries.port._stored == {}


def test_a_key_that_was_taken_though_the_answer_to_that_was_lost_is_free_again(engine: QueryEngine) -> None:
    engine.keys.late["claim"] = AWAY
    with pytest.raises(DependencyUnavailable):
        accept(engine, key=idempotency())
    assert accept(engine, key=idempotency()).status is QueryStatus.QUEUED


def test_an_erased_one_is_none_of_the_workers_business(engine: QueryEngine) -> None:
    query = accept(engine)
    engine.reading.erase(query.id, caller=ALICE)
    engine.worker.process(engine.delivery(query.id))
    assert engine.providers.called == []
    assert engine.journal.story == [(query.id, "cancelled")]
