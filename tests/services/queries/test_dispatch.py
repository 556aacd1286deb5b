"""Dispatch: who is asked next, and what each attempt tells."""

from datetime import timedelta
from decimal import Decimal

import pytest
from llm_gateway.domain.chat import Parameters
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import (
    CallTooLarge,
    CircuitOpen,
    ProviderBusy,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRejected,
    ProviderResponseInvalid,
    ProviderTimeout,
)
from llm_gateway.domain.providers import (
    CircuitPolicy,
    ModelConfig,
    ProviderLimits,
)
from llm_gateway.errors import ContextWindowExceeded, GatewayError, NoProviderAvailable, UnsupportedParameter

from tests.adapters.engine import Engine, provider, question
from tests.adapters.scripted_providers import USAGE, Says, failing
from tests.services.queries.dispatching import FALLING_OVER, PATIENT, fails, outcomes

# --- The next candidate


@pytest.mark.parametrize("kind", FALLING_OVER)
def test_the_next_one_answers(two: Engine, kind: type) -> None:
    two.providers.script("a", failing(kind, after_s=0.5))
    two.providers.script("b", Says(text="I am B.", after_s=0.25))

    answered, progress = two.ask(question())

    assert (answered.text, progress.answering.provider.id) == ("I am B.", "b")
    assert outcomes(progress) == [f"a error {kind.code}", "b ok"]
    assert [attempt.latency_ms for attempt in progress.attempts] == [500, 250]
    assert (progress.provider_s, progress.waiting_s, progress.calls) == (0.75, 0, 2)
    assert two.gates.all_ended_once


def test_whatever_goes_wrong_one_by_one(engine: Engine) -> None:
    engine.add(*(provider(name) for name in "abcd"))
    engine.providers.script("a", failing(ProviderTimeout))
    engine.providers.script("b", failing(ProviderResponseInvalid, usage=USAGE))
    engine.gates.refusals["c"] = [CircuitOpen("Left alone.", retry_after_s=30)]

    _, progress = engine.ask(question())

    assert outcomes(progress) == [
        "a error provider_timeout",
        "b error provider_response_invalid",
        "c skipped circuit_open",
        "d ok",
    ]
    billed = Decimal(USAGE.total_tokens) / 1_000_000
    assert [attempt.cost_usd for attempt in progress.attempts] == [None, billed, None, billed]


def test_one_that_cannot_take_the_request_shows_in_its_place(engine: Engine) -> None:
    cannot = (ModelConfig(name="b-model", capabilities=frozenset()),)
    engine.add(provider("a"), provider("b", models=cannot), provider("c"))
    engine.providers.script("a", failing(ProviderFailed))

    _, progress = engine.ask(question(parameters=Parameters(seed=1)))

    assert outcomes(progress) == ["a error provider_error", "b skipped unsupported_parameter", "c ok"]


def test_a_request_at_fault_is_not_tried_on_others(two: Engine) -> None:
    two.providers.script("a", failing(ProviderRejected))

    fault = fails(two, ProviderRejected)

    assert fault.provider == "a"
    assert two.providers.order == ["a"]


def test_a_mistake_of_the_gateways_own_is_not_tried_on_others(two: Engine) -> None:
    two.providers.script("a", KeyError("ours"))

    fails(two, KeyError)

    assert two.providers.order == ["a"]


@pytest.mark.parametrize("error", [UnsupportedParameter("No seed."), ContextWindowExceeded("Too long.")])
def test_what_only_the_wire_finds_out_is_no_end_where_another_is_left(two: Engine, error: GatewayError) -> None:
    two.providers.script("a", error)

    _, progress = two.ask(question())

    assert progress.answering.provider.id == "b"
    assert [attempt.error_code for attempt in progress.attempts] == [error.code, None]


def test_a_parameter_that_the_named_ones_wire_refuses_is_the_answer(two: Engine) -> None:
    error = UnsupportedParameter("No seed.")
    two.providers.script("a", error)

    assert fails(two, provider="a", fallback=("b",)) is error
    assert two.providers.order == ["a"]


def test_a_window_that_is_too_small_goes_on_to_another_though_one_was_named(two: Engine) -> None:
    two.providers.script("a", ContextWindowExceeded("Too long."))

    _, progress = two.ask(question(provider="a", fallback=("b",)))

    assert outcomes(progress) == ["a error context_window_exceeded", "b ok"]


def test_those_that_cannot_take_a_request_do_not_count_as_tried(engine: Engine) -> None:
    engine.add(provider("a"), provider("b"), provider("c"))
    engine.providers.script("a", UnsupportedParameter("No seed."))
    engine.providers.script("b", failing(ProviderFailed))
    engine.providers.script("c", ContextWindowExceeded("Too long."))

    assert fails(engine, ProviderFailed).provider == "b"


def test_everybodys_wire_finds_it_out(two: Engine) -> None:
    first = UnsupportedParameter("No seed.")
    two.providers.script("a", first)
    two.providers.script("b", ContextWindowExceeded("Too long."))

    assert fails(two) is first


# --- Spare ones


def test_without_fallbacks_the_best_that_can_be_called_is(engine: Engine) -> None:
    engine.add(*(provider(name) for name in "abc"))
    engine.gates.refusals["a"] = [ProviderBusy("Busy.", retry_after_s=5)]

    _, progress = engine.ask(question(fallback=()))

    assert progress.answering.provider.id == "b"
    assert outcomes(progress) == ["a skipped provider_rate_limited", "b ok"]


def test_without_fallbacks_nobody_else_is_called_after_a_failure(engine: Engine) -> None:
    engine.add(*(provider(name) for name in "abc"))
    engine.gates.refusals["a"] = [CircuitOpen("Left alone.", retry_after_s=5)]
    engine.providers.script("b", failing(ProviderFailed))

    assert fails(engine, ProviderFailed, fallback=()).provider == "b"
    assert engine.providers.order == ["b"]


def test_fallbacks_follow_the_chosen_provider(engine: Engine) -> None:
    engine.add(*(provider(name) for name in "abcd"))
    engine.providers.script("a", failing(ProviderFailed))
    engine.providers.script("d", failing(ProviderFailed))

    _, progress = engine.ask(question(fallback=("d", "c")))

    assert [attempt.provider for attempt in progress.attempts] == ["a", "d", "c"]


def test_a_spare_one_is_not_asked_again_as_a_fallback(engine: Engine) -> None:
    engine.add(*(provider(name) for name in "abc"))
    engine.gates.refusals["a"] = [CircuitOpen("Left alone.", retry_after_s=5)]
    engine.providers.script("b", failing(ProviderFailed))

    _, progress = engine.ask(question(fallback=("b", "c")))

    assert outcomes(progress) == ["a skipped circuit_open", "b error provider_error", "c ok"]


# --- The gate


@pytest.mark.parametrize("kind", [ProviderRateLimited, ProviderBusy, CircuitOpen])
def test_a_closed_gate_is_passed_by_at_once(engine: Engine, kind: type) -> None:
    engine.add(provider("a", retry=PATIENT), provider("b"))
    engine.gates.refusals["a"] = [kind("No.", retry_after_s=0.1)]

    _, progress = engine.ask(question())

    assert outcomes(progress) == [f"a skipped {kind.code}", "b ok"]
    assert (progress.waiting_s, progress.calls) == (0, 1)


def test_a_limit_that_soon_passes_is_waited_for_where_nobody_else_is_left(alone: Engine) -> None:
    alone.gates.refusals["a"] = [ProviderRateLimited("At its limit.", retry_after_s=0.5)]

    _, progress = alone.ask(question())

    assert outcomes(progress) == ["a skipped provider_rate_limited", "a ok"]
    assert 0.5 <= progress.waiting_s <= 0.75


def test_a_limit_that_lasts_is_told_at_once(alone: Engine) -> None:
    alone.gates.refusals["a"] = [ProviderRateLimited("At its limit.", retry_after_s=12)]

    fault = fails(alone, ProviderRateLimited)

    assert fault.retry_after_s == 12
    assert alone.clock.slept_s == []


def test_a_limit_of_the_providers_configuration(engine: Engine) -> None:
    engine.add(provider("a", limits=ProviderLimits(requests_per_minute=2, burst=2)))
    engine.ask(question())
    engine.ask(question())

    fault = fails(engine, ProviderRateLimited)
    engine.clock.advance(fault.retry_after_s)
    engine.ask(question())

    assert len(engine.providers.called) == 3


def test_a_call_that_can_never_pass(engine: Engine) -> None:
    engine.add(provider("a", limits=ProviderLimits(tokens_per_minute=10)), provider("b"))

    _, progress = engine.ask(question())
    assert outcomes(progress) == ["a skipped validation_failed", "b ok"]
    assert fails(engine, CallTooLarge, provider="a", fallback=()).status == 422


def test_failures_that_open_the_circuit_are_the_answer(engine: Engine) -> None:
    engine.add(provider("a", retry=PATIENT, circuit=CircuitPolicy(failure_threshold=1)))
    engine.providers.otherwise = failing(ProviderFailed)
    progress = engine.progress(question())

    assert fails(engine, ProviderFailed, progress=progress).status == 502
    assert outcomes(progress) == ["a error provider_error", "a skipped circuit_open"]
    assert 29 < fails(engine, NoProviderAvailable).retry_after_s <= 30


def test_a_circuit_counts_queries_and_not_their_repetitions(engine: Engine) -> None:
    config = provider("a", retry=PATIENT, circuit=CircuitPolicy(failure_threshold=3))
    engine.add(config)
    engine.providers.otherwise = failing(ProviderFailed)

    for _ in range(2):
        fails(engine, ProviderFailed)
    assert engine.providers.order == ["a"] * 6
    assert engine.gates.state(config).circuit is CircuitState.CLOSED
    fails(engine, ProviderFailed)
    assert engine.gates.state(config).circuit is CircuitState.OPEN


def test_queries_that_a_repetition_saves_open_no_circuit(engine: Engine) -> None:
    config = provider("a", retry=PATIENT, circuit=CircuitPolicy(failure_threshold=100))
    engine.add(config)

    for _ in range(30):
        engine.providers.script("a", failing(ProviderFailed), Says())
        engine.ask(question())
    assert engine.gates.state(config).circuit is CircuitState.CLOSED


@pytest.mark.parametrize("kind", [ProviderRejected, ContextWindowExceeded, UnsupportedParameter])
def test_what_is_wrong_with_a_request_says_nothing_about_its_provider(engine: Engine, kind: type) -> None:
    config = provider("a", circuit=CircuitPolicy(failure_threshold=1))
    engine.add(config)
    for _ in range(3):
        engine.providers.script("a", kind("No."))
        fails(engine, kind)

    state = engine.gates.state(config)
    assert (state.circuit, state.last_error, state.metrics.errors) == (CircuitState.CLOSED, None, 0)


# --- What the gateway's clock says about a call


def test_the_price_is_that_of_the_day(engine: Engine) -> None:
    days: list = []

    class Prices:
        def cost(self, *_: object, at, **__: object) -> Decimal | None:
            days.append(at)
            return Decimal("0.25")

    engine.prices = Prices()
    engine.add(provider("a"))
    engine.providers.script("a", Says(after_s=2))

    _, progress = engine.ask(question())

    assert days == [engine.clock.now()]
    assert progress.attempts[0].cost_usd == Decimal("0.25")
    assert engine.clock.now() - days[0] == timedelta()
