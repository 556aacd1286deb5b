"""Failed authentication by address: so many in a minute, whichever process counts them, and then a time to wait that is true."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest
from llm_gateway.domain.failed_attempts import FAILURES
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.keys import FailedAttempts
from llm_gateway.stores.failed_attempts import dynamo_failed_attempts

from tests.adapters.aws import connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.failed_attempts import InMemoryFailedAttempts

ORIGIN = "203.0.113.9"


@pytest.fixture(params=["memory", "aws"])
def attempts(request: pytest.FixtureRequest) -> FailedAttempts:
    if request.param == "memory":
        return InMemoryFailedAttempts()
    settings = request.getfixturevalue("settings")
    return dynamo_failed_attempts(aws=request.getfixturevalue("aws"), table=settings.limits_table)


def test_so_many_are_let_pass_and_then_the_wait_is_told(attempts: FailedAttempts, clock: FakeClock) -> None:
    waits = [attempts.count(ORIGIN, now=clock.now()) for _ in range(FAILURES.burst + 2)]
    assert waits[: FAILURES.burst] == [None] * FAILURES.burst
    wait_s = waits[-1]
    assert wait_s is not None
    assert waits[-2] == wait_s
    clock.advance(wait_s - 0.001)
    assert attempts.count(ORIGIN, now=clock.now()) is not None
    clock.advance(0.001)
    assert attempts.count(ORIGIN, now=clock.now()) is None


def test_addresses_do_not_wait_for_each_other(attempts: FailedAttempts, clock: FakeClock) -> None:
    for _ in range(FAILURES.burst + 1):
        attempts.count(ORIGIN, now=clock.now())
    assert attempts.count("203.0.113.10", now=clock.now()) is None


def test_never_more_than_so_many_in_any_minute(clock: FakeClock) -> None:
    attempts, passed = InMemoryFailedAttempts(), []
    for _ in range(600):
        clock.advance(0.5)
        if attempts.count(ORIGIN, now=clock.now()) is None:
            passed.append(clock.now())
    minute = timedelta(seconds=60)
    assert max(sum(start <= at < start + minute for at in passed) for start in passed) <= FAILURES.per_minute


def test_what_is_counted_expires_but_not_before_it_has_drained(aws, settings, clock: FakeClock) -> None:
    dynamo_failed_attempts(aws=aws, table=settings.limits_table).count(ORIGIN, now=clock.now())
    (item,) = aws.dynamodb.scan(TableName=settings.limits_table)["Items"]
    drained_s = FAILURES.burst * FAILURES.interval_ns / 1_000_000_000
    assert int(item["expires_at"]["N"]) > clock.now().timestamp() + drained_s


def test_many_at_once_share_one_count(emulator: str, clock: FakeClock) -> None:
    aws = connect(emulator)
    attempts = dynamo_failed_attempts(aws=aws, table=deploy(aws, name=f"test-{uuid4().hex[:12]}").limits_table)

    def count(_: int) -> bool:
        try:
            return attempts.count(ORIGIN, now=clock.now()) is None
        except DependencyUnavailable:
            return False

    with ThreadPoolExecutor(16) as crowd:
        assert sum(crowd.map(count, range(64))) <= FAILURES.burst
