"""Idempotency keys in booking and closing: what uses one up, and what frees it."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from llm_gateway.domain.chat import FinishReason
from llm_gateway.domain.faults import CallTooLarge, ProviderFailed, ProviderRateLimited, ProviderRejected
from llm_gateway.domain.idempotency import Replayed
from llm_gateway.domain.keys import Allowed, Caller, KeyLimits
from llm_gateway.domain.queries import QueryRequest, StoredProblem
from llm_gateway.errors import (
    DependencyUnavailable,
    GatewayError,
    IdempotencyConflict,
    ModelNotAllowed,
    ProviderNotFound,
    QueryInProgress,
    UnsupportedParameter,
    ValidationFailed,
)
from llm_gateway.services.queries.closing import NOT_STORED

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import ALICE, QueryEngine, idempotency
from tests.adapters.scripted_providers import Says
from tests.services.queries.booked import (
    AWAY,
    Outcome,
    asking,
    forget_calls,
    run,
)

pytestmark = pytest.mark.usefixtures("no_lease_is_left")


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"), provider("b"))  # type: ignore[return-value]


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


# What was answered stays answered


def _without_its_provider(engine: QueryEngine) -> Caller:
    engine.store.delete("a", expected_revision=None)
    return ALICE


def _with_a_smaller_limit(_: QueryEngine) -> Caller:
    return replace(ALICE, limits=KeyLimits(tokens_per_minute=10))


def _without_leave(_: QueryEngine) -> Caller:
    return replace(ALICE, allow=Allowed(models=("another",)))


REFUSED_BY_NOW = pytest.mark.parametrize(
    "change", [_without_its_provider, _with_a_smaller_limit, _without_leave], ids=lambda change: change.__name__
)


def only_a() -> QueryRequest:
    return asking(provider="a", fallback=())


@REFUSED_BY_NOW
@pytest.mark.parametrize("stored", [False, True], ids=["sync", "stream"])
def test_what_would_be_refused_by_now_is_answered_as_it_was(
    engine: QueryEngine, change: Callable[[QueryEngine], Caller], stored: bool
) -> None:
    first = run(engine, only_a(), stored=stored, idempotency=idempotency())
    caller = change(engine)
    forget_calls(engine)
    again = run(engine, only_a(), stored=stored, idempotency=idempotency(), caller=caller)
    assert (again.replayed, again.answer) == (True, first.answer)
    assert engine.keys.asked == ["find"]
    other = run(engine, only_a(), stored=stored, idempotency=idempotency(fingerprint="another"), caller=caller)
    assert isinstance(other.error, IdempotencyConflict)
    assert engine.providers.called == []


@REFUSED_BY_NOW
def test_a_failure_under_a_key_is_told_again_though_its_request_would_be_refused_by_now(
    engine: QueryEngine, change: Callable[[QueryEngine], Caller]
) -> None:
    engine.providers.script("a", ProviderRejected("No."))
    first = run(engine, only_a(), idempotency=idempotency())
    again = run(engine, only_a(), idempotency=idempotency(), caller=change(engine)).error
    assert isinstance(first.error, ProviderRejected)
    assert isinstance(again, StoredProblem)
    assert (again.code, again.query_id) == (first.error.code, first.error.query_id)


@REFUSED_BY_NOW
@pytest.mark.parametrize("key", ["none", "unused", "out of reach"])
def test_what_is_refused_without_an_earlier_answer_stays_refused_and_its_key_free(
    engine: QueryEngine, change: Callable[[QueryEngine], Caller], key: str
) -> None:
    caller = change(engine)
    if key == "out of reach":
        engine.keys.faults["find"] = AWAY
    used = None if key == "none" else idempotency()
    refused = run(engine, only_a(), idempotency=used, caller=caller).error
    assert isinstance(refused, ProviderNotFound | ValidationFailed | ModelNotAllowed)
    assert engine.keys.asked == ([] if key == "none" else ["find"])
    answered = run(engine, asking(provider="b", fallback=()), idempotency=used)
    assert not answered.replayed
    assert answered.answer.provider == "b"


def test_an_accepted_query_is_promised_again_though_it_would_be_refused_by_now(engine: QueryEngine) -> None:
    request = replace(only_a(), mode="async")
    first = engine.accept(engine.asked(request, idempotency=idempotency()))
    again = engine.asking.accept(engine.asked(request, idempotency=idempotency(), caller=_without_its_provider(engine)))
    assert isinstance(again, Replayed)
    assert again.made.id == first.id
    assert len(engine.queue.sent) == 1
