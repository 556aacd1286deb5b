"""Queued queries and the cache: the same question is asked once, and nobody waits for an answer that does not come."""

import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.chat import FinishReason, Parameters
from llm_gateway.domain.faults import ProviderFailed, ProviderRateLimited, ProviderRejected
from llm_gateway.domain.queries import Query, QueryAnswer, QueryRequest, QueryStatus
from llm_gateway.errors import DependencyUnavailable, NotDone

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import ALICE, QueryEngine
from tests.adapters.query_queue import Sent
from tests.adapters.scripted_providers import Says

AWAY = DependencyUnavailable("It cannot be reached.")
SURE = Parameters(temperature=0, max_output_tokens=100)


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"))  # type: ignore[return-value]


def asking(**changes: Any) -> QueryRequest:
    return question(**{"mode": "async", "timeout_s": 300, "parameters": SURE, **changes})


def queued(engine: QueryEngine, **changes: Any) -> Query:
    query = engine.accept(engine.asked(asking(**changes)))
    engine.queue.sent.clear()
    return query


def process(engine: QueryEngine, query: Query, *, count: int = 1) -> bool:
    """Whether the message is done with."""
    try:
        engine.worker.process(engine.delivery(query.id, count=count))
    except NotDone:
        return False
    return True


def stored(engine: QueryEngine, query: Query) -> Query:
    found: Query | None = engine.queries.port.get(query.id)
    assert found is not None
    return found


def answer_to(engine: QueryEngine, query: Query) -> QueryAnswer:
    answer = stored(engine, query).answer
    assert answer is not None
    return answer


def answered(engine: QueryEngine, **changes: Any) -> QueryAnswer:
    """What a query is answered that is queued now and taken up at once."""
    query = queued(engine, **changes)
    assert process(engine, query)
    return answer_to(engine, query)


def place(engine: QueryEngine) -> CachedAnswer | Pending | None:
    found: CachedAnswer | Pending | None = engine.cache.port.peek(engine.seat_of(asking()))
    return found


def somebody_is_at_it(engine: QueryEngine, *, for_s: float = 3600) -> None:
    until = engine.clock.now() + timedelta(seconds=for_s)
    engine.cache.port.look_up(engine.seat_of(asking()), holder="qry_other", until=until)


# Given again


def test_the_same_question_is_asked_once(engine: QueryEngine) -> None:
    first = queued(engine, metadata={"n": 1})
    assert process(engine, first)
    engine.clock.sleep(12)
    again = queued(engine, metadata={"n": 2})
    assert process(engine, again)
    assert len(engine.providers.called) == 1
    made, given = answer_to(engine, first), answer_to(engine, again)
    assert (given.output, given.usage) == (made.output, made.usage)
    assert (given.cost_usd, given.attempts) == (Decimal(0), ())
    assert (given.cache.hit, given.cache.age_s, given.cache.saved_usd) == (True, 12, made.cost_usd)
    assert not made.cache.hit
    assert (stored(engine, again).status, stored(engine, again).attempts) == (QueryStatus.SUCCEEDED, 1)
    assert engine.journal.story == [(first.id, "succeeded"), (again.id, "succeeded")]
    assert engine.gates.all_ended_once


def test_sync_and_async_share_their_answers(engine: QueryEngine) -> None:
    sync = asking(mode="sync", timeout_s=25)
    engine.asking.run(engine.asked(sync))
    assert answered(engine).cache.hit
    assert answered(engine, metadata={"b": 1}, cache="refresh").cache.hit is False
    assert engine.run(engine.asked(sync)).answer.cache.hit  # type: ignore[union-attr]
    assert len(engine.providers.called) == 2


def test_a_hit_needs_nobody_who_answers(engine: QueryEngine) -> None:
    answered(engine)
    engine.gates.refusals["a"] = [ProviderRateLimited("Full.", retry_after_s=30)]
    assert answered(engine).cache.hit
    assert engine.queue.sent == []


def test_an_answer_is_its_askers_own(engine: QueryEngine) -> None:
    answered(engine)
    bob = replace(ALICE, key_id="key_bob")
    query = engine.accept(engine.asked(asking(), caller=bob))
    assert process(engine, query)
    assert not answer_to(engine, query).cache.hit


@pytest.mark.parametrize(
    ("wish", "parameters", "asked"),
    [
        ("auto", SURE, ["look_up", "put"]),
        ("auto", Parameters(), []),
        ("force", Parameters(), ["look_up", "put"]),
        ("refresh", SURE, ["put"]),
        ("bypass", SURE, []),
    ],
)
def test_what_the_caller_wishes_holds(engine: QueryEngine, wish: str, parameters: Parameters, asked: list[str]) -> None:
    for _ in range(2):
        engine.cache.asked.clear()
        hit = answered(engine, cache=wish, parameters=parameters).cache.hit
    assert hit == ("look_up" in asked)
    assert engine.cache.asked == (["look_up"] if hit else asked)


def test_a_refreshed_answer_is_what_others_get(engine: QueryEngine) -> None:
    answered(engine)
    engine.providers.script("a", Says(text="Newer."))
    assert answered(engine, cache="refresh").output.text == "Newer."
    assert answered(engine).output.text == "Newer."


@pytest.mark.parametrize("method", ["look_up", "put", "release", "peek"])
@pytest.mark.parametrize("late", [False, True], ids=["asked in vain", "its answer lost"])
def test_a_cache_that_is_away_is_a_miss(engine: QueryEngine, method: str, late: bool) -> None:
    (engine.cache.late if late else engine.cache.faults)[method] = AWAY
    query = queued(engine)
    assert process(engine, query)
    assert not answer_to(engine, query).cache.hit
    assert not isinstance(place(engine), Pending)


# While somebody else is getting the answer


def test_it_waits_in_the_queue_and_then_gets_it(engine: QueryEngine) -> None:
    made = queued(engine)
    waits = queued(engine, priority="high")
    engine.cache.first["put"] = lambda: process(engine, waits)
    assert process(engine, made)
    assert engine.queue.sent == [Sent(query_id=waits.id, delay_s=1, priority="high")]
    back = stored(engine, waits)
    assert (back.status, back.attempts, back.lease, back.problem) == (QueryStatus.QUEUED, 0, None, None)
    # The place is the other's: it is neither taken nor freed.
    assert engine.cache.count("release") == 0
    engine.clock.sleep(1)
    assert process(engine, waits)
    assert answer_to(engine, waits).cache.hit
    assert len(engine.providers.called) == 1
    assert stored(engine, waits).attempts == 1


def test_it_looks_again_neither_often_nor_late(engine: QueryEngine) -> None:
    somebody_is_at_it(engine)
    query = queued(engine)
    for _ in range(7):
        assert process(engine, query)
        engine.clock.sleep(engine.queue.sent[-1].delay_s)
    assert [sent.delay_s for sent in engine.queue.sent] == [1, 1, 2, 4, 8, 15, 15]
    assert engine.providers.called == []


def test_one_that_has_waited_long_waits_here_and_then_asks_itself(engine: QueryEngine) -> None:
    somebody_is_at_it(engine)
    query = queued(engine, timeout_s=20)
    engine.clock.sleep(10)
    assert process(engine, query)
    assert engine.queue.sent == []
    answer = answer_to(engine, query)
    assert not answer.cache.hit
    assert answer.latency.waiting_ms == pytest.approx(10_000, abs=150)
    assert isinstance(place(engine), CachedAnswer)


def test_one_that_has_waited_long_takes_what_comes_meanwhile(engine: QueryEngine) -> None:
    made = queued(engine)
    assert process(engine, made)
    kept = place(engine)
    assert isinstance(kept, CachedAnswer)
    key = engine.seat_of(asking())
    engine.cache.port.delete(key, query_id="qry_erased")
    somebody_is_at_it(engine)
    query = queued(engine, timeout_s=20)
    engine.clock.sleep(10)
    engine.events.extend([lambda: None, lambda: engine.cache.port.put(key, kept, owner=ALICE.key_id)])
    assert process(engine, query)
    answer = answer_to(engine, query)
    assert answer.cache.hit
    assert (answer.latency.waiting_ms, answer.latency.provider_ms) == (pytest.approx(200), 0)


def test_who_was_killed_takes_its_own_place_again(engine: QueryEngine) -> None:
    query, other = queued(engine), queued(engine)
    assert engine.queries.port.claim(query.id, until=engine.clock.now() + timedelta(seconds=60))
    engine.cache.port.look_up(
        engine.seat_of(asking()), holder=query.id, until=engine.clock.now() + timedelta(seconds=330)
    )
    assert process(engine, other)
    assert [sent.query_id for sent in engine.queue.sent] == [other.id]
    engine.clock.sleep(60)
    assert process(engine, query, count=2)
    assert not answer_to(engine, query).cache.hit
    assert process(engine, other)
    assert answer_to(engine, other).cache.hit


def test_who_was_killed_for_good_is_not_waited_for_for_ever(engine: QueryEngine) -> None:
    somebody_is_at_it(engine, for_s=330)
    engine.clock.sleep(330)
    query = queued(engine)
    assert process(engine, query)
    assert stored(engine, query).status is QueryStatus.SUCCEEDED
    assert answer_to(engine, query).latency.waiting_ms == 0


# Left


ENDS: dict[str, Exception | Says] = {
    "a failure": ProviderFailed("500"),
    "a limit": ProviderRateLimited("Full.", retry_after_s=30),
    "a refusal": ProviderRejected("No."),
    "what nobody foresaw": RuntimeError("x"),
    "a truncated answer": Says(finish=FinishReason.LENGTH),
    "a filtered answer": Says(finish=FinishReason.CONTENT_FILTER),
    "no time left": Says(after_s=400),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_place_is_left_however_it_ends(engine: QueryEngine, end: str) -> None:
    query = queued(engine)
    engine.providers.script("a", ENDS[end])
    try:
        process(engine, query)
    except RuntimeError:
        assert end == "what nobody foresaw"
    assert place(engine) is None
    assert engine.cache.count("release") == 1
    engine.clock.sleep(60)
    assert not answered(engine).cache.hit


def test_the_place_is_left_by_who_is_cancelled(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.providers.script("a", ProviderFailed("500"))
    engine.queries.first["requeue"] = lambda: engine.queries.port.cancel(query.id)
    assert process(engine, query)
    assert stored(engine, query).status is QueryStatus.CANCELLED
    assert place(engine) is None


def test_the_place_is_left_before_the_query_is_given_back(engine: QueryEngine) -> None:
    """Or another worker could have it already, and would lose the place."""
    query = queued(engine)
    engine.providers.script("a", ProviderRateLimited("Full.", retry_after_s=30))
    places: list[object] = []
    engine.queries.first["requeue"] = lambda: places.append(place(engine))
    assert process(engine, query)
    assert places == [None]


def test_an_answer_of_another_candidate_is_not_kept(engine: QueryEngine) -> None:
    engine.add(provider("b"))
    engine.providers.script("a", ProviderFailed("500"))
    assert answered(engine).provider == "b"
    assert place(engine) is None


def test_an_answer_that_cannot_be_stored_is_not_paid_for_again(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.faults["finish"] = AWAY
    assert process(engine, query)
    engine.queries.faults.clear()
    engine.clock.sleep(60)
    [again] = engine.queue.sent
    engine.worker.process(replace(engine.delivery(query.id), is_paid=again.is_paid))
    assert stored(engine, query).status is QueryStatus.SUCCEEDED
    assert answer_to(engine, query).cache.hit
    assert len(engine.providers.called) == 1


# Erased


def test_an_erasure_erases_the_copy(engine: QueryEngine) -> None:
    query = queued(engine)
    assert process(engine, query)
    assert stored(engine, query).cache_keys == {engine.seat_of(asking())}
    engine.reading.erase(query.id, caller=ALICE)
    assert place(engine) is None
    assert not answered(engine).cache.hit


def test_what_is_erased_while_it_ends_leaves_no_copy(engine: QueryEngine) -> None:
    query = queued(engine)
    engine.queries.first["finish"] = lambda: engine.reading.erase(query.id, caller=ALICE)
    assert process(engine, query)
    assert engine.queries.port.get(query.id) is None
    assert place(engine) is None


def test_what_is_erased_as_soon_as_it_has_ended_leaves_no_copy(engine: QueryEngine) -> None:
    """Who waits for the end may erase the query before its answer has come to the cache."""
    query = queued(engine)
    has_ended = threading.Event()

    def erase() -> None:
        has_ended.wait(0.2)
        engine.reading.erase(query.id, caller=ALICE)

    finish = engine.queries.port.finish
    engine.queries.port.finish = lambda ended: (finish(ended), has_ended.set())[0]
    engine.cache.first["put"] = erase
    assert process(engine, query)
    assert engine.queries.port.get(query.id) is None
    assert place(engine) is None


def test_a_hit_that_is_erased_while_it_ends_leaves_the_first_ones_answer(engine: QueryEngine) -> None:
    answered(engine)
    query = queued(engine)
    engine.queries.first["finish"] = lambda: engine.queries.port.erase(query.id)
    assert process(engine, query)
    assert isinstance(place(engine), CachedAnswer)
