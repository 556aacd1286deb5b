"""Asking for embeddings: one model, in calls that it takes, tried again and elsewhere, within limits and budgets."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from threading import Event, Semaphore, Thread
from typing import Any

import pytest
from llm_gateway.bootstrap import Gateway
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.embeddings import Embedded, EmbeddingQuery
from llm_gateway.domain.faults import (
    CallCancelled,
    CircuitOpen,
    ProviderAuthFailed,
    ProviderDisabled,
    ProviderFailed,
    ProviderFault,
    ProviderNotConnected,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
    ProviderResponseInvalid,
    ProviderTimeout,
)
from llm_gateway.domain.keys import Allowed, Budget, KeyLimits, Period
from llm_gateway.domain.providers import (
    ModelConfig,
    ProviderConfig,
    ProviderCredentials,
    ProviderKind,
    ProviderLimits,
    RetryPolicy,
)
from llm_gateway.domain.queries import AttemptOutcome
from llm_gateway.domain.terms import Terms
from llm_gateway.errors import (
    AnswerLost,
    BudgetExceeded,
    ContextWindowExceeded,
    DeadlineExceeded,
    DependencyUnavailable,
    GatewayError,
    ModelNotAllowed,
    ModelNotListed,
    NoProviderAvailable,
    ProviderNotFound,
    RateLimited,
    UnpricedModel,
    UnsupportedParameter,
    ValidationFailed,
)
from llm_gateway.services.together import Beside
from llm_gateway.settings import Settings

from tests.adapters.clock import FakeClock
from tests.adapters.embedding_providers import EmbeddingProviders
from tests.adapters.engine import provider, with_key
from tests.adapters.outside import FakeOutside
from tests.adapters.prices import FlatPrices
from tests.stores.values import api_key

MODEL = "embedder"
TEXTS = ("one", "two words", "three little words")
OWNER = "key_01"


def lists(provider_id: str, *aliases: str, model: str = MODEL, **changes: Any) -> ProviderConfig:
    models = (ModelConfig(name=model, aliases=aliases),)
    return provider(provider_id, models=models, default_model=model, **changes)


class Desk:
    """The service with scripted providers, and what it wrote down."""

    def __init__(self, *configs: ProviderConfig, prices: FlatPrices | None = None) -> None:
        self.clock = FakeClock()
        self.models = EmbeddingProviders(clock=self.clock)
        self.outside = FakeOutside(clock=self.clock, models=self.models, prices=prices or FlatPrices())
        self.rooms: list[Any] = []
        for config in configs:
            self.outside.provider_store.add(config)
            if config.credentials:
                self.outside.credentials.put(config.id, ProviderCredentials(api_key="old"))
        self.service = Gateway(Settings.from_environment({}), self.outside).embeddings

    def ask(self, *texts: str, **changes: Any) -> Embedded:
        return self.service.embed(self.asked(*texts, **changes))

    def asked(self, *texts: str, **changes: Any) -> EmbeddingQuery:
        asked = EmbeddingQuery(
            id="qry_01J00000000000000000000001",
            owner=OWNER,
            texts=texts or TEXTS,
            model=MODEL,
            ends_s=self.clock.monotonic_s() + 25,
            timeout_s=25,
            tell_room=self.rooms.append,
        )
        return replace(asked, **changes)

    def refused(self, *texts: str, **changes: Any) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            self.ask(*texts, **changes)
        return caught.value

    @property
    def batches(self) -> list[int]:
        return [len(request.texts) for _, request in self.models.asked]


def test_vectors_come_back_in_the_order_of_the_texts() -> None:
    desk = Desk(lists("a"))

    found = desk.ask()

    assert [vector[0] for vector in found.vectors] == [3.0, 9.0, 18.0]
    assert (found.provider, found.model, found.usage) == ("a", MODEL, Usage(input_tokens=6))
    assert found.cost_usd == Decimal("0.000006")
    assert [(one.provider, one.model, one.outcome) for one in found.attempts] == [("a", MODEL, AttemptOutcome.OK)]


class Failing:
    """A port whose `settle` fails once what it should settle is paid for."""

    def __init__(self, port: Any) -> None:
        self.port = port

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    def settle(self, *_: object) -> None:
        raise DependencyUnavailable("It cannot be reached.")


@pytest.mark.parametrize("what", ["gates", "key_accounts"])
def test_what_fails_once_they_are_paid_for_keeps_no_vectors_back(what: str) -> None:
    desk = Desk(lists("a"), lists("b"))
    setattr(desk.outside, what, Failing(getattr(desk.outside, what)))
    desk.service = Gateway(Settings.from_environment({}), desk.outside).embeddings
    found = desk.ask(terms=Terms(limits=KeyLimits(tokens_per_minute=1000)))
    assert [vector[0] for vector in found.vectors] == [3.0, 9.0, 18.0]
    assert desk.models.order == ["a"]


def test_many_texts_are_several_calls_and_one_attempt() -> None:
    desk = Desk(lists("a"))
    texts = tuple("x" * (number + 1) for number in range(150))

    found = desk.ask(*texts)

    assert sorted(desk.batches) == [22, 64, 64]
    assert [vector[0] for vector in found.vectors] == [float(len(text)) for text in texts]
    assert found.usage == Usage(input_tokens=150)
    assert found.cost_usd == Decimal("0.000150")
    assert len(found.attempts) == 1


def test_a_model_that_takes_one_text_a_call_is_called_for_each() -> None:
    desk = Desk(lists("a", model="amazon.titan-embed-text-v2:0", kind=ProviderKind.BEDROCK))

    found = desk.ask(*map(str, range(20)), model="amazon.titan-embed-text-v2:0", dimensions=4)

    assert desk.batches == [1] * 20
    assert {len(vector) for vector in found.vectors} == {4}


def test_another_provider_of_the_same_model_is_asked_next() -> None:
    desk = Desk(lists("a"), lists("b"), lists("c", model="another"))
    desk.models.script("a", lambda: ProviderFailed("It failed."))

    found = desk.ask()

    assert desk.models.order == ["a", "b"]
    assert found.provider == "b"
    assert [(one.provider, one.error_code) for one in found.attempts] == [("a", "provider_error"), ("b", None)]


def test_an_alias_never_leads_to_two_models() -> None:
    desk = Desk(lists("a", "embed", model="first"), lists("b", "embed", model="second"))
    desk.models.script("a", lambda: ProviderFailed("It failed."))

    assert isinstance(desk.refused(model="embed"), ProviderFailed)
    assert desk.models.order == ["a"]


def test_chance_does_not_choose_the_model() -> None:
    same = {"priority": 1}
    for draw in (0.1, 0.9):
        desk = Desk(lists("a", "embed", model="first", **same), lists("b", "embed", model="second", **same))
        desk.outside.draw = lambda draw=draw: draw  # type: ignore[misc]
        assert desk.ask(model="embed").model == "first"


def test_a_named_provider_is_asked_alone() -> None:
    desk = Desk(lists("a"), lists("b"))
    desk.models.script("b", lambda: ProviderFailed("It failed."))

    assert isinstance(desk.refused(model=f"b/{MODEL}"), ProviderFailed)
    assert desk.models.order == ["b"]
    assert desk.ask(provider="b").provider == "b"


def test_it_is_tried_again_where_that_helps() -> None:
    desk = Desk(lists("a", retry=RetryPolicy(max_attempts=3)))
    desk.models.script("a", lambda: ProviderRateLimited("Full.", retry_after_s=2), lambda: ProviderFailed("It failed."))
    started_s = desk.clock.monotonic_s()

    found = desk.ask()

    assert [one.outcome.value for one in found.attempts] == ["error", "error", "ok"]
    assert desk.clock.monotonic_s() - started_s >= 2


@pytest.mark.parametrize("fault", [ProviderRefused("No."), ProviderResponseInvalid("Odd.", complete=True)])
def test_it_is_not_tried_again_where_that_does_not_help(fault: Exception) -> None:
    desk = Desk(lists("a", retry=RetryPolicy(max_attempts=3)))
    desk.models.script("a", lambda: fault)
    assert desk.refused() is fault
    assert len(desk.models.asked) == 1


def test_a_rejected_request_is_nobody_elses() -> None:
    desk = Desk(lists("a"), lists("b"))
    desk.models.script("a", lambda: ProviderRejected("Not so."))
    assert isinstance(desk.refused(), ProviderRejected)
    assert desk.models.order == ["a"]


def test_where_several_fail_it_says_what_each_met() -> None:
    desk = Desk(lists("a"), lists("b"))
    desk.models.script("a", lambda: ProviderFailed("It failed."))
    desk.models.script("b", lambda: ProviderRateLimited("Full.", retry_after_s=9))

    error = desk.refused()

    assert isinstance(error, NoProviderAvailable)
    assert "a: It failed; b: Full." in error.detail
    assert [one.provider for one in error.attempts] == ["a", "b"]


@pytest.mark.parametrize("fault", [CircuitOpen("Open.", retry_after_s=9), ProviderNotConnected("Nobody listens.")])
def test_one_that_cannot_be_called_is_nobody(fault: ProviderFault) -> None:
    desk = Desk(lists("a", retry=RetryPolicy(max_attempts=1)))
    desk.models.script("a", lambda: fault)

    error = desk.refused()

    assert isinstance(error, NoProviderAvailable)
    assert error.provider == "a"
    assert (error.detail, error.retry_after_s) == (f"No provider could answer. a: {fault.detail}", fault.retry_after_s)


def test_where_all_are_at_their_limit_it_says_when_one_is_not() -> None:
    desk = Desk(lists("a"), lists("b"))
    for name, wait_s in (("a", 20), ("b", 30)):
        desk.models.script(name, lambda wait_s=wait_s: ProviderRateLimited("Full.", retry_after_s=wait_s))

    error = desk.refused()

    assert isinstance(error, ProviderRateLimited)
    assert error.retry_after_s == 20


def test_vectors_of_two_lengths_are_no_answer() -> None:
    desk = Desk(lists("a"))
    lengths = iter((2, 3))
    desk.models.script(
        "a", lambda: desk.models.dimensions.update(a=next(lengths)), lambda: desk.models.dimensions.update(a=3)
    )
    assert isinstance(desk.refused(*["x"] * 65), ProviderResponseInvalid)


def test_a_key_that_was_renewed_is_used_at_once() -> None:
    desk = Desk(with_key("a", models=(ModelConfig(name=MODEL),)))

    def renewed() -> Exception:
        desk.outside.credentials.put("a", ProviderCredentials(api_key="new"))
        return ProviderAuthFailed("No.")

    desk.models.script("a", renewed)

    assert desk.ask().vectors
    assert [one.api_key for one in desk.models.credentials if one] == ["old", "new"]


def test_a_key_that_stays_wrong_is_not_tried_twice() -> None:
    desk = Desk(with_key("a", models=(ModelConfig(name=MODEL),)))
    desk.models.script("a", lambda: ProviderAuthFailed("No."))
    assert isinstance(desk.refused(), ProviderAuthFailed)
    assert len(desk.models.asked) == 1


def test_time_that_is_up_is_told() -> None:
    desk = Desk(lists("a"))
    assert isinstance(desk.refused(ends_s=desk.clock.monotonic_s()), DeadlineExceeded)
    assert desk.models.asked == []


def test_nobody_is_waited_for_beyond_the_time() -> None:
    desk = Desk(lists("a", retry=RetryPolicy(max_attempts=3)))
    desk.models.script("a", lambda: ProviderRateLimited("Full.", retry_after_s=60))
    assert isinstance(desk.refused(), ProviderRateLimited)
    assert len(desk.models.asked) == 1


def test_what_nobody_wants_is_not_asked() -> None:
    desk = Desk(lists("a"))
    assert isinstance(desk.refused(cancelled=lambda: True), CallCancelled)
    assert desk.models.asked == []


def test_what_nobody_wants_any_more_is_not_tried_again() -> None:
    desk = Desk(lists("a", retry=RetryPolicy(max_attempts=3)))
    desk.models.script("a", lambda: ProviderRateLimited("Full.", retry_after_s=5))
    assert isinstance(desk.refused(cancelled=lambda: bool(desk.models.asked)), CallCancelled)
    assert len(desk.models.asked) == 1


def test_an_unforeseen_failure_ends_as_one_and_is_noted() -> None:
    desk = Desk(lists("a"))
    desk.models.script("a", lambda: ZeroDivisionError())
    error = desk.refused()
    assert (type(error), type(error.__cause__)) == (GatewayError, ZeroDivisionError)
    assert [(attempt.outcome, attempt.error_code) for attempt in error.attempts] == [("error", "internal_error")]
    assert desk.outside.gates.state(desk.outside.provider_store.get("a")) is not None


def test_an_unforeseen_failure_beside_vectors_that_are_paid_for_is_told_as_such() -> None:
    desk = Desk(lists("a"))
    desk.models.script("a", lambda: None, lambda: ZeroDivisionError())
    # More than one call takes.
    error = desk.refused(*("x" for _ in range(65)))
    assert isinstance(error, AnswerLost)
    assert {attempt.outcome for attempt in error.attempts} == {"ok", "error"}


@pytest.mark.parametrize(
    ("texts", "changes", "kind", "field"),
    [
        ((" ",), {}, ValidationFailed, "input[0]"),
        (("x",) * 2049, {}, ValidationFailed, "input"),
        (("x",), {"model": "unheard-of"}, ModelNotListed, "model"),
        (("x",), {"provider": "nobody"}, ProviderNotFound, None),
    ],
)
def test_what_cannot_be_asked_is_named(texts: tuple[str, ...], changes: dict, kind: type, field: str | None) -> None:
    error = Desk(lists("a")).refused(*texts, **changes)
    assert type(error) is kind
    assert [one.field for one in error.errors][:1] == ([field] if field else [])


@pytest.mark.parametrize(
    ("config", "changes", "kind", "field"),
    [
        (lists("a", kind=ProviderKind.ANTHROPIC), {}, UnsupportedParameter, "model"),
        (lists("a", kind=ProviderKind.LLAMA_CPP), {"dimensions": 5}, UnsupportedParameter, "dimensions"),
        (
            lists("a", model="text-embedding-ada-002", kind=ProviderKind.OPENAI),
            {"dimensions": 5, "model": "text-embedding-ada-002"},
            UnsupportedParameter,
            "dimensions",
        ),
        (
            lists("a", model="text-embedding-3-small", kind=ProviderKind.OPENAI),
            {"texts": ("x", "y" * 80_000), "model": "text-embedding-3-small"},
            ContextWindowExceeded,
            "input[1]",
        ),
        (lists("a", enabled=False), {"provider": "a"}, ProviderDisabled, None),
        (lists("a"), {"terms": Terms(allow=Allowed(models=("other",)))}, ModelNotAllowed, None),
    ],
)
def test_who_cannot_take_the_texts_says_why(
    config: ProviderConfig, changes: dict, kind: type, field: str | None
) -> None:
    desk = Desk(config)
    error = desk.refused(**changes)
    assert type(error) is kind
    assert [one.field for one in error.errors] == ([field] if field else [])
    assert desk.models.asked == []


def test_a_window_that_an_operator_set_holds() -> None:
    config = provider("a", models=(ModelConfig(name=MODEL, context_window=10),), default_model=MODEL)
    assert isinstance(Desk(config).refused("x" * 1_000), ContextWindowExceeded)


BUDGET = Budget(amount=Decimal("0.01"), period=Period.DAY)


def state_of(desk: Desk, budget: Budget = BUDGET) -> Any:
    return desk.outside.key_accounts.state(api_key(OWNER, budget_usd=budget))


def test_what_was_used_is_taken_of_the_budget_and_nothing_else() -> None:
    desk = Desk(lists("a"))

    desk.ask(terms=Terms(budget=BUDGET))

    state = state_of(desk)
    assert (state.spent_usd, state.reserved_usd) == (Decimal("0.000006"), 0)


def test_a_budget_that_is_spent_refuses() -> None:
    desk = Desk(lists("a"))
    desk.models.script("a", lambda: Usage(input_tokens=10_000))
    terms = Terms(budget=BUDGET)
    desk.ask(terms=terms)
    assert isinstance(desk.refused(terms=terms), BudgetExceeded)
    assert len(desk.models.asked) == 1


def test_a_model_without_a_price_is_refused_under_a_budget_that_wants_one() -> None:
    desk = Desk(lists("a"), prices=FlatPrices(MODEL))
    assert isinstance(desk.refused(terms=Terms(budget=BUDGET)), UnpricedModel)
    found = desk.ask(terms=Terms(budget=replace(BUDGET, allow_unpriced=True)))
    assert found.cost_usd is None


def test_a_key_at_its_limit_waits() -> None:
    desk = Desk(lists("a"))
    terms = Terms(limits=KeyLimits(requests_per_minute=1, burst=1))
    desk.ask(terms=terms)
    error = desk.refused(terms=terms)
    assert isinstance(error, RateLimited)
    assert error.retry_after_s
    assert [room.requests.remaining for room in desk.rooms if room.requests] == [0, 0]


def test_tokens_are_reserved_and_settled_with_what_was_used() -> None:
    terms = Terms(limits=KeyLimits(tokens_per_minute=1_000))
    for used, passes in ((10, True), (1_000, False)):
        desk = Desk(lists("a"))
        desk.models.script("a", lambda used=used: Usage(input_tokens=used))
        desk.ask(terms=terms)
        if passes:
            assert desk.ask(terms=terms).vectors
        else:
            assert isinstance(desk.refused(terms=terms), RateLimited)


def test_more_than_a_key_may_ever_use_is_refused_at_once() -> None:
    desk = Desk(lists("a"))
    error = desk.refused("word " * 900, terms=Terms(limits=KeyLimits(tokens_per_minute=100)))
    assert isinstance(error, ValidationFailed)
    assert desk.models.asked == []


def test_a_provider_at_its_limit_is_passed_over() -> None:
    desk = Desk(lists("a", limits=ProviderLimits(requests_per_minute=1, burst=1)), lists("b"))
    assert [desk.ask().provider for _ in range(2)] == ["a", "b"]


def test_a_provider_that_keeps_failing_is_left_alone() -> None:
    desk = Desk(lists("a"), lists("b"))
    desk.models.script("a", *[lambda: ProviderFailed("It failed.")] * 5)
    for _ in range(6):
        assert desk.ask().provider == "b"
    assert desk.models.order.count("a") == 5


def test_what_failed_without_being_billed_costs_nothing_and_a_timeout_what_it_might() -> None:
    for fault, spends in ((ProviderFailed("It failed."), False), (ProviderTimeout("Late."), True)):
        desk = Desk(lists("a"))
        desk.models.script("a", lambda fault=fault: fault)
        desk.refused(terms=Terms(budget=BUDGET))
        assert (state_of(desk).spent_usd > 0) == spends
        assert state_of(desk).reserved_usd == 0


def billed(desk: Desk, *texts: str) -> Callable[[], Exception]:
    """A failure that is worth another try, and costs as much as the call may."""
    fault = ProviderFailed("It failed.")
    fault.usage = Usage(input_tokens=most_tokens(desk, *texts))
    return lambda: fault


def budget_for(texts: int) -> Terms:
    """A budget that is enough for so many texts of one letter, each of which may be one token."""
    return Terms(budget=Budget(amount=Decimal(texts) / 1_000_000, period=Period.DAY))


def most_tokens(desk: Desk, *texts: str) -> int:
    return sum(desk.service.planner.plan(desk.asked(*texts)).tokens)


@pytest.mark.parametrize(("calls", "passes"), [(3, True), (2, False)])
def test_a_further_try_must_fit_the_budget_too(calls: int, passes: bool) -> None:
    desk = Desk(lists("a", retry=RetryPolicy(max_attempts=3)))
    desk.models.script("a", billed(desk), billed(desk))
    terms = budget_for(calls * most_tokens(desk))

    if passes:
        assert desk.ask(terms=terms).vectors
    else:
        assert isinstance(desk.refused(terms=terms), BudgetExceeded)

    assert len(desk.models.asked) == calls
    assert state_of(desk, terms.budget).reserved_usd == 0
    assert state_of(desk, terms.budget).spent_usd <= terms.budget.amount


def test_another_provider_must_fit_the_budget_too() -> None:
    desk = Desk(lists("a"), lists("b"))
    desk.models.script("a", billed(desk))
    terms = budget_for(most_tokens(desk))

    error = desk.refused(terms=terms)

    assert isinstance(error, BudgetExceeded)
    assert [one.provider for one in error.attempts] == ["a"]
    assert desk.models.order == ["a"]


def test_what_was_refused_without_a_bill_leaves_room_for_the_next_try() -> None:
    desk = Desk(lists("a", retry=RetryPolicy(max_attempts=3)))
    desk.models.script("a", *[lambda: ProviderRateLimited("Full.", retry_after_s=1)] * 2)
    assert desk.ask(terms=budget_for(most_tokens(desk))).vectors


def test_a_provider_that_lets_nobody_in_keeps_nothing_of_the_budget() -> None:
    desk = Desk(lists("a", limits=ProviderLimits(requests_per_minute=1, burst=1)), lists("b"))
    desk.ask()
    assert desk.ask(terms=budget_for(most_tokens(desk))).provider == "b"


def test_batches_beside_each_other_share_what_is_reserved() -> None:
    texts = ["x"] * 64 * 20
    desk = Desk(lists("a"))
    whole = most_tokens(desk, *texts)
    assert len(desk.ask(*texts, terms=budget_for(whole)).vectors) == len(texts)

    desk = Desk(lists("a", retry=RetryPolicy(max_attempts=6)))
    desk.models.script("a", *[billed(desk, *texts[:64]), lambda: None] * 4)
    terms = budget_for(whole)
    assert isinstance(desk.refused(*texts, terms=terms), BudgetExceeded)
    assert 0 < state_of(desk, terms.budget).spent_usd <= terms.budget.amount
    assert state_of(desk, terms.budget).reserved_usd == 0


def test_a_provider_that_hangs_keeps_no_thread_that_queries_take() -> None:
    texts, model, askers = tuple(map(str, range(8))), "amazon.titan-embed-text-v2:0", 19
    desk = Desk(lists("a", model=model, kind=ProviderKind.BEDROCK))
    begun, over = Semaphore(0), Event()

    def hang() -> None:
        begun.release()
        over.wait()

    desk.models.script("a", *[hang] * (askers * len(texts)))
    asking = [Thread(target=lambda: desk.ask(*texts, model=model, dimensions=4)) for _ in range(askers)]
    for one in asking:
        one.start()
    try:
        # More at once than there are threads for everybody.
        assert all(begun.acquire(timeout=20) for _ in range(askers * len(texts)))
        with Beside() as beside:
            tasks = [beside.start(lambda: "done") for _ in range(3)]
        assert [task.result for task in tasks] == ["done"] * 3
    finally:
        over.set()
        for one in asking:
            one.join()
    assert desk.batches == [1] * askers * len(texts)


def test_a_batch_that_fails_is_told_when_all_have_ended() -> None:
    desk = Desk(lists("a"))
    second_has_ended = Event()

    def fail_first() -> Exception:
        assert second_has_ended.wait(20)
        return ProviderRejected("The first.")

    def fail_second() -> Exception:
        second_has_ended.set()
        return ProviderRejected("The second.")

    desk.models.script("a", fail_first, fail_second)
    assert isinstance(desk.refused(*["x"] * 128), ProviderRejected)
    assert desk.batches == [64, 64]
    assert second_has_ended.is_set()
