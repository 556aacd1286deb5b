"""Booking and closing: all that was held for a query is given up once, whatever it meets, and nothing of it is left behind."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.chat import FinishReason, Parameters, Usage
from llm_gateway.domain.faults import CallTooLarge, ProviderFailed, ProviderRateLimited, ProviderRejected
from llm_gateway.domain.idempotency import Replayed
from llm_gateway.domain.queries import CacheNote, Query, QueryAnswer, QueryRequest, QueryStatus, StoredProblem
from llm_gateway.errors import (
    DependencyUnavailable,
    GatewayError,
    IdempotencyConflict,
    QueryCancelled,
    QueryInProgress,
    UnsupportedParameter,
)
from llm_gateway.services.queries.closing import NOT_STORED

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import ALICE, QueryEngine, idempotency
from tests.adapters.scripted_providers import Raises, Says

CACHEABLE = Parameters(temperature=0, max_output_tokens=100)
AWAY = DependencyUnavailable("It cannot be reached.")


def asking(**changes: Any) -> QueryRequest:
    return question(**{"parameters": CACHEABLE, **changes})


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"), provider("b"))  # type: ignore[return-value]


@dataclass
class Outcome:
    """What a caller got: the query, or the error; and how often its text came in pieces."""

    query: Query | None = None
    error: Exception | None = None
    replayed: bool = False
    items: list[Any] = field(default_factory=list)

    @property
    def answer(self) -> QueryAnswer:
        assert self.query is not None, self.error
        assert self.query.answer is not None
        return self.query.answer


def run(engine: QueryEngine, request: QueryRequest, *, stored: bool = False, **how: Any) -> Outcome:
    """Asks, as a stream where it is to be `stored` from the start."""
    outcome = Outcome()
    request = replace(request, mode="stream" if stored else "sync")
    try:
        if stored:
            for item in engine.asking.stream(engine.asked(request, **how)):
                outcome.items.append(item)
            outcome.query, outcome.replayed = outcome.items[-1], outcome.items[0].replayed
        else:
            found = engine.asking.run(engine.asked(request, **how))
            outcome.replayed = isinstance(found, Replayed)
            outcome.query = found.made if isinstance(found, Replayed) else found
    except Exception as error:
        outcome.error = error
    return outcome


def kept_queries(engine: QueryEngine) -> list[Query]:
    return [stored.query for stored in engine.queries.port._stored.values()]


def place(engine: QueryEngine, request: QueryRequest) -> CachedAnswer | Pending | None:
    found: CachedAnswer | Pending | None = engine.cache.port.peek(engine.seat_of(request))
    return found


def in_the_cache(engine: QueryEngine, request: QueryRequest, *, text: str = "From before.") -> CachedAnswer:
    """Has an equal question answered, a while ago."""
    engine.providers.script("a", Says(text=text))
    run(engine, replace(request, cache="refresh"))
    engine.clock.sleep(12)
    found = place(engine, request)
    assert isinstance(found, CachedAnswer)
    return found


def forget_calls(engine: QueryEngine) -> None:
    for port in (engine.queries, engine.cache, engine.keys):
        port.asked.clear()
    engine.journal.written.clear()
    engine.providers.called.clear()


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


def somebody_holds(engine: QueryEngine, request: QueryRequest) -> str:
    key = engine.seat_of(request)
    engine.cache.port.look_up(key, holder="qry_other", until=engine.clock.now() + timedelta(hours=1))
    return key


def answered_meanwhile(engine: QueryEngine, request: QueryRequest) -> None:
    made = in_the_cache(engine, request)
    engine.cache.port.delete(engine.seat_of(request), query_id="qry_erased")
    key = somebody_holds(engine, request)
    engine.events.extend([lambda: None, lambda: engine.cache.port.put(key, made, owner=ALICE.key_id)])


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
    ends = {"answer": "An answer.", "failure": ProviderRejected, "error": RuntimeError}
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


# What uses a key up


@dataclass(frozen=True)
class Case:
    end: Exception | Says
    used_up: bool
    by_gate: bool = False


USES_UP = {
    "an answer": Case(Says(), used_up=True),
    "a truncated answer": Case(Says(finish=FinishReason.LENGTH), used_up=True),
    "a request that the provider rejects": Case(ProviderRejected("No."), used_up=True),
    "a limit of the provider's": Case(ProviderRateLimited("Full."), used_up=False),
    "a limit of the gate's": Case(ProviderRateLimited("Full."), used_up=False, by_gate=True),
    "a call that the gate can never let pass": Case(CallTooLarge("Too much."), used_up=False, by_gate=True),
    "what the wire cannot take": Case(UnsupportedParameter("parameters.seed"), used_up=False),
    "a provider that failed": Case(ProviderFailed("500"), used_up=False),
    "what nobody foresaw": Case(RuntimeError("x"), used_up=False),
}


@pytest.mark.parametrize("stored", [False, True], ids=["sync", "stream"])
@pytest.mark.parametrize("what", USES_UP)
def test_what_uses_a_key_up(engine: QueryEngine, what: str, stored: bool) -> None:
    case, request = USES_UP[what], question(provider="a", fallback=())
    if case.by_gate:
        assert isinstance(case.end, Exception)
        engine.gates.refusals["a"] = [case.end]
    else:
        engine.providers.script("a", case.end)
    first = run(engine, request, stored=stored, idempotency=idempotency())
    calls = len(engine.providers.called)
    again = run(engine, request, stored=stored, idempotency=idempotency())
    assert len(engine.providers.called) == calls + (0 if case.used_up else 1)
    if not case.used_up:
        assert not again.replayed
        assert again.answer.output.text == "Hello there."
    elif first.query is not None:
        assert again.replayed
        assert again.query is not None
        assert again.query.id == first.query.id
        assert again.answer == first.answer
    else:
        assert isinstance(again.error, StoredProblem)
        assert isinstance(first.error, GatewayError)
        assert (again.error.status, again.error.code, again.error.detail, again.error.query_id) == (
            first.error.status,
            first.error.code,
            first.error.detail,
            first.error.query_id,
        )
        assert again.error.provider == "a"
        assert again.error.headers == {"Idempotent-Replayed": "true"}


def test_a_replay_costs_nothing_and_is_not_journaled(engine: QueryEngine) -> None:
    run(engine, asking(), idempotency=idempotency())
    forget_calls(engine)
    settled = len(engine.gates.settled)
    assert run(engine, asking(), idempotency=idempotency()).replayed
    assert engine.providers.called == []
    assert engine.journal.written == []
    assert len(engine.gates.settled) == settled


def test_a_key_is_free_again_after_a_day(engine: QueryEngine) -> None:
    first = run(engine, question(), idempotency=idempotency())
    engine.clock.sleep(24 * 3600 - 1)
    assert run(engine, question(), idempotency=idempotency()).replayed
    engine.clock.sleep(1)
    again = run(engine, question(), idempotency=idempotency())
    assert not again.replayed
    assert again.query is not None
    assert first.query is not None
    assert again.query.id != first.query.id


@pytest.mark.parametrize("stored", [False, True], ids=["sync", "stream"])
def test_a_key_that_is_completed_before_its_answer_is_stored_is_in_progress(engine: QueryEngine, stored: bool) -> None:
    """Both are written at once, so another request may come between."""
    between: list[Outcome] = []
    store_end = "finish" if stored else "add"

    def ask_again() -> None:
        while not engine.keys.count("complete"):
            pass
        between.append(run(engine, question(), stored=stored, idempotency=idempotency()))

    if stored:
        engine.queries.first["finish"] = ask_again
    else:
        engine.queries.first["add"] = ask_again
    first = run(engine, question(), stored=stored, idempotency=idempotency())
    assert engine.queries.count(store_end) >= 1
    assert [type(outcome.error) for outcome in between] == [QueryInProgress]
    again = run(engine, question(), stored=stored, idempotency=idempotency())
    assert again.replayed
    assert again.answer == first.answer


@pytest.mark.parametrize("stored", [False, True], ids=["sync", "stream"])
def test_a_key_whose_answer_could_not_be_stored_is_free_again(engine: QueryEngine, stored: bool) -> None:
    engine.queries.faults.update(add=AWAY, finish=AWAY)
    first = run(engine, question(), stored=stored, idempotency=idempotency())
    assert first.answer.warnings == (NOT_STORED,)
    engine.queries.faults.clear()
    again = run(engine, question(), stored=stored, idempotency=idempotency())
    assert not again.replayed
    assert again.answer.warnings == ()
    assert run(engine, question(), stored=stored, idempotency=idempotency()).replayed
    assert len(engine.providers.called) == 2


def test_a_key_that_could_not_be_freed_either_is_freed_by_who_asks_again(engine: QueryEngine) -> None:
    engine.queries.faults["add"] = AWAY
    engine.keys.faults["delete"] = [AWAY]
    run(engine, question(timeout_s=25), idempotency=idempotency())
    engine.queries.faults.clear()
    # For all that others know, its record is still on its way.
    meanwhile = run(engine, question(), idempotency=idempotency()).error
    assert isinstance(meanwhile, QueryInProgress)
    assert (meanwhile.query_id or "").startswith("qry_")
    engine.clock.sleep(25 + 31)
    lost = run(engine, question(), idempotency=idempotency()).error
    assert isinstance(lost, DependencyUnavailable)
    assert lost.retry_after_s == 1
    again = run(engine, question(), idempotency=idempotency())
    assert not again.replayed
    assert again.answer.output.text == "Hello there."
    assert len(engine.providers.called) == 2


def test_a_lost_answer_is_another_bodys_conflict_all_the_same(engine: QueryEngine) -> None:
    engine.queries.faults["add"] = AWAY
    engine.keys.faults["delete"] = [AWAY]
    run(engine, question(timeout_s=25), idempotency=idempotency())
    engine.clock.sleep(25 + 31)
    other = run(engine, question(), idempotency=idempotency(fingerprint="another"))
    assert isinstance(other.error, IdempotencyConflict)


# Hits


def test_a_hit_is_the_callers_own_query_at_no_cost(engine: QueryEngine) -> None:
    engine.providers.script("a", Says(text="Forty-two.", usage=Usage(input_tokens=10, output_tokens=5)))
    first = run(engine, asking(metadata={"n": 1}))
    engine.clock.sleep(12.9)
    hit = run(engine, asking(metadata={"n": 2}))
    assert first.query is not None
    assert hit.query is not None
    assert hit.query.id != first.query.id
    assert hit.query.request.metadata == {"n": 2}
    assert hit.query.completed_at == engine.clock.now()
    answer = hit.answer
    assert answer.cost_usd == Decimal(0)
    assert answer.attempts == ()
    assert answer.usage == first.answer.usage
    assert answer.cache == CacheNote(hit=True, age_s=12, saved_usd=Decimal("0.000015"))
    assert answer.latency.provider_ms == 0
    assert answer.output == first.answer.output
    assert engine.queries.get(hit.query.id).answer == answer
    assert engine.journal.story == [(first.query.id, "succeeded"), (hit.query.id, "succeeded")]


def test_nobody_else_gets_a_hit(engine: QueryEngine) -> None:
    run(engine, asking())
    assert not run(engine, asking(), caller=replace(ALICE, key_id="key_bob")).answer.cache.hit
    assert run(engine, asking()).answer.cache.hit


def test_a_hit_as_old_as_the_cache_keeps_answers_is_none(engine: QueryEngine) -> None:
    run(engine, asking())
    engine.clock.sleep(3599)
    assert run(engine, asking()).answer.cache.hit
    engine.clock.sleep(1)
    assert not run(engine, asking()).answer.cache.hit


def test_no_answer_is_cached_for_longer_than_its_query_is_kept(engine: QueryEngine) -> None:
    engine.retention = timedelta(seconds=600)
    run(engine, asking())
    found = place(engine, asking())
    assert isinstance(found, CachedAnswer)
    assert found.expires_at == engine.clock.now() + timedelta(seconds=600)


def test_waiting_for_another_is_told_apart_from_overhead(engine: QueryEngine) -> None:
    answered_meanwhile(engine, asking())
    answer = run(engine, asking()).answer
    assert answer.cache.hit
    assert answer.latency.waiting_ms == pytest.approx(200)
    assert answer.latency.overhead_ms == pytest.approx(0, abs=2)


@pytest.mark.parametrize(("timeout_s", "waits_s"), [(25, 12.5), (300, 15)])
def test_nobody_waits_for_another_for_ever(engine: QueryEngine, timeout_s: float, waits_s: float) -> None:
    key = somebody_holds(engine, asking())
    outcome = run(engine, asking(timeout_s=timeout_s))
    assert outcome.answer.latency.waiting_ms == pytest.approx(waits_s * 1000, abs=150)
    assert not outcome.answer.cache.hit
    # A slow process finds the place filled.
    assert isinstance(engine.cache.port.peek(key), CachedAnswer)


def test_a_cache_that_goes_away_is_not_waited_for(engine: QueryEngine) -> None:
    somebody_holds(engine, asking())
    engine.events.append(lambda: engine.cache.faults.update(peek=AWAY))
    outcome = run(engine, asking())
    assert not outcome.answer.cache.hit
    assert outcome.answer.latency.waiting_ms <= 200


def test_who_leaves_while_waiting_for_another_calls_nobody(engine: QueryEngine) -> None:
    somebody_holds(engine, asking())
    left: list[bool] = []
    engine.events.append(lambda: left.append(True))
    outcome = run(engine, asking(), cancelled=lambda: bool(left), idempotency=idempotency())
    assert isinstance(outcome.error, QueryCancelled)
    assert engine.providers.called == []
    assert engine.gates.all_ended_once
    assert engine.keys.count("release") == 1
    assert [query.status for query in kept_queries(engine)] == [QueryStatus.CANCELLED]


# What is not cached


@pytest.mark.parametrize(
    ("finish", "cached"),
    [
        (FinishReason.STOP, True),
        (FinishReason.TOOL_CALLS, True),
        (FinishReason.LENGTH, False),
        (FinishReason.CONTENT_FILTER, False),
    ],
)
@pytest.mark.parametrize("wish", ["auto", "force", "refresh"])
def test_only_whole_answers_are_cached(engine: QueryEngine, finish: FinishReason, cached: bool, wish: Any) -> None:
    engine.providers.script("a", Says(finish=finish))
    run(engine, asking(cache=wish))
    assert isinstance(place(engine, asking()), CachedAnswer) == cached
    assert place(engine, asking()) is None or cached


def test_an_answer_of_another_candidate_is_not_cached(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderFailed("500"))
    assert run(engine, asking()).answer.provider == "b"
    assert place(engine, asking()) is None


def test_an_answer_of_the_same_provider_with_another_model_is_not_cached(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderFailed("500"), Says(text="From the small one."))
    request = asking(model="a/large", fallback=("a/small",))
    assert run(engine, request).answer.output.text == "From the small one."
    assert place(engine, request) is None


def test_a_question_without_a_deterministic_answer_is_not_cached(engine: QueryEngine) -> None:
    for parameters in (Parameters(), Parameters(temperature=0.1)):
        run(engine, question(parameters=parameters))
    assert engine.cache.asked == []


@pytest.mark.parametrize("parameters", [Parameters(temperature=0), Parameters(temperature=0.9, seed=7)])
def test_a_deterministic_one_is(engine: QueryEngine, parameters: Parameters) -> None:
    run(engine, question(parameters=parameters))
    assert run(engine, question(parameters=parameters)).answer.cache.hit


def test_what_was_erased_meanwhile_leaves_no_copy(engine: QueryEngine) -> None:
    stream = engine.asking.stream(engine.asked(asking(mode="stream")))
    opened = next(stream)
    engine.queries.erase(opened.query_id)  # type: ignore[union-attr]
    with suppress(GatewayError):
        list(stream)
    assert place(engine, asking()) is None
    assert kept_queries(engine) == []


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
    assert isinstance(outcome.error, ZeroDivisionError)
    assert engine.gates.all_ended_once
    assert not isinstance(place(engine, asking()), Pending)
    assert engine.keys.count("complete", "release") == 1


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "lease"] == []
