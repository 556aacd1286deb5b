"""The circuit of a provider's gate, and the pauses that a provider asks for."""

import pytest
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import (
    CircuitOpen,
    ProviderFailed,
    ProviderFault,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
    ProviderTimeout,
)
from llm_gateway.domain.metrics import LastError

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.gated import FAULTS_OF_THE_PROVIDER, TIMEOUT_S, Deployment, deployed, ended, limited, opened, refused


@pytest.fixture(params=["memory", "aws"])
def deployment(request: pytest.FixtureRequest, clock: FakeClock, ids: FakeIds) -> Deployment:
    return deployed(request, clock, ids)


# Circuit


@pytest.mark.parametrize("kind", FAULTS_OF_THE_PROVIDER)
def test_failures_in_a_row_open_the_circuit(
    deployment: Deployment, clock: FakeClock, kind: type[ProviderFault]
) -> None:
    config = limited()
    for _ in range(3):
        deployment.call(config, kind("it failed"))
    with refused(CircuitOpen, 20):
        deployment.admit(config)
    clock.advance(19)
    with refused(CircuitOpen, 1):
        deployment.process().admit(config, tokens=0, timeout_s=TIMEOUT_S)


@pytest.mark.parametrize("kind", [ProviderRateLimited, ProviderRejected, ProviderRefused])
def test_what_is_not_the_provider_s_failure_opens_nothing(deployment: Deployment, kind: type[ProviderFault]) -> None:
    config = limited()
    for _ in range(10):
        deployment.call(config, kind("no"))
    deployment.gates.settle(deployment.admit(config), ended(usage=None, cancelled=True))
    assert deployment.gates.state(config).circuit is CircuitState.CLOSED


def test_a_success_ends_the_row(deployment: Deployment) -> None:
    config = limited()
    for fault in (ProviderFailed("500"), ProviderFailed("500"), None, ProviderFailed("500"), ProviderFailed("500")):
        deployment.call(config, fault)
    assert deployment.gates.state(config).circuit is CircuitState.CLOSED


@pytest.mark.parametrize("minutes", [0, 1])
def test_a_success_ends_a_row_that_began_after_its_call_did(
    deployment: Deployment, clock: FakeClock, minutes: int
) -> None:
    """Answers take long: what a call knew of the gate when it passed is old when it ends."""
    config, other = limited(), deployment.process()
    deployment.call(config)
    running = [deployment.admit(config) for _ in range(4)]
    clock.advance(60 * minutes)
    for admitted in running:
        other.settle(other.admit(config, tokens=0, timeout_s=TIMEOUT_S), ended(ProviderFailed("500")))
        deployment.gates.settle(admitted, ended())
    assert deployment.gates.state(config).circuit is CircuitState.CLOSED


def test_a_success_from_before_the_circuit_opened_does_not_open_it_again(
    deployment: Deployment, clock: FakeClock
) -> None:
    config, other = limited(), deployment.process()
    deployment.call(config)
    late = deployment.admit(config)
    for admitted in [other.admit(config, tokens=0, timeout_s=TIMEOUT_S) for _ in range(20)]:
        other.settle(admitted, ended(ProviderFailed("500")))
    assert deployment.gates.state(config).circuit is CircuitState.OPEN
    clock.advance(20)
    other.settle(other.admit(config, tokens=0, timeout_s=TIMEOUT_S), ended())
    deployment.gates.settle(late, ended())
    assert deployment.gates.state(config).circuit is CircuitState.CLOSED


def test_half_of_a_minute_s_calls_open_the_circuit_without_a_row(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    for _ in range(9):
        deployment.call(config, ProviderFailed("500"))
        deployment.call(config)
    clock.advance(60)
    for _ in range(9):
        deployment.call(config)
        deployment.call(config, ProviderFailed("500"))
    assert deployment.gates.state(config).circuit is CircuitState.CLOSED
    deployment.call(config)
    deployment.call(config, ProviderFailed("500"))
    assert deployment.gates.state(config).circuit is CircuitState.OPEN


def test_a_circuit_that_has_closed_again_forgets_what_failed_before(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    for _ in range(10):
        deployment.call(config)
        deployment.call(config, ProviderFailed("500"))
    assert deployment.gates.state(config).circuit is CircuitState.OPEN
    clock.advance(20)
    deployment.call(config)
    deployment.call(config, ProviderFailed("500"))
    assert deployment.gates.state(config).circuit is CircuitState.CLOSED


def test_after_the_cooldown_one_trial_passes_and_its_success_closes(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    opened(deployment, config)
    clock.advance(20)
    assert deployment.gates.state(config).circuit is CircuitState.HALF_OPEN
    trial = deployment.process().admit(config, tokens=0, timeout_s=TIMEOUT_S)
    for gates in (deployment.gates, deployment.process()):
        with refused(CircuitOpen, TIMEOUT_S):
            gates.admit(config, tokens=0, timeout_s=TIMEOUT_S)
    deployment.gates.settle(trial, ended())
    deployment.admit(config)
    deployment.admit(config)


def test_a_trial_that_fails_opens_again(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    opened(deployment, config)
    clock.advance(20)
    trial = deployment.admit(config)
    clock.advance(5)
    deployment.gates.settle(trial, ended(ProviderTimeout("too long")))
    with refused(CircuitOpen, 20):
        deployment.admit(config)


def test_a_trial_that_says_nothing_makes_room_for_the_next(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    opened(deployment, config)
    clock.advance(20)
    deployment.call(config, ProviderRejected("400"))
    assert deployment.gates.state(config).circuit is CircuitState.HALF_OPEN
    deployment.call(config)
    assert deployment.gates.state(config).circuit is CircuitState.CLOSED


def test_a_trial_that_dies_is_replaced_and_has_no_say_any_more(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    opened(deployment, config)
    clock.advance(20)
    dead = deployment.admit(config)
    clock.advance(TIMEOUT_S)
    replacement = deployment.admit(config)
    deployment.gates.settle(dead, ended())
    with refused(CircuitOpen, TIMEOUT_S):
        deployment.admit(config)
    deployment.gates.settle(replacement, ended())
    deployment.admit(config)


def test_failures_from_before_the_circuit_opened_do_not_open_it_again(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    stragglers = [deployment.admit(config) for _ in range(10)]
    opened(deployment, config)
    clock.advance(20)
    deployment.call(config)
    for straggler in stragglers:
        deployment.gates.settle(straggler, ended(ProviderTimeout("too long")))
    state = deployment.gates.state(config)
    assert state.circuit is CircuitState.CLOSED
    assert state.last_error == LastError(code="provider_timeout", at=clock.now(), detail="too long")


def test_a_success_from_before_does_not_close_an_open_circuit(deployment: Deployment) -> None:
    config = limited()
    straggler = deployment.admit(config)
    opened(deployment, config)
    deployment.gates.settle(straggler, ended())
    with refused(CircuitOpen, 20):
        deployment.admit(config)


# The provider's own limit


def test_a_provider_that_asks_for_a_pause_gets_it_from_every_process(deployment: Deployment, clock: FakeClock) -> None:
    config, other = limited(), deployment.process()
    other.settle(other.admit(config, tokens=0, timeout_s=TIMEOUT_S), ended())
    deployment.call(config, ProviderRateLimited("429", retry_after_s=7.5))
    with refused(ProviderRateLimited, 7.5):
        deployment.admit(config)
    clock.advance(1)  # The other has looked a moment before, and looks again after a second.
    for gates in (deployment.gates, other):
        with refused(ProviderRateLimited, 6.5):
            gates.admit(config, tokens=0, timeout_s=TIMEOUT_S)
    clock.advance(6.5)
    deployment.admit(config)


def test_a_shorter_pause_does_not_end_a_longer_one(deployment: Deployment) -> None:
    config = limited()
    first, second = deployment.admit(config), deployment.admit(config)
    deployment.gates.settle(first, ended(ProviderRateLimited("429", retry_after_s=30)))
    deployment.gates.settle(second, ended(ProviderRateLimited("429", retry_after_s=3)))
    with refused(ProviderRateLimited, 30):
        deployment.admit(config)


def test_no_pause_is_longer_than_an_hour(deployment: Deployment) -> None:
    config = limited()
    deployment.call(config, ProviderRateLimited("429", retry_after_s=10_000_000))
    with refused(ProviderRateLimited, 3600):
        deployment.admit(config)
