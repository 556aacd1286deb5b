"""Verdicts: what a caller reads where nobody answered, and when to come again."""

from datetime import timedelta

import pytest
from llm_gateway.domain.chat import Parameters
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
    ModelConfig,
    Timeouts,
)
from llm_gateway.errors import (
    ContextWindowExceeded,
    DeadlineExceeded,
    DependencyUnavailable,
    NoProviderAvailable,
)

from tests.adapters.engine import Engine, provider, question
from tests.adapters.scripted_providers import Raises, Says, failing
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


def test_those_that_were_passed_over_are_told_with_the_reason(engine: Engine) -> None:
    unable = (ModelConfig(name="c-model", capabilities=frozenset()),)
    policy = CircuitPolicy(failure_threshold=1, cooldown_s=30)
    engine.add(provider("a", circuit=policy), provider("b", circuit=policy), provider("c", models=unable))
    engine.providers.script("a", failing(ProviderFailed))
    engine.providers.script("b", failing(ProviderNotConnected, provider_message=None))
    asked = {"parameters": Parameters(seed=1)}
    fails(engine, NoProviderAvailable, **asked)

    fault = fails(engine, NoProviderAvailable, **asked)

    until = engine.clock.now() + timedelta(seconds=30)
    circuit = f"The provider failed too often: circuit open until {until:%H:%M:%SZ}"
    assert f"a: {circuit}; b: {circuit}; c: parameters.seed: c-model cannot take this" in fault.detail


def test_the_only_one_that_is_down_says_what_happened(engine: Engine) -> None:
    engine.add(provider("a"), provider("b"))
    refuses = "No connection to the provider could be made: its host refuses connections at that port."
    engine.providers.script("a", Raises(fault=lambda: ProviderNotConnected(refuses)))

    fault = fails(engine, NoProviderAvailable, provider="a")

    assert fault.provider == "a"
    assert refuses in fault.detail


def test_the_last_ones_message_is_the_problems(two: Engine) -> None:
    two.providers.script("a", failing(ProviderFailed, provider_message="One.", upstream_status=500))
    two.providers.script("b", failing(ProviderFailed, provider_message="Two.", upstream_status=503))
    progress = two.progress(question())

    fault = fails(two, NoProviderAvailable, progress=progress)

    assert fault.provider_message == "Two."
    assert [(attempt.detail, attempt.upstream_status) for attempt in progress.attempts] == [
        ("It failed: One.", 500),
        ("It failed: Two.", 503),
    ]


def test_several_windows_that_are_too_small_are_the_requests_fault(two: Engine) -> None:
    two.providers.script("a", ContextWindowExceeded("9 do not fit 8."))
    two.providers.script("b", ContextWindowExceeded("9 do not fit 7."))

    fault = fails(two, ContextWindowExceeded, provider="a", fallback=("b",))

    assert fault.detail == "a: 9 do not fit 8; b: 9 do not fit 7."


# --- The deadline


def test_time_is_up_while_waiting_for_an_answer(two: Engine) -> None:
    request = question(timeout_s=10)
    progress = two.progress(request)
    two.providers.otherwise = Says(after_s=100)

    fault = fails(two, DeadlineExceeded, progress=progress, timeout_s=10, fallback=("b",))

    assert (fault.status, fault.code) == (504, "deadline_exceeded")
    assert "timeout_s of the query: 10 s" in fault.detail
    assert two.clock.monotonic_s() == 10
    assert outcomes(progress) == ["a error provider_timeout", "b error provider_timeout"]


@pytest.mark.parametrize(
    ("timeouts", "limit"),
    [
        (Timeouts(total_s=4), "timeouts.total_s of provider a: 4 s"),
        (Timeouts(total_s=60), "timeout_s of the query: 10 s"),
        (Timeouts(first_token_s=2), "timeout_s of the query: 10 s"),
        (Timeouts(), "timeout_s of the query: 10 s"),
    ],
)
def test_a_timeout_names_the_limit_that_struck(engine: Engine, timeouts: Timeouts, limit: str) -> None:
    engine.add(provider("a", timeouts=timeouts))
    engine.providers.script("a", Says(after_s=100))
    progress = engine.progress(question(timeout_s=10))

    fault = fails(engine, progress=progress, timeout_s=10)

    assert limit in fault.detail
    assert limit in (progress.attempts[0].detail or "")


def test_a_streams_silence_names_its_own_limit(engine: Engine) -> None:
    engine.add(provider("a", timeouts=Timeouts(first_token_s=2)))
    engine.providers.script("a", Says(after_s=100))
    request = question(timeout_s=10)

    with pytest.raises(ProviderTimeout) as caught:
        list(engine.stream(request, engine.progress(request)))

    assert "timeouts.first_token_s of provider a: 2 s" in caught.value.detail


def test_a_provider_that_hangs_leaves_time_for_the_next(engine: Engine) -> None:
    engine.add(provider("a", timeouts=Timeouts(total_s=4)), provider("b"))
    engine.providers.script("a", Says(after_s=100))
    engine.providers.script("b", Says(after_s=5))

    _, progress = engine.ask(question(timeout_s=10))

    assert outcomes(progress) == ["a error provider_timeout", "b ok"]
    assert engine.clock.monotonic_s() == 9


@pytest.mark.parametrize("asked", [{"fallback": ("b",)}, {"provider": "a", "fallback": ("*",)}])
def test_a_tenth_of_the_time_is_for_a_fallback_that_the_caller_lists(two: Engine, asked: dict) -> None:
    two.providers.script("a", Says(after_s=100))
    two.providers.script("b", Says(after_s=0.5))

    _, progress = two.ask(question(timeout_s=10, **asked))

    assert outcomes(progress) == ["a error provider_timeout", "b ok"]
    assert two.clock.monotonic_s() == 9.5


@pytest.mark.parametrize("asked", [{}, {"fallback": ("b",)}])
def test_the_first_one_has_nearly_all_of_the_time(two: Engine, asked: dict) -> None:
    two.providers.script("a", Says(after_s=22))

    _, progress = two.ask(question(timeout_s=25, **asked))

    assert outcomes(progress) == ["a ok"]
