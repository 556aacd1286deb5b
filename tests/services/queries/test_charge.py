"""What queries take of their keys' limits and budgets, and what they leave there, whatever they meet."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.accounts import scope_of
from llm_gateway.domain.budgets import Standing
from llm_gateway.domain.chat import OutputFormat, Usage
from llm_gateway.domain.faults import (
    CircuitOpen,
    ProviderFailed,
    ProviderNotConnected,
    ProviderRateLimited,
    ProviderRejected,
)
from llm_gateway.domain.idempotency import Replayed
from llm_gateway.domain.keys import Allowed, BudgetState, KeyLimits
from llm_gateway.domain.providers import RetryPolicy
from llm_gateway.domain.queries import Query, QueryProblem, QueryStatus
from llm_gateway.domain.usage import UsageRecord
from llm_gateway.errors import (
    BudgetExceeded,
    DependencyUnavailable,
    GatewayError,
    IdempotencyConflict,
    ModelNotAllowed,
    QueryCancelled,
    RateLimited,
    UnpricedModel,
    ValidationFailed,
)

from tests.adapters.engine import provider, question
from tests.adapters.items import InMemoryItems
from tests.adapters.key_accounts import in_memory_accounts
from tests.adapters.prices import FlatPrices
from tests.adapters.query_engine import ALICE, QueryEngine, idempotency
from tests.adapters.scripted_providers import Says
from tests.services.queries.charging import (
    AWAY,
    BOTH,
    CACHEABLE,
    COST,
    LIMITED,
    SPENDING,
    is_settled,
    requests_left,
    run,
    state,
)


@pytest.fixture
def engine() -> QueryEngine:
    return QueryEngine().add(provider("a"), provider("b"))  # type: ignore[return-value]


# What is taken


def test_a_key_without_limits_and_budget_pays_nothing(engine: QueryEngine) -> None:
    run(engine, caller=ALICE)
    assert "key_accounts" not in vars(engine.gateway.outside)


def test_what_is_reserved_is_settled_by_the_exact_cost(engine: QueryEngine) -> None:
    reserved: list[BudgetState] = []
    engine.providers.otherwise = Says()
    asked = replace(engine.asked(question(), caller=BOTH), tell_room=lambda _: reserved.append(state(engine)))
    engine.run(asked)
    # The price of the bytes of the question and of 100 tokens of an answer.
    assert Decimal("0.0001") < reserved[0].reserved_usd < Decimal("0.0002")
    assert is_settled(engine, spent=COST)
    assert engine.gateway.outside.budget_events.news == []


def test_the_dearest_candidate_is_reserved() -> None:
    class ByModel(FlatPrices):
        def cost(self, kind: Any, model: Any, **how: Any) -> Decimal | None:
            plain = super().cost(kind, model, **how)
            return plain * 5 if plain and model.name == "b-model" else plain

    engine: Any = QueryEngine(prices=ByModel()).add(provider("a"), provider("b"))
    reserved: list[Decimal] = []
    told = lambda _: reserved.append(state(engine).reserved_usd)  # noqa: E731
    engine.run(replace(engine.asked(question(provider="a", fallback=()), caller=BOTH), tell_room=told))
    engine.run(replace(engine.asked(question(), caller=BOTH), tell_room=told))
    assert reserved[1] == 5 * reserved[0]


def test_the_limit_holds_and_its_refusal_leaves_no_trace(engine: QueryEngine) -> None:
    for _ in range(5):
        run(engine, caller=LIMITED)
    with pytest.raises(RateLimited) as caught:
        run(engine, caller=LIMITED, idempotency=idempotency())
    assert caught.value.retry_after_s == pytest.approx(60)
    assert engine.keys.count("claim") == engine.keys.count("release") == 1
    assert engine.gates.all_ended_once
    assert len(engine.queries.port._stored) == 5
    engine.clock.sleep(caught.value.retry_after_s or 0)
    run(engine, caller=LIMITED)


def test_the_budget_holds(engine: QueryEngine) -> None:
    engine.providers.otherwise = Says(usage=Usage(input_tokens=10, output_tokens=140))
    for _ in range(6):
        run(engine, caller=SPENDING)
    with pytest.raises(BudgetExceeded) as caught:
        run(engine, caller=SPENDING)
    assert state(engine).spent_usd == Decimal("0.0009")
    assert caught.value.retry_after_s == pytest.approx(12 * 3600, abs=5)
    assert [news.percent for news in engine.gateway.outside.budget_events.news] == [80, 100]


def test_a_query_that_is_larger_than_the_keys_tokens_is_refused_before_anything_is_taken(engine: QueryEngine) -> None:
    small = replace(ALICE, limits=KeyLimits(tokens_per_minute=100))
    with pytest.raises(ValidationFailed) as caught:
        run(engine, question("Say hello. " * 30), caller=small)
    assert caught.value.errors[0].field == "messages"
    assert engine.queries.asked == []


def test_tokens_are_settled_by_usage(engine: QueryEngine) -> None:
    small = replace(ALICE, limits=KeyLimits(tokens_per_minute=2_000))
    for _ in range(12):
        run(engine, caller=small)
    engine.providers.otherwise = Says(usage=Usage(input_tokens=10, output_tokens=390))
    run(engine, caller=small)
    with pytest.raises(RateLimited):
        run(engine, caller=small)


def test_an_account_that_cannot_be_asked_lets_nobody_pass(engine: QueryEngine) -> None:
    engine.gateway.outside.key_accounts = in_memory_accounts(engine.clock, items=InMemoryItems(fault=AWAY))
    with pytest.raises(DependencyUnavailable):
        run(engine, idempotency=idempotency())
    assert engine.providers.called == []
    assert engine.keys.count("release") == 1
    with pytest.raises(DependencyUnavailable):
        engine.accept(engine.asked(question(mode="async"), caller=BOTH))


# What costs nothing


def test_a_cached_answer_is_a_request_and_costs_nothing(engine: QueryEngine) -> None:
    run(engine, question(parameters=CACHEABLE))
    hit = run(engine, question(parameters=CACHEABLE))
    assert hit.answer is not None
    assert hit.answer.cache.hit
    assert is_settled(engine, spent=COST)
    assert requests_left(engine) == 2


def test_a_cached_answer_is_given_when_the_budget_is_spent(engine: QueryEngine) -> None:
    engine.providers.script("a", Says(usage=Usage(input_tokens=10, output_tokens=980)))
    run(engine, question(parameters=CACHEABLE))
    with pytest.raises(BudgetExceeded):
        run(engine)
    hit = run(engine, question(parameters=CACHEABLE))
    assert hit.answer is not None
    assert hit.answer.cache.hit
    # Two answers and the question whose room is told: the one that was refused has taken nothing.
    assert requests_left(engine) == 2


def test_a_cached_answer_is_refused_where_no_request_is_left(engine: QueryEngine) -> None:
    run(engine, question(parameters=CACHEABLE))
    for _ in range(4):
        run(engine)
    with pytest.raises(RateLimited):
        run(engine, question(parameters=CACHEABLE))


def test_a_replay_is_outside_the_limits(engine: QueryEngine) -> None:
    first = run(engine, idempotency=idempotency())
    for _ in range(4):
        run(engine)
    with pytest.raises(RateLimited):
        run(engine)
    again = engine.asking.run(engine.asked(question(), caller=BOTH, idempotency=idempotency()))
    assert isinstance(again, Replayed)
    assert again.made.id == first.id
    assert is_settled(engine, spent=5 * COST)


def test_a_replay_with_room_takes_nothing(engine: QueryEngine) -> None:
    run(engine, idempotency=idempotency())
    for _ in range(3):
        engine.asking.run(engine.asked(question(), caller=BOTH, idempotency=idempotency()))
    with pytest.raises(IdempotencyConflict):
        run(engine, idempotency=idempotency(fingerprint="another"))
    assert is_settled(engine, spent=COST)
    assert requests_left(engine) == 3


@pytest.mark.parametrize("fault", [ProviderFailed, ProviderRejected, ProviderRateLimited, ProviderNotConnected])
def test_what_failed_for_free_costs_nothing_and_was_a_request(
    engine: QueryEngine, fault: Callable[[str], Exception]
) -> None:
    engine.providers.script("a", fault("It failed."))
    with pytest.raises(GatewayError):
        run(engine, question(provider="a", fallback=()))
    assert is_settled(engine, spent=Decimal(0))
    assert requests_left(engine) == 3


def test_what_no_gate_let_through_was_no_request(engine: QueryEngine) -> None:
    engine.gates.refusals["a"] = [CircuitOpen("It is left alone.", retry_after_s=9)]
    with pytest.raises(GatewayError):
        run(engine, question(provider="a", fallback=()))
    assert is_settled(engine, spent=Decimal(0))
    assert requests_left(engine) == 4


# What several calls cost


def test_a_query_that_is_failed_over_costs_every_call(engine: QueryEngine) -> None:
    bad = ProviderRateLimited("Full.")
    bad.usage = Usage(input_tokens=20)
    engine.providers.script("a", bad)
    run(engine)
    assert is_settled(engine, spent=COST + Decimal("0.00002"))


JSON = OutputFormat(type="json_schema", schema={"type": "object", "required": ["n"]})


def test_a_query_that_is_mended_costs_both_calls(engine: QueryEngine) -> None:
    engine.providers.script("a", Says(text="[]"), Says(text='{"n": 1}'))
    run(engine, question(output=JSON, provider="a", fallback=()))
    assert is_settled(engine, spent=2 * COST)


def test_a_further_call_that_does_not_fit_is_not_made(engine: QueryEngine) -> None:
    engine.providers.script("a", Says(text="[]", usage=Usage(input_tokens=10, output_tokens=890)))
    with pytest.raises(BudgetExceeded) as caught:
        run(engine, question(output=JSON, provider="a", fallback=()))
    assert len(engine.providers.called) == 1
    assert [attempt.cost_usd for attempt in caught.value.attempts] == [Decimal("0.0009")]
    assert is_settled(engine, spent=Decimal("0.0009"))


def test_a_try_after_one_that_was_free_reserves_no_more() -> None:
    engine: Any = QueryEngine().add(provider("a", retry=RetryPolicy(max_attempts=3)))
    engine.providers.script("a", ProviderFailed("500"), ProviderFailed("500"))
    run(engine)
    assert len(engine.providers.called) == 3
    assert is_settled(engine, spent=COST)


def test_a_cancelled_query_costs_what_was_generated(engine: QueryEngine) -> None:
    engine.providers.otherwise = Says(text="one two three four")
    items = engine.asking.stream(engine.asked(question(mode="stream"), caller=BOTH))
    next(items)
    next(items)
    items.close()
    stood = state(engine)
    assert stood.reserved_usd == 0
    assert 0 < stood.spent_usd < COST


@pytest.mark.parametrize("mode", ["sync", "stream"])
def test_a_query_cancelled_between_two_tries_costs_what_the_first_one_did(mode: Any) -> None:
    engine: Any = QueryEngine().add(provider("a", retry=RetryPolicy(max_attempts=3)))
    left: list[bool] = []
    engine.events.append(lambda: left.append(True))  # While it waits for its next try.
    engine.providers.script("a", ProviderFailed("500", usage=Usage(input_tokens=30)))
    asked = engine.asked(question(mode=mode), caller=BOTH, cancelled=lambda: bool(left))
    with pytest.raises(QueryCancelled):
        engine.run(asked) if mode == "sync" else list(engine.asking.stream(asked))
    assert len(engine.providers.called) == 1
    assert is_settled(engine, spent=Decimal("0.00003"))
    (ended,) = engine.queries.port.all()
    counted = UsageRecord.of(ended)
    assert (ended.status, counted.cost_usd, counted.group.provider) == (
        QueryStatus.CANCELLED,
        Decimal("0.00003"),
        "a",
    )
    assert [call.cost_usd for call in engine.journal.calls] == [Decimal("0.00003")]


# Absurd figures


@pytest.mark.parametrize("output_tokens", [10**46, 10**12])
def test_an_absurd_usage_costs_no_more_than_was_reserved(engine: QueryEngine, output_tokens: int) -> None:
    engine.providers.script("a", Says(usage=Usage(input_tokens=10, output_tokens=output_tokens)))
    both = replace(BOTH, limits=KeyLimits(requests_per_minute=5, burst=5, tokens_per_minute=10_000))
    run(engine, caller=both)
    stood = state(engine)
    assert stood.reserved_usd == 0
    assert Decimal("0.0001") < stood.spent_usd < Decimal("0.0002")
    run(engine, caller=both)


def test_a_negative_cost_frees_nothing() -> None:
    class Generous(FlatPrices):
        def cost(self, kind: Any, model: Any, *, usage: Usage, **how: Any) -> Decimal | None:
            plain = super().cost(kind, model, usage=usage, **how)
            return -plain if plain and usage.output_tokens == 5 else plain

    engine: Any = QueryEngine(prices=Generous()).add(provider("a"))
    run(engine)
    assert state(engine).spent_usd > 0


# Prices and permissions


def test_under_a_budget_those_without_a_price_are_passed_over() -> None:
    engine: Any = QueryEngine(prices=FlatPrices("a-model")).add(provider("a"), provider("b"))
    query = run(engine)
    assert query.answer is not None
    assert [(each.provider, each.outcome.value, each.error_code) for each in query.answer.attempts] == [
        ("a", "skipped", "unpriced_model"),
        ("b", "ok", None),
    ]
    named = run(engine, question(provider="a", fallback=("b",)))
    assert named.answer is not None
    assert named.answer.provider == "b"
    with pytest.raises(UnpricedModel):
        run(engine, question(provider="a", fallback=()))
    assert run(engine, question(provider="a", fallback=()), caller=LIMITED).answer


def test_a_key_may_ask_what_has_no_price_where_it_says_so() -> None:
    engine: Any = QueryEngine(prices=FlatPrices("a-model")).add(provider("a"))
    assert SPENDING.budget_usd is not None
    caller = replace(SPENDING, budget_usd=replace(SPENDING.budget_usd, allow_unpriced=True))
    assert run(engine, caller=caller).answer
    assert is_settled(engine, spent=Decimal(0))


ALLOWED = {
    "everything": (Allowed(), "a", []),
    "a provider": (Allowed(providers=("b",)), "b", [("a", "model_not_allowed")]),
    "a model": (Allowed(models=("b-model",)), "b", [("a", "model_not_allowed")]),
    "models that begin so": (Allowed(models=("b-*",)), "b", [("a", "model_not_allowed")]),
    "another provider's model": (Allowed(providers=("b",), models=("a-model",)), None, []),
    "no provider": (Allowed(providers=()), None, []),
    "no model": (Allowed(models=()), None, []),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_who_is_not_allowed_is_passed_over(engine: QueryEngine, what: str) -> None:
    allow, answering, skipped = ALLOWED[what]
    caller = replace(ALICE, allow=allow)
    if answering is None:
        with pytest.raises(ModelNotAllowed):
            run(engine, caller=caller)
        return
    query = run(engine, caller=caller)
    assert query.answer is not None
    assert query.answer.provider == answering
    assert [(each.provider, each.error_code) for each in query.answer.attempts if each.error_code] == skipped


@pytest.mark.parametrize(
    "named", [{"provider": "a"}, {"model": "a/a-model"}, {"model": "a-model"}, {"provider": "a", "fallback": ("b",)}]
)
def test_what_is_named_must_be_allowed(engine: QueryEngine, named: dict[str, Any]) -> None:
    with pytest.raises(ModelNotAllowed) as caught:
        run(engine, question(**named), caller=replace(ALICE, allow=Allowed(providers=("b",))))
    assert (caught.value.status, caught.value.code) == (403, "model_not_allowed")
    assert engine.providers.called == []


def test_a_fallback_that_is_not_allowed_is_passed_over(engine: QueryEngine) -> None:
    engine.providers.script("a", ProviderFailed("500"))
    with pytest.raises(GatewayError) as caught:
        run(engine, question(provider="a", fallback=("b",)), caller=replace(ALICE, allow=Allowed(providers=("a",))))
    assert [(each.provider, each.outcome.value) for each in caught.value.attempts] == [("a", "error"), ("b", "skipped")]


# Later


def queued(engine: QueryEngine, **how: Any) -> Query:
    return engine.accept(engine.asked(question(**{"mode": "async", **how}), caller=BOTH))


def test_a_query_for_later_reserves_when_it_is_accepted_and_is_settled_at_its_end(engine: QueryEngine) -> None:
    query = queued(engine)
    assert query.taken is not None
    assert state(engine).reserved_usd > COST
    engine.worker.process(engine.delivery(query.id))
    assert engine.queries.get(query.id).status is QueryStatus.SUCCEEDED
    assert is_settled(engine, spent=COST)


def test_the_limit_is_the_callers_when_it_asks_for_later(engine: QueryEngine) -> None:
    for _ in range(5):
        queued(engine)
    with pytest.raises(RateLimited):
        queued(engine)
    assert len(engine.queries.port._stored) == 5


def test_a_replayed_acceptance_takes_nothing(engine: QueryEngine) -> None:
    for _ in range(3):
        engine.asking.accept(engine.asked(question(mode="async"), caller=BOTH, idempotency=idempotency()))
    assert len(Standing.of(_item(engine)).held) == 1
    assert requests_left(engine) == 3


def test_an_acceptance_that_fails_gives_all_back(engine: QueryEngine) -> None:
    engine.queries.faults["add"] = AWAY
    with pytest.raises(DependencyUnavailable):
        queued(engine)
    engine.queries.faults.clear()
    assert is_settled(engine, spent=Decimal(0))
    assert requests_left(engine) == 4


@pytest.mark.parametrize("how", ["cancelled", "buried", "erased"])
def test_a_queued_query_that_ends_unanswered_frees_what_it_reserved(engine: QueryEngine, how: str) -> None:
    query = queued(engine)
    if how == "cancelled":
        engine.reading.cancel(query.id, caller=BOTH)
    elif how == "erased":
        engine.reading.erase(query.id, caller=BOTH)
    else:
        engine.closing.bury(query.id, problem=QueryProblem(status=503, code="x", title="x", detail="x"))
    assert is_settled(engine, spent=Decimal(0))
    assert requests_left(engine) == 3


def test_each_try_of_a_query_for_later_costs_what_it_costs(engine: QueryEngine) -> None:
    costly = ProviderFailed("500")
    costly.usage = Usage(input_tokens=30)
    engine.providers.script("a", costly)
    engine.providers.script("b", ProviderFailed("500"))
    query = queued(engine)
    with suppress(Exception):
        engine.worker.process(engine.delivery(query.id))
    stood = state(engine)
    assert stood.spent_usd == Decimal("0.00003")
    assert stood.reserved_usd > COST
    engine.worker.process(engine.delivery(query.id, count=2))
    assert is_settled(engine, spent=COST + Decimal("0.00003"))


def test_an_overdue_query_frees_what_it_reserved_when_it_is_erased(engine: QueryEngine) -> None:
    query = queued(engine, timeout_s=60)
    engine.clock.sleep(61)
    # It reads as failed, but nobody has ended it yet.
    assert engine.reading.summary(query.id, caller=BOTH).status is QueryStatus.FAILED
    assert state(engine).reserved_usd > 0
    engine.reading.erase(query.id, caller=BOTH)
    assert is_settled(engine, spent=Decimal(0))


def test_a_query_whose_time_was_up_before_anybody_took_it_frees_what_it_reserved(engine: QueryEngine) -> None:
    query = queued(engine, timeout_s=60)
    engine.clock.sleep(61)
    assert state(engine).reserved_usd > 0
    engine.worker.process(engine.delivery(query.id))
    assert engine.queries.get(query.id).status is QueryStatus.FAILED
    assert is_settled(engine, spent=Decimal(0))


def test_a_query_for_later_is_reserved_for_as_long_as_it_may_take(engine: QueryEngine) -> None:
    query = queued(engine, timeout_s=60)
    engine.clock.sleep(59)
    engine.providers.script("a", Says(after_s=59))
    engine.worker.process(engine.delivery(query.id))
    assert len(engine.providers.called) == 1
    assert is_settled(engine, spent=COST)


def test_a_query_for_later_that_nobody_can_be_asked_for_any_more_frees_what_it_reserved(engine: QueryEngine) -> None:
    query = queued(engine, provider="a", fallback=())
    engine.store.delete("a", expected_revision=None)
    engine.worker.process(engine.delivery(query.id))
    assert engine.queries.get(query.id).status is QueryStatus.FAILED
    assert is_settled(engine, spent=Decimal(0))


def test_a_query_for_later_keeps_the_terms_it_was_accepted_under(engine: QueryEngine) -> None:
    query = engine.accept(engine.asked(question(mode="async"), caller=replace(ALICE, allow=Allowed(providers=("b",)))))
    engine.worker.process(engine.delivery(query.id))
    ended = engine.queries.get(query.id)
    assert ended.answer.provider == "b"


def test_a_query_for_later_of_a_plain_key_keeps_nothing(engine: QueryEngine) -> None:
    query = engine.accept(engine.asked(question(mode="async")))
    assert (query.terms, query.taken) == (None, None)


def _item(engine: QueryEngine) -> Any:
    scope = scope_of(ALICE.key_id)
    return engine.gateway.outside.key_accounts._items.read([scope])[scope]
