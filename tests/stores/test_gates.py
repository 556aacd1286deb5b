"""Providers' gates: what passes, what a refusal says, and what is left behind by those who never report."""

import pytest
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import (
    CallTooLarge,
    ProviderBusy,
    ProviderFailed,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import ProviderLimits

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.items import InMemoryItems
from tests.stores.gated import TIMEOUT_S, Deployment, deployed, ended, limited, opened, refused
from tests.stores.values import provider


@pytest.fixture(params=["memory", "aws"])
def deployment(request: pytest.FixtureRequest, clock: FakeClock, ids: FakeIds) -> Deployment:
    return deployed(request, clock, ids)


# Limits


def test_as_many_pass_at_once_as_the_burst_and_the_next_when_it_was_told(
    deployment: Deployment, clock: FakeClock
) -> None:
    config = limited(requests_per_minute=20)
    passed, refusal = deployment.pass_until_refused(config)
    assert (passed, type(refusal)) == (4, ProviderRateLimited)
    assert refusal.retry_after_s == pytest.approx(60 / 17, abs=1e-5)
    clock.advance(refusal.retry_after_s - 0.000002)
    with pytest.raises(ProviderRateLimited):
        deployment.admit(config)
    clock.advance(0.000002)
    deployment.admit(config)


def test_the_limits_of_one_provider_are_nothing_to_another(deployment: Deployment) -> None:
    deployment.pass_until_refused(limited(requests_per_minute=20))
    deployment.admit(provider("another", limits=ProviderLimits(requests_per_minute=20)))


def test_without_limits_everything_passes_and_nothing_is_written_before_the_call(
    clock: FakeClock, ids: FakeIds
) -> None:
    items = InMemoryItems()
    deployment = Deployment(items, clock, ids)
    for _ in range(100):
        deployment.admit(limited())
    assert {verb for verb, _ in items.calls} == {"read"}


def test_tokens_are_reserved_by_estimate_and_settled_by_use(deployment: Deployment) -> None:
    config = limited(tokens_per_minute=1000)
    admitted = deployment.admit(config, tokens=200)
    with pytest.raises(ProviderRateLimited):
        deployment.admit(config, tokens=200)
    deployment.gates.settle(admitted, ended(usage=Usage(input_tokens=8, output_tokens=2)))
    with pytest.raises(ProviderRateLimited):
        deployment.admit(config, tokens=191)
    deployment.admit(config, tokens=190)


def test_what_one_process_gives_back_another_may_take_at_once(deployment: Deployment) -> None:
    config, other = limited(tokens_per_minute=1000), deployment.process()
    admitted = deployment.admit(config, tokens=200)
    with pytest.raises(ProviderRateLimited):
        other.admit(config, tokens=200, timeout_s=TIMEOUT_S)
    deployment.gates.settle(admitted, ended(usage=Usage()))
    other.admit(config, tokens=200, timeout_s=TIMEOUT_S)


@pytest.mark.parametrize(
    ("result", "left"),
    [
        (ended(ProviderFailed("500")), 200),
        (ended(ProviderTimeout("too long")), 0),
        (ended(ProviderUnreachable("gone")), 0),
        (ended(ProviderTimeout("too long", usage=None), usage=Usage(input_tokens=50)), 150),
        (ended(usage=None, cancelled=True), 0),
        (ended(usage=Usage(input_tokens=300)), 0),
    ],
)
def test_of_a_call_that_failed_only_what_may_have_been_used_counts(
    deployment: Deployment, result: CallResult, left: int
) -> None:
    config = limited(tokens_per_minute=1000)
    deployment.gates.settle(deployment.admit(config, tokens=200), result)
    assert deployment.gates.state(config).tokens_remaining == left


def test_a_call_larger_than_the_limit_is_told_that_it_never_passes(deployment: Deployment) -> None:
    config = limited(tokens_per_minute=1000)
    with pytest.raises(CallTooLarge, match=r"1001 tokens.*allows 1000"):
        deployment.admit(config, tokens=1001)
    deployment.admit(config, tokens=1000)


def test_a_refused_call_takes_nothing(deployment: Deployment) -> None:
    config = limited(requests_per_minute=1000, tokens_per_minute=1000, max_concurrent=10)
    deployment.admit(config, tokens=200)
    before = deployment.gates.state(config)
    for _ in range(3):
        with pytest.raises(ProviderRateLimited):
            deployment.process().admit(config, tokens=1, timeout_s=TIMEOUT_S)
    assert deployment.gates.state(config) == before


def test_the_longest_of_several_waits_is_told(deployment: Deployment, clock: FakeClock) -> None:
    config = limited(requests_per_minute=60, tokens_per_minute=60, burst=1)
    deployment.admit(config, tokens=12)
    with pytest.raises(ProviderRateLimited, match="tokens") as caught:
        deployment.admit(config, tokens=12)
    clock.advance(caught.value.retry_after_s or 0)
    deployment.admit(config, tokens=12)


# Places


def test_a_place_is_free_again_when_its_call_ends(deployment: Deployment) -> None:
    config = limited(max_concurrent=2)
    first, _ = deployment.admit(config), deployment.admit(config)
    with refused(ProviderBusy, TIMEOUT_S):
        deployment.admit(config)
    deployment.gates.settle(first, ended())
    deployment.admit(config)
    with refused(ProviderBusy, TIMEOUT_S):
        deployment.admit(config)


def test_a_dead_worker_s_place_frees_itself_when_its_call_must_be_over(
    deployment: Deployment, clock: FakeClock
) -> None:
    config = limited(max_concurrent=2)
    deployment.admit(config)
    clock.advance(10)
    survivor = deployment.admit(config)
    with refused(ProviderBusy, TIMEOUT_S - 10):
        deployment.admit(config)
    clock.advance(TIMEOUT_S - 10)
    deployment.admit(config)
    with refused(ProviderBusy, 10):
        deployment.admit(config)
    deployment.gates.settle(survivor, ended())
    deployment.admit(config)


def test_one_dead_worker_s_place_is_taken_once(deployment: Deployment, clock: FakeClock) -> None:
    config, other = limited(max_concurrent=1), deployment.process()
    deployment.admit(config)
    with refused(ProviderBusy, TIMEOUT_S):
        other.admit(config, tokens=0, timeout_s=TIMEOUT_S)
    clock.advance(TIMEOUT_S)
    deployment.admit(config)
    with refused(ProviderBusy, TIMEOUT_S):
        other.admit(config, tokens=0, timeout_s=TIMEOUT_S)


def test_a_call_that_reports_after_its_time_frees_nobody_else_s_place(deployment: Deployment, clock: FakeClock) -> None:
    config = limited(max_concurrent=1)
    late = deployment.admit(config)
    clock.advance(TIMEOUT_S)
    deployment.admit(config)
    deployment.gates.settle(late, ended())
    with refused(ProviderBusy, TIMEOUT_S):
        deployment.admit(config)


def test_a_dead_worker_s_tokens_free_themselves(deployment: Deployment, clock: FakeClock) -> None:
    config = limited(tokens_per_minute=1000)
    deployment.admit(config, tokens=200)
    clock.advance(60)
    assert deployment.gates.state(config).tokens_remaining == 200


# Calls that are not made


def test_a_call_that_is_not_made_gives_everything_back(deployment: Deployment) -> None:
    config = limited(requests_per_minute=20, tokens_per_minute=1000, max_concurrent=1)
    before = deployment.gates.state(config)
    deployment.gates.withdraw(deployment.admit(config, tokens=200))
    assert deployment.gates.state(config) == before
    other = deployment.process()
    for _ in range(10):
        deployment.gates.withdraw(deployment.admit(config, tokens=200))
        other.withdraw(other.admit(config, tokens=200, timeout_s=TIMEOUT_S))


def test_a_trial_that_is_not_made_is_left_to_the_next(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    opened(deployment, config)
    clock.advance(20)
    deployment.gates.withdraw(deployment.admit(config))
    deployment.call(config)
    assert deployment.gates.state(config).circuit is CircuitState.CLOSED


def test_what_is_given_back_can_be_had_by_a_process_that_was_refused(deployment: Deployment) -> None:
    config, other = limited(requests_per_minute=20, burst=1), deployment.process()
    admitted = deployment.admit(config)
    with pytest.raises(ProviderRateLimited):
        other.admit(config, tokens=0, timeout_s=TIMEOUT_S)
    deployment.gates.withdraw(admitted)
    other.admit(config, tokens=0, timeout_s=TIMEOUT_S)
