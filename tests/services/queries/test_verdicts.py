"""Verdicts: what a caller reads where nobody answered, and when to come again."""

import pytest
from llm_gateway.domain.faults import (
    CircuitOpen,
    ProviderBusy,
    ProviderFailed,
    ProviderNotConnected,
    ProviderRateLimited,
    ProviderTimeout,
)
from llm_gateway.domain.providers import (
    CircuitPolicy,
    Timeouts,
)
from llm_gateway.errors import DeadlineExceeded, DependencyUnavailable, NoProviderAvailable

from tests.adapters.engine import Engine, provider, question
from tests.adapters.scripted_providers import Says, failing
from tests.services.queries.dispatching import FALLING_OVER, fails, outcomes

# --- Verdicts


@pytest.mark.parametrize("kind", [kind for kind in FALLING_OVER if kind is not ProviderNotConnected])
def test_the_only_ones_own_error_is_the_answer(engine: Engine, kind: type) -> None:
    engine.add(provider("a"), provider("b"))
    engine.providers.script("a", failing(kind))

    fault = fails(engine, kind, provider="a", fallback=())

    assert (type(fault), fault.provider, fault.status) == (kind, "a", kind.status)


@pytest.mark.parametrize("retry_after_s", [None, 7.5])
def test_one_that_was_never_reached_is_not_available(engine: Engine, retry_after_s) -> None:
    engine.add(provider("a", circuit=CircuitPolicy(failure_threshold=2, cooldown_s=45)))
    engine.providers.otherwise = failing(ProviderNotConnected)

    assert fails(engine, NoProviderAvailable).retry_after_s is None
    # This one opened the circuit.
    assert fails(engine, NoProviderAvailable).retry_after_s == 45
    engine.clock.advance(15)
    progress = engine.progress(question())
    assert fails(engine, NoProviderAvailable, progress=progress).retry_after_s == 30
    assert outcomes(progress) == ["a skipped circuit_open"]


def test_all_at_their_limits(two: Engine) -> None:
    two.providers.script("a", failing(ProviderRateLimited, retry_after_s=9))
    two.gates.refusals["b"] = [ProviderBusy("Busy.", retry_after_s=4)]

    fault = fails(two, ProviderRateLimited)

    assert (fault.status, fault.provider, fault.retry_after_s) == (429, None, 4)


def test_several_failed(two: Engine) -> None:
    two.providers.script("a", failing(ProviderRateLimited, retry_after_s=9))
    two.providers.script("b", failing(ProviderTimeout))

    fault = fails(two, NoProviderAvailable)

    assert (fault.status, fault.code) == (503, "no_provider_available")


def test_a_retry_after_the_told_time_passes(engine: Engine) -> None:
    policy = CircuitPolicy(failure_threshold=1, cooldown_s=30)
    engine.add(provider("a", circuit=policy), provider("b", circuit=CircuitPolicy(failure_threshold=1, cooldown_s=20)))
    engine.providers.script("a", failing(ProviderFailed))
    engine.providers.script("b", failing(ProviderFailed, after_s=1))

    fault = fails(engine, NoProviderAvailable)
    assert fault.retry_after_s == 20

    engine.clock.advance(fault.retry_after_s - 0.5)
    assert fails(engine, NoProviderAvailable).retry_after_s == 0.5
    engine.clock.advance(0.5)
    _, progress = engine.ask(question())
    assert progress.answering.provider.id == "b"
    assert outcomes(progress) == ["a skipped circuit_open", "b ok"]


def test_nothing_is_promised_where_one_may_be_asked_at_once(two: Engine) -> None:
    two.gates.refusals["a"] = [CircuitOpen("Left alone.", retry_after_s=25)]
    two.providers.script("b", failing(ProviderFailed))

    assert fails(two, NoProviderAvailable).retry_after_s is None


def test_the_verdict_does_without_the_gates_state(two: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    two.providers.otherwise = failing(ProviderFailed)

    def away(*_: object) -> None:
        raise DependencyUnavailable("The limits cannot be reached.")

    monkeypatch.setattr(type(two.gates), "state", away)

    assert fails(two, NoProviderAvailable).retry_after_s is None


# --- The deadline


def test_time_is_up_while_waiting_for_an_answer(two: Engine) -> None:
    request = question(timeout_s=10)
    progress = two.progress(request)
    two.providers.otherwise = Says(after_s=100)

    fault = fails(two, DeadlineExceeded, progress=progress, timeout_s=10)

    assert (fault.status, fault.code) == (504, "deadline_exceeded")
    assert two.clock.monotonic_s() == 10
    assert outcomes(progress) == ["a error provider_timeout", "b error provider_timeout"]


def test_a_provider_that_hangs_leaves_time_for_the_next(engine: Engine) -> None:
    engine.add(provider("a", timeouts=Timeouts(total_s=4)), provider("b"))
    engine.providers.script("a", Says(after_s=100))
    engine.providers.script("b", Says(after_s=5))

    _, progress = engine.ask(question(timeout_s=10))

    assert outcomes(progress) == ["a error provider_timeout", "b ok"]
    assert engine.clock.monotonic_s() == 9


def test_a_quarter_of_the_time_is_for_the_next_whatever_a_provider_may_take(two: Engine) -> None:
    two.providers.script("a", Says(after_s=100))
    two.providers.script("b", Says(after_s=2))

    _, progress = two.ask(question(timeout_s=10))

    assert outcomes(progress) == ["a error provider_timeout", "b ok"]
    assert two.clock.monotonic_s() == 9.5
