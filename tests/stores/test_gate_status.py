"""What a provider's gate tells of itself, and what it does where its table fails."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import pytest
from llm_gateway.domain.chat import ChatAnswer, FinishReason, Usage
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderRateLimited,
    ResponseValidationFailed,
)
from llm_gateway.domain.health import Health
from llm_gateway.domain.metrics import LastError, LatencyMs
from llm_gateway.domain.providers import CircuitPolicy
from llm_gateway.domain.writes import Equal, Write
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.stores.gates import TRIES
from llm_gateway.stores.items import Outcome

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.items import InMemoryItems
from tests.stores.gated import TIMEOUT_S, Deployment, deployed, ended, limited, opened
from tests.stores.values import provider


@pytest.fixture(params=["memory", "aws"])
def deployment(request: pytest.FixtureRequest, clock: FakeClock, ids: FakeIds) -> Deployment:
    return deployed(request, clock, ids)


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
