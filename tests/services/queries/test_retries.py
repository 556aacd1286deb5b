"""Retries: what is tried again, how often, and after which wait."""

from itertools import pairwise

import pytest
from llm_gateway.domain.faults import (
    CallCancelled,
    ProviderAuthFailed,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRejected,
)
from llm_gateway.domain.providers import (
    RetryPolicy,
)
from llm_gateway.errors import NoProviderAvailable
from llm_gateway.services.queries.dispatch import MOST_CALLS

from tests.adapters.engine import Engine, provider, question, with_key
from tests.adapters.scripted_providers import failing
from tests.services.queries.dispatching import FALLING_OVER, NEVER_OPEN, PATIENT, RETRYABLE, fails, outcomes


@pytest.mark.parametrize("kind", RETRYABLE)
def test_what_passes_is_tried_again(alone: Engine, kind: type) -> None:
    alone.providers.script("a", failing(kind), failing(kind))

    _, progress = alone.ask(question())

    assert outcomes(progress) == [f"a error {kind.code}"] * 2 + ["a ok"]
    assert progress.calls == 3
    assert progress.waiting_s == pytest.approx(sum(alone.clock.slept_s))


@pytest.mark.parametrize("kind", [kind for kind in FALLING_OVER if kind not in RETRYABLE] + [ProviderRejected])
def test_what_stays_is_not(alone: Engine, kind: type) -> None:
    alone.providers.script("a", failing(kind))

    fails(alone, kind)

    assert len(alone.providers.called) == 1
    assert alone.clock.slept_s == []


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_provider_is_tried_as_often_as_it_allows(engine: Engine, most: int) -> None:
    engine.add(provider("a", retry=RetryPolicy(max_attempts=most)))
    engine.providers.otherwise = failing(ProviderFailed)

    fails(engine, ProviderFailed)

    assert len(engine.providers.called) == most


def test_six_calls_are_enough(engine: Engine) -> None:
    engine.add(*(provider(name, retry=RetryPolicy(max_attempts=4)) for name in "abc"))
    engine.providers.otherwise = failing(ProviderFailed)

    fails(engine, NoProviderAvailable)

    assert engine.providers.order == ["a"] * 4 + ["b"] * 2
    assert len(engine.providers.called) == MOST_CALLS == 6


def test_one_provider_is_not_called_seven_times_either(engine: Engine) -> None:
    engine.add(with_key("a", retry=RetryPolicy(max_attempts=6), circuit=NEVER_OPEN))
    engine.providers.script("a", *[failing(ProviderFailed)] * 5)
    engine.providers.otherwise = failing(ProviderAuthFailed)

    fails(engine, ProviderAuthFailed)

    assert len(engine.providers.called) == 6


def test_waits_grow_with_full_jitter_and_a_bound(engine: Engine) -> None:
    waits: list[list[float]] = [[], [], [], [], []]
    for number in range(60):
        engine = Engine(draws=[number / 60] * 10).add(
            provider("a", retry=RetryPolicy(max_attempts=6), circuit=NEVER_OPEN)
        )
        engine.providers.otherwise = failing(ProviderFailed)
        fails(engine, ProviderFailed, timeout_s=300)
        starts = [call.started_s for call in engine.providers.called]
        for tries, (before, after) in enumerate(pairwise(starts)):
            waits[tries].append(after - before)

    bounds_s = [0.25, 0.5, 1, 2, 4]
    for waited, bound_s in zip(waits, bounds_s, strict=True):
        assert 0 <= min(waited) < max(waited) <= bound_s
    # 60 draws of a jitter that is full: some are small, some are large.
    assert min(waits[-1]) < 2 < max(waits[-1])


@pytest.mark.parametrize("asked_s", [0.7, 1.5, 4, 20])
def test_what_the_provider_asks_for_is_the_least(alone: Engine, asked_s: float) -> None:
    alone.providers.script("a", failing(ProviderRateLimited, retry_after_s=asked_s))

    _, progress = alone.ask(question())

    assert asked_s <= progress.waiting_s <= asked_s + 0.25


def test_a_wait_that_cannot_fit_is_not_begun(alone: Engine) -> None:
    alone.providers.script("a", failing(ProviderRateLimited, retry_after_s=10, after_s=1))

    fault = fails(alone, ProviderRateLimited, timeout_s=11)

    assert fault.retry_after_s == 10
    assert alone.clock.slept_s == []
    assert alone.clock.monotonic_s() == 1


def test_a_wait_after_which_there_is_no_time_for_a_call_does_not_fit(alone: Engine) -> None:
    alone.providers.script("a", failing(ProviderRateLimited, retry_after_s=9.96))

    fails(alone, ProviderRateLimited, timeout_s=10)

    assert alone.clock.slept_s == []


def test_others_are_not_kept_waiting(engine: Engine) -> None:
    engine.add(provider("a", retry=PATIENT), provider("b"))
    engine.providers.script("a", failing(ProviderRateLimited, retry_after_s=2.5))

    _, progress = engine.ask(question())

    assert outcomes(progress) == ["a error provider_rate_limited", "b ok"]
    assert progress.waiting_s == 0


def test_a_short_wait_is_worth_it_even_with_others(engine: Engine) -> None:
    engine.add(provider("a", retry=PATIENT), provider("b"))
    engine.providers.script("a", failing(ProviderRateLimited, retry_after_s=1))

    _, progress = engine.ask(question())

    assert outcomes(progress) == ["a error provider_rate_limited", "a ok"]


def test_nobody_waits_for_what_nobody_wants(alone: Engine) -> None:
    request = question()
    progress = alone.progress(request)
    progress.deadline = progress.deadline.or_when(lambda: alone.clock.monotonic_s() > 3)
    alone.providers.script("a", failing(ProviderRateLimited, retry_after_s=20))

    fails(alone, CallCancelled, progress=progress)

    assert alone.clock.monotonic_s() < 3.5
    assert outcomes(progress) == ["a error provider_rate_limited"]
