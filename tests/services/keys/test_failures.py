"""Failed authentication by address: refused as before, then told to wait, and never in the way of the right key."""

import pytest
from llm_gateway.domain.failed_attempts import FAILURES
from llm_gateway.errors import DependencyUnavailable, GatewayError, RateLimited, SignatureInvalid, Unauthenticated
from llm_gateway.services.keys.failures import Failures

from tests.adapters.clock import FakeClock
from tests.adapters.failed_attempts import InMemoryFailedAttempts

ADDRESS = "203.0.113.9"
REFUSAL = Unauthenticated("The API key is not valid.")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def attempts() -> InMemoryFailedAttempts:
    return InMemoryFailedAttempts()


@pytest.fixture
def failures(clock: FakeClock, attempts: InMemoryFailedAttempts) -> Failures:
    return Failures(attempts=attempts, clock=clock)


def flood(failures: Failures, address: str = ADDRESS) -> GatewayError:
    for _ in range(FAILURES.burst):
        assert failures.answer(REFUSAL, address=address) is REFUSAL
    return failures.answer(REFUSAL, address=address)


@pytest.mark.holds("API2")
def test_an_address_that_fails_too_often_is_told_to_wait(failures: Failures, clock: FakeClock) -> None:
    told = flood(failures)
    assert isinstance(told, RateLimited)
    assert (told.status, told.code) == (429, "rate_limited")
    assert told.retry_after_s is not None
    clock.advance(told.retry_after_s / 2)
    halfway = failures.answer(REFUSAL, address=ADDRESS)
    assert halfway.retry_after_s == pytest.approx(told.retry_after_s / 2)
    clock.advance(told.retry_after_s / 2)
    assert failures.answer(REFUSAL, address=ADDRESS) is REFUSAL


def test_while_an_address_waits_its_failures_cost_nothing(failures: Failures, attempts: InMemoryFailedAttempts) -> None:
    flood(failures)
    calls = len(attempts.items.calls)
    for _ in range(50):
        assert isinstance(failures.answer(SignatureInvalid(), address=ADDRESS), RateLimited)
    assert len(attempts.items.calls) == calls


def test_every_process_knows_of_the_others_failures(clock: FakeClock, attempts: InMemoryFailedAttempts) -> None:
    flood(Failures(attempts=attempts, clock=clock))
    assert isinstance(Failures(attempts=attempts, clock=clock).answer(REFUSAL, address=ADDRESS), RateLimited)


def test_other_addresses_are_not_told_to_wait(failures: Failures) -> None:
    flood(failures)
    assert failures.answer(REFUSAL, address="203.0.113.10") is REFUSAL


def test_an_ipv6_network_is_one_address(failures: Failures) -> None:
    flood(failures, "2001:db8:1:2::1")
    assert isinstance(failures.answer(REFUSAL, address="2001:db8:1:2:ffff::9"), RateLimited)
    assert failures.answer(REFUSAL, address="2001:db8:1:3::1") is REFUSAL


@pytest.mark.parametrize("address", [None, "", "testclient"])
def test_an_unknown_address_is_not_limited(
    failures: Failures, attempts: InMemoryFailedAttempts, address: str | None
) -> None:
    for _ in range(FAILURES.burst + 1):
        assert failures.answer(REFUSAL, address=address) is REFUSAL
    assert attempts.items.calls == []


def test_a_refusal_stays_one_while_nothing_can_be_counted(failures: Failures, attempts: InMemoryFailedAttempts) -> None:
    attempts.items.fault = DependencyUnavailable("away")
    for _ in range(FAILURES.burst + 1):
        assert failures.answer(REFUSAL, address=ADDRESS) is REFUSAL
