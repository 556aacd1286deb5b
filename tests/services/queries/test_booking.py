"""Booking and closing: all that was held for a query is given up once, whatever it meets, and nothing of it is left behind."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.faults import ProviderRateLimited, ProviderRejected
from llm_gateway.domain.queries import AttemptOutcome, QueryRequest, QueryStatus, StoredProblem
from llm_gateway.errors import (
    AnswerLost,
    DependencyUnavailable,
    GatewayError,
    IdempotencyConflict,
    QueryInProgress,
)
from llm_gateway.services.queries.closing import NOT_STORED

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import QueryEngine, idempotency
from tests.adapters.scripted_providers import Raises, Says
from tests.services.queries.booked import (
    AWAY,
    Outcome,
    answered_meanwhile,
    asking,
    forget_calls,
    in_the_cache,
    kept_queries,
    place,
    run,
    somebody_holds,
)

pytestmark = pytest.mark.usefixtures("no_lease_is_left")


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"), provider("b"))  # type: ignore[return-value]


# Every combination


def no_key(_: QueryEngine, __: QueryRequest, ___: bool) -> None:
    return None


def key_in_progress(engine: QueryEngine, _: QueryRequest, __: bool) -> None:
    until = engine.clock.now() + timedelta(seconds=30)
    engine.keys.port.claim("scope", fingerprint="body", reference=f"qry_{engine.ids.ulid()}", until=until)


def key_of_another_body(engine: QueryEngine, request: QueryRequest, stored: bool) -> None:
    engine.providers.script("a", Says())
    run(engine, replace(request, cache="bypass"), stored=stored, idempotency=idempotency(fingerprint="another"))


def key_of_a_success(engine: QueryEngine, request: QueryRequest, stored: bool) -> None:
    engine.providers.script("a", Says(text="The first time."))
    run(engine, replace(request, cache="bypass"), stored=stored, idempotency=idempotency())


def key_of_a_failure(engine: QueryEngine, request: QueryRequest, stored: bool) -> None:
    engine.providers.script("a", ProviderRejected("The provider does not like it."))
    run(engine, replace(request, cache="bypass"), stored=stored, idempotency=idempotency())


KEYS: dict[str, Callable[[QueryEngine, QueryRequest, bool], None]] = {
    "no key": no_key,
    "new": no_key,
    "in progress": key_in_progress,
    "conflict": key_of_another_body,
    "success": key_of_a_success,
    "failure": key_of_a_failure,
}


def abandoned_meanwhile(engine: QueryEngine, request: QueryRequest) -> None:
    key = somebody_holds(engine, request)
    engine.events.extend([lambda: None, lambda: engine.cache.port.release(key, holder="qry_other")])


def away(engine: QueryEngine, _: QueryRequest) -> None:
    for method in ("look_up", "peek", "put", "release", "delete"):
        engine.cache.faults[method] = AWAY


def nothing(_: QueryEngine, __: QueryRequest) -> None:
    return None


# How the cache is met, and under which wish.
CACHES: dict[str, tuple[Callable[[QueryEngine, QueryRequest], object], QueryRequest]] = {
    "off": (nothing, question()),
    "claimed": (nothing, asking()),
    "answered meanwhile": (answered_meanwhile, asking()),
    "abandoned meanwhile": (abandoned_meanwhile, asking()),
    "never answered": (somebody_holds, asking()),
    "hit": (in_the_cache, asking()),
    "away": (away, asking()),
    "refresh": (in_the_cache, asking(cache="refresh")),
    "force": (in_the_cache, question(cache="force")),
    "bypass": (in_the_cache, asking(cache="bypass")),
}
ENDS: dict[str, Says | Raises] = {
    "answer": Says(text="An answer."),
    "failure": Raises(fault=lambda: ProviderRejected("No.")),
    "error": Raises(fault=lambda: RuntimeError("Nobody foresaw this.")),
}


def gives_all_up(engine: QueryEngine, request: QueryRequest, outcome: Outcome, *, known: bool, hit: bool) -> None:
    """The invariants."""
    assert engine.gates.all_ended_once
    running = [query for query in kept_queries(engine) if query.status is QueryStatus.RUNNING]
    assert running == []
    found = engine.cache.port.peek(engine.seat_of(request)) if not engine.cache.faults else None
    assert not isinstance(found, Pending) or found.holder == "qry_other"
    assert len(engine.journal.written) == (0 if known else 1)
    leaves_place = engine.cache.count("put") + engine.cache.count("release")
    # What the cache did not take is not waited for either.
    assert leaves_place <= (2 if engine.cache.faults else 1)
    if not known:
        # The process that claimed the key says once what becomes of it.
        assert engine.keys.count("complete", "release") == engine.keys.count("claim")
        (kept,) = (query for query in kept_queries(engine) if query.id == engine.journal.written[0].id)
        assert kept.status.finished
    assert len(engine.providers.called) == (0 if known or hit else 1)


@pytest.mark.parametrize("stored", [False, True], ids=["sync", "stream"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("key", KEYS)
def test_what_is_held_is_given_up_once(engine: QueryEngine, key: str, cache: str, end: str, stored: bool) -> None:
    meet, request = CACHES[cache]
    KEYS[key](engine, request, stored)
    meet(engine, request)
    forget_calls(engine)
    known_queries = {query.id for query in kept_queries(engine)}
    engine.providers.script("a", ENDS[end])
    outcome = run(engine, request, stored=stored, idempotency=None if key == "no key" else idempotency())
    known = key in ("in progress", "conflict", "success", "failure")
    hit = cache in ("answered meanwhile", "hit", "force") and not known
    gives_all_up(engine, request, outcome, known=known, hit=hit)
    if known:
        assert {query.id for query in kept_queries(engine)} == known_queries
    expected: dict[str, Any] = {
        "in progress": QueryInProgress,
        "conflict": IdempotencyConflict,
        "failure": StoredProblem,
        "success": "The first time.",
    }
    ends = {"answer": "An answer.", "failure": ProviderRejected, "error": GatewayError}
    wanted = expected.get(key) or ("From before." if hit else ends[end])
    if isinstance(wanted, str):
        assert outcome.answer.output.text == wanted
        assert outcome.replayed == (key == "success")
    else:
        assert type(outcome.error) is wanted, outcome
    record = engine.keys.port.claim(
        "scope", fingerprint="body", reference="probe", until=engine.clock.now() + timedelta(days=1)
    )
    if known:
        assert record is not None
    elif key == "new":
        assert (record is not None and record.completed) == (hit or end != "error")


def test_a_filled_place_holds_the_new_answer(engine: QueryEngine) -> None:
    for cache in ("auto", "refresh"):
        outcome = run(engine, asking(cache=cache))
        assert outcome.query is not None
        found = place(engine, asking())
        assert isinstance(found, CachedAnswer)
        assert found.query_id == outcome.query.id
        assert outcome.query.cache_keys == {engine.seat_of(asking())}


# When a part of booking in fails


def refused(engine: QueryEngine, fault: Exception) -> None:
    engine.gates.refusals["a"] = [fault]


FAILING: dict[str, tuple[Callable[[QueryEngine], object], type[Exception] | None]] = {
    "the key's store is away": (lambda engine: engine.keys.faults.update(claim=AWAY), DependencyUnavailable),
    "the key's claim got no answer": (lambda engine: engine.keys.late.update(claim=AWAY), DependencyUnavailable),
    "the key breaks": (lambda engine: engine.keys.faults.update(claim=ZeroDivisionError()), ZeroDivisionError),
    "the cache is away": (lambda engine: engine.cache.faults.update(look_up=AWAY), None),
    "the cache's claim got no answer": (lambda engine: engine.cache.late.update(look_up=AWAY), None),
    "the cache breaks": (lambda engine: engine.cache.faults.update(look_up=ZeroDivisionError()), ZeroDivisionError),
    "the gate refuses": (lambda engine: refused(engine, ProviderRateLimited("Full.", retry_after_s=30)), None),
    "the gate is away": (lambda engine: refused(engine, AWAY), None),
    "the gate breaks": (lambda engine: refused(engine, ZeroDivisionError()), ZeroDivisionError),
    "the record cannot be kept": (lambda engine: engine.queries.faults.update(add=AWAY), None),
    "the record got no answer": (lambda engine: engine.queries.late.update(add=AWAY), None),
    "the record breaks": (lambda engine: engine.queries.faults.update(add=ZeroDivisionError()), ZeroDivisionError),
}


@pytest.mark.parametrize("what", FAILING)
def test_a_part_of_booking_in_that_fails_keeps_nothing(engine: QueryEngine, what: str) -> None:
    fail, expected = FAILING[what]
    fail(engine)
    outcome = run(engine, asking(), stored=True, idempotency=idempotency())
    assert (type(outcome.error) if outcome.error else None) is expected, outcome.error
    assert engine.gates.all_ended_once
    assert not isinstance(place(engine, asking()), Pending)
    assert [query.status for query in kept_queries(engine) if query.status is QueryStatus.RUNNING] == []
    key = engine.keys.port.claim(
        "scope", fingerprint="body", reference="probe", until=engine.clock.now() + timedelta(seconds=1)
    )
    if expected is None:
        # What could not be kept cannot be replayed.
        assert (key is not None and key.completed) == (what != "the record cannot be kept")
        assert len(engine.journal.written) == 1
    else:
        assert key is None
        assert engine.providers.called == []
        assert engine.journal.written == []


def test_a_record_that_was_kept_after_all_is_ended(engine: QueryEngine) -> None:
    engine.queries.late["add"] = AWAY
    outcome = run(engine, asking(), stored=True)
    (kept,) = kept_queries(engine)
    assert kept.status is QueryStatus.SUCCEEDED
    assert outcome.answer.warnings == ()


# The gate, asked ahead


def test_a_refusal_ahead_is_the_first_candidates_and_the_next_one_answers(engine: QueryEngine) -> None:
    refused(engine, ProviderRateLimited("Full.", retry_after_s=30))
    outcome = run(engine, asking())
    skipped, answered = outcome.answer.attempts
    assert (skipped.provider, skipped.outcome, skipped.error_code) == ("a", "skipped", "provider_rate_limited")
    assert (answered.provider, answered.outcome) == ("b", "ok")
    assert engine.gates.refusals["a"] == []
    assert [admission.call.provider.id for admission in engine.gates.admitted] == ["b"]


def test_a_refusal_ahead_is_the_answer_of_the_only_one(engine: QueryEngine) -> None:
    refused(engine, ProviderRateLimited("Full.", retry_after_s=30))
    outcome = run(engine, asking(provider="a", fallback=()), idempotency=idempotency())
    assert isinstance(outcome.error, ProviderRateLimited)
    assert outcome.error.retry_after_s == pytest.approx(30)
    assert outcome.error.query_id == engine.journal.written[0].id
    assert engine.providers.called == []


def test_gates_that_are_away_are_a_503_with_everything_given_back(engine: QueryEngine) -> None:
    for one in ("a", "b"):
        engine.gates.refusals[one] = [AWAY]
    outcome = run(engine, asking(), stored=True, idempotency=idempotency())
    assert isinstance(outcome.error, DependencyUnavailable)
    assert [(attempt.provider, attempt.outcome) for attempt in outcome.error.attempts] == [
        ("a", "skipped"),
        ("b", "skipped"),
    ]
    assert engine.providers.called == []
    assert place(engine, asking()) is None
    assert engine.keys.count("release") == 1
    assert [query.status for query in kept_queries(engine)] == [QueryStatus.FAILED]
    assert run(engine, asking(), stored=True, idempotency=idempotency()).answer.provider == "a"


def test_a_call_admitted_ahead_is_the_one_that_is_made(engine: QueryEngine) -> None:
    run(engine, asking(), stored=True)
    assert len(engine.gates.admitted) == 1
    assert len(engine.gates.settled) == 1


# What cannot be stored


@pytest.mark.parametrize("stored", [False, True], ids=["sync", "stream"])
def test_an_answer_that_cannot_be_stored_is_given_with_a_warning(engine: QueryEngine, stored: bool) -> None:
    engine.queries.faults.update(add=AWAY, finish=AWAY)
    outcome = run(engine, asking(), stored=stored)
    assert outcome.answer.warnings == (NOT_STORED,)
    assert outcome.answer.output.text == "Hello there."
    cached = place(engine, asking())
    assert isinstance(cached, CachedAnswer)
    assert cached.answer.warnings == ()
    assert engine.gates.all_ended_once
    assert len(engine.journal.written) == 1


@pytest.mark.parametrize("stored", [False, True], ids=["sync", "stream"])
def test_everything_but_the_gates_away(engine: QueryEngine, stored: bool) -> None:
    for port in (engine.queries, engine.cache):
        port.faults.update(dict.fromkeys(("add", "finish", "erase", "look_up", "put", "release", "delete"), AWAY))
    assert run(engine, asking(), stored=stored).answer.output.text == "Hello there."
    assert engine.gates.all_ended_once


def test_what_breaks_while_booking_out_does_not_keep_the_rest(engine: QueryEngine) -> None:
    engine.queries.faults["add"] = ZeroDivisionError()
    outcome = run(engine, asking(), idempotency=idempotency())
    assert isinstance(outcome.error, AnswerLost)
    assert [attempt.outcome for attempt in outcome.error.attempts] == [AttemptOutcome.OK]
    assert isinstance(outcome.error.__cause__, ZeroDivisionError)
    assert engine.gates.all_ended_once
    assert not isinstance(place(engine, asking()), Pending)
    assert engine.keys.count("complete", "release") == 1
