"""Providers' gates: what passes, what a refusal says, and what is left behind by those who never report."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.chat import ChatAnswer, FinishReason, Usage
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import (
    CallTooLarge,
    CircuitOpen,
    ProviderAuthFailed,
    ProviderBusy,
    ProviderFailed,
    ProviderFault,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
    ResponseValidationFailed,
)
from llm_gateway.domain.gates import Admission
from llm_gateway.domain.health import Health
from llm_gateway.domain.metrics import CallResult, LastError, LatencyMs
from llm_gateway.domain.providers import CircuitPolicy, ProviderConfig, ProviderLimits
from llm_gateway.domain.writes import Equal, Write
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.stores.gates import TRIES, StoredProviderGates
from llm_gateway.stores.items import DynamoItems, Items, Outcome

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.items import InMemoryItems
from tests.stores.values import provider

TIMEOUT_S = 30
FAULTS_OF_THE_PROVIDER = [
    ProviderUnreachable,
    ProviderFailed,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderAuthFailed,
]


@dataclass
class Deployment:
    """One table of limits, and as many processes on it as a test wants."""

    items: Items
    clock: Clock
    ids: Ids
    gates: StoredProviderGates = field(init=False)

    def __post_init__(self) -> None:
        self.gates = self.process()

    def process(self) -> StoredProviderGates:
        return StoredProviderGates(items=self.items, clock=self.clock, ids=self.ids)

    def admit(self, config: ProviderConfig, *, tokens: int = 0) -> Admission:
        return self.gates.admit(config, tokens=tokens, timeout_s=TIMEOUT_S)

    def call(self, config: ProviderConfig, fault: ProviderFault | None = None) -> None:
        self.gates.settle(self.admit(config), ended(fault))

    def pass_until_refused(self, config: ProviderConfig, *, tokens: int = 0) -> tuple[int, ProviderFault]:
        """How many calls pass now, and what the next is told."""
        passed = 0
        while True:
            try:
                self.admit(config, tokens=tokens)
            except ProviderFault as refusal:
                return passed, refusal
            passed += 1


@pytest.fixture(params=["memory", "aws"])
def deployment(request: pytest.FixtureRequest, clock: FakeClock, ids: FakeIds) -> Deployment:
    if request.param == "memory":
        return Deployment(InMemoryItems(), clock, ids)
    aws, settings = request.getfixturevalue("aws"), request.getfixturevalue("settings")
    table = DynamoItems(aws=aws, table=settings.limits_table, key_name="scope", holding="limits")
    return Deployment(table, clock, ids)


def limited(**limits: int) -> ProviderConfig:
    policy = CircuitPolicy(failure_threshold=3, cooldown_s=20)
    return provider(limits=ProviderLimits(**limits), circuit=policy)


def ended(fault: ProviderFault | None = None, **changes: Any) -> CallResult:
    usage = None if fault else Usage(input_tokens=8, output_tokens=2)
    result: dict[str, Any] = {"latency_ms": 100, "usage": usage, "cost_usd": None, "fault": fault}
    return CallResult(**{**result, **changes})


@contextmanager
def refused(kind: type[ProviderFault], retry_after_s: float) -> Iterator[None]:
    with pytest.raises(ProviderFault) as caught:
        yield
    assert type(caught.value) is kind
    assert caught.value.retry_after_s == retry_after_s


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


def opened(deployment: Deployment, config: ProviderConfig) -> None:
    for _ in range(config.circuit.failure_threshold):
        if deployment.gates.state(config).circuit is CircuitState.CLOSED:
            deployment.call(config, ProviderFailed("500"))
    assert deployment.gates.state(config).circuit is CircuitState.OPEN


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


# Status


def test_the_status_tells_what_happened(deployment: Deployment, clock: FakeClock) -> None:
    config = limited(requests_per_minute=100, tokens_per_minute=100_000)
    began = clock.now()
    usage = Usage(input_tokens=812, output_tokens=95)
    for _ in range(3):
        deployment.gates.settle(deployment.admit(config, tokens=1000), ended(usage=usage, cost_usd=Decimal("0.000393")))
    clock.advance(1)
    deployment.call(config, ProviderAuthFailed("Refused.", upstream_status=401, provider_message="Wrong key."))
    deployment.call(config, ProviderFailed("500"))
    state = deployment.gates.state(config)
    assert state.circuit is CircuitState.CLOSED
    assert state.retry_at is None
    assert state.last_success_at == began
    assert state.last_error == LastError(code="provider_error", at=began + timedelta(seconds=1), detail="500")
    assert (state.requests_remaining, state.tokens_remaining) == (16, 18_612)
    assert (state.metrics.requests, state.metrics.errors, state.metrics.error_rate) == (5, 2, 0.4)
    assert (state.metrics.input_tokens, state.metrics.output_tokens) == (2436, 285)
    assert state.metrics.cost_usd == Decimal("0.001179")
    assert state.metrics.latency_ms == LatencyMs(p50=97, p95=97, p99=97)


def test_the_last_error_tells_what_the_provider_said(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    said = "Wrong key. " + "x" * 1000
    deployment.call(config, ProviderAuthFailed("Refused.", upstream_status=401, provider_message=said))
    error = deployment.gates.state(config).last_error
    assert error is not None
    assert (error.code, error.upstream_status) == ("provider_auth_failed", 401)
    assert (error.detail or "").startswith("Refused: Wrong key.")
    assert len(error.detail or "") == 400


def test_the_words_of_an_answer_are_no_part_of_the_last_error(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    answer = ChatAnswer(text="Ada", finish_reason=FinishReason.STOP, model="m", usage=Usage())
    deployment.call(config, ResponseValidationFailed("It is 'Ada'.", answer=answer, complaint="it is 'Ada'"))
    error = deployment.gates.state(config).last_error
    assert error is not None
    assert "Ada" not in (error.detail or "")


def test_the_last_success_is_told_to_the_second_though_the_gate_is_told_once_a_minute(
    deployment: Deployment, clock: FakeClock
) -> None:
    for _ in range(3):
        deployment.call(limited())
        clock.advance(7)
    assert deployment.gates.state(limited()).last_success_at == clock.now() - timedelta(seconds=7)


def test_metrics_look_back_five_minutes(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    deployment.call(config)
    for _ in range(4):
        clock.advance(60)
        deployment.call(config)
    assert deployment.gates.state(config).metrics.requests == 5
    clock.advance(60)
    assert deployment.gates.state(config).metrics.requests == 4
    clock.advance(600)
    assert deployment.gates.state(config).metrics.requests == 0


def test_an_unused_provider_is_healthy(deployment: Deployment) -> None:
    state = deployment.gates.state(limited())
    assert state.health(enabled=True) is Health.HEALTHY
    assert state.health(enabled=False) is Health.DISABLED
    assert (state.last_success_at, state.last_error, state.requests_remaining) == (None, None, None)


def test_a_provider_in_trouble_says_how_it_is(deployment: Deployment, clock: FakeClock) -> None:
    config = limited()
    deployment.call(config, ProviderFailed("500"))
    assert deployment.gates.state(config).health(enabled=True) is Health.DEGRADED
    opened(deployment, config)
    state = deployment.gates.state(config)
    assert (state.health(enabled=True), state.retry_at) == (Health.UNAVAILABLE, clock.now() + timedelta(seconds=20))
    clock.advance(20)
    assert deployment.gates.state(config).health(enabled=True) is Health.DEGRADED
    deployment.call(config)
    clock.advance(300)
    assert deployment.gates.state(config).health(enabled=True) is Health.HEALTHY


# A table that fails


@pytest.fixture
def failing(clock: FakeClock, ids: FakeIds) -> tuple[Deployment, InMemoryItems]:
    items = InMemoryItems()
    return Deployment(items, clock, ids), items


def test_without_its_table_the_gate_stays_shut(failing: tuple[Deployment, InMemoryItems]) -> None:
    deployment, items = failing
    items.fault = DependencyUnavailable("gone", retry_after_s=2)
    for config in (limited(), limited(requests_per_minute=20)):
        with pytest.raises(DependencyUnavailable):
            deployment.admit(config)


@pytest.mark.parametrize("fault", [DependencyUnavailable("gone", retry_after_s=2), RuntimeError("a bug")])
def test_an_answer_goes_out_though_its_end_cannot_be_noted(
    failing: tuple[Deployment, InMemoryItems], clock: FakeClock, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    deployment, items = failing
    config = limited(tokens_per_minute=1000, max_concurrent=1)
    admitted = deployment.admit(config, tokens=200)
    items.fault = fault
    deployment.gates.settle(admitted, ended())
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    items.fault = None
    clock.advance(TIMEOUT_S)
    deployment.admit(config, tokens=200)


def test_a_success_takes_one_write_before_the_call_and_two_at_once_after_it(
    failing: tuple[Deployment, InMemoryItems],
) -> None:
    deployment, items = failing
    config = limited(requests_per_minute=100, tokens_per_minute=100_000, max_concurrent=5)
    deployment.call(config)
    for _ in range(5):
        items.calls.clear()
        admitted = deployment.admit(config, tokens=10)
        assert [verb for verb, _ in items.calls] == ["write"]
        deployment.gates.settle(admitted, ended())
        assert [verb for verb, _ in items.calls] == ["write"] * 3


def test_without_limits_the_gate_is_looked_at_once_a_second_and_told_nothing_that_it_knows(
    failing: tuple[Deployment, InMemoryItems], clock: FakeClock
) -> None:
    deployment, items = failing
    deployment.call(limited())
    items.calls.clear()
    for second in range(3):
        for _ in range(5):
            deployment.call(limited())
        counted, looked = ("write", "#minute#"), ("read", "#0")
        assert [(verb, "#minute#" if "#minute#" in keys[0] else keys[0][-2:]) for verb, keys in items.calls] == (
            [looked] * (second > 0) + [counted] * 5
        )
        items.calls.clear()
        clock.advance(1)


def test_a_call_that_is_not_made_costs_nothing_where_nothing_was_taken(
    failing: tuple[Deployment, InMemoryItems],
) -> None:
    deployment, items = failing
    admitted = deployment.admit(limited())
    items.calls.clear()
    deployment.gates.withdraw(admitted)
    assert items.calls == []


def test_an_open_circuit_and_a_pause_refuse_without_asking(
    failing: tuple[Deployment, InMemoryItems], clock: FakeClock
) -> None:
    deployment, items = failing
    paused, broken = limited(), provider("broken", circuit=CircuitPolicy(failure_threshold=1))
    deployment.call(paused, ProviderRateLimited("429", retry_after_s=7))
    deployment.call(broken, ProviderFailed("500"))
    items.calls.clear()
    clock.advance(1)
    for config in (paused, broken):
        assert deployment.pass_until_refused(config)[0] == 0
    assert items.calls == []


def test_a_full_gate_refuses_at_the_price_of_a_read(failing: tuple[Deployment, InMemoryItems]) -> None:
    deployment, items = failing
    config = limited(requests_per_minute=20)
    deployment.pass_until_refused(config)
    items.calls.clear()
    assert deployment.pass_until_refused(config)[0] == 0
    assert [verb for verb, _ in items.calls] == ["read"]


def test_a_gate_that_never_stands_still_is_given_up(clock: FakeClock, ids: FakeIds) -> None:
    items = Restless()
    deployment = Deployment(items, clock, ids)
    config = limited(max_concurrent=2)
    admitted = deployment.admit(config)
    items.calls.clear()
    items.restless = True
    with pytest.raises(DependencyUnavailable):
        deployment.admit(config)
    assert len(items.calls) == TRIES
    deployment.gates.settle(admitted, ended())


@dataclass
class Restless(InMemoryItems):
    """As if somebody else always came in between."""

    restless: bool = False

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        others = (Equal("turn", "mine"),) if self.restless else ()
        return super().write(key, Write((*write.conditions, *others), write.changes), repeatable=repeatable)
