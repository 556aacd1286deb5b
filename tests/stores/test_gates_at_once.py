"""Gates under many callers at once: as many pass as may, however many threads and processes ask."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import llm_gateway
import pytest
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import ProviderFailed, ProviderRateLimited
from llm_gateway.domain.limits import Limit, in_seconds
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import ProviderConfig, ProviderLimits
from llm_gateway.instruments.system import RandomIds
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.gates import StoredProviderGates, dynamo_provider_gates
from llm_gateway.stores.items import DynamoItems, Items

from tests.adapters.aws import connect, deploy
from tests.adapters.clock import FakeClock
from tests.adapters.items import InMemoryItems
from tests.stores.gate_process import TIMEOUT_S, ask_at_once
from tests.stores.values import provider

ROOT = Path(__file__).parents[2]
PACKAGE = Path(llm_gateway.__file__).parents[1]
PROCESSES, THREADS = 4, 50

CASES = pytest.mark.parametrize(
    ("limits", "tokens", "passing", "told"),
    [
        pytest.param({"requests_per_minute": 100}, 0, 20, "ProviderRateLimited", id="requests"),
        pytest.param({"tokens_per_minute": 50_000}, 500, 20, "ProviderRateLimited", id="tokens"),
        pytest.param({"max_concurrent": 7}, 0, 7, "ProviderBusy", id="places"),
        pytest.param({"requests_per_minute": 18_000, "burst": 40}, 0, 40, "ProviderRateLimited", id="sharded"),
    ],
)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Processes that do what they are told at one moment."""

    processes: "Sequence[subprocess.Popen[str]]"

    def asks(self, task: dict[str, Any]) -> tuple[Counter[str], float]:
        """What all of them met together that did this task, and the shortest wait that one was told."""
        self._say(json.dumps(task))
        assert self._heard() == ["ready"] * len(self.processes)
        self._say("go")
        reports = [json.loads(line) for line in self._heard()]
        met: Counter[str] = Counter()
        for report in reports:
            met.update(report["met"])
        return met, min(report["wait_s"] for report in reports)

    def _say(self, line: str) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(line + "\n")
            process.stdin.flush()

    def _heard(self) -> list[str]:
        return [process.stdout.readline().strip() for process in self.processes if process.stdout is not None]


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(PACKAGE)))}
    command = [sys.executable, "-m", "tests.stores.gate_process"]
    with ExitStack() as stack:
        # They end when nobody tells them anything any more.
        yield Crowd(
            [
                stack.enter_context(
                    subprocess.Popen(
                        command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                    )
                )
                for _ in range(PROCESSES)
            ]
        )


@pytest.fixture(scope="module")
def emulated_aws(emulator: str) -> Aws:
    return connect(emulator)


@pytest.fixture
def emulated_table(emulated_aws: Aws) -> str:
    return deploy(emulated_aws, name=f"test-{uuid4().hex[:12]}").limits_table


@pytest.fixture(params=["memory", "moto", "ministack"])
def items(request: pytest.FixtureRequest) -> Items:
    if request.param == "memory":
        return InMemoryItems()
    emulated = request.param == "ministack"
    aws: Aws = request.getfixturevalue("emulated_aws" if emulated else "aws")
    table = request.getfixturevalue("emulated_table") if emulated else request.getfixturevalue("settings").limits_table
    return DynamoItems(aws=aws, table=table, key_name="scope", holding="limits")


def gates_on(items: Items, clock: FakeClock) -> StoredProviderGates:
    return StoredProviderGates(items=items, clock=clock, ids=RandomIds())


def limited(**limits: int) -> ProviderConfig:
    return provider(limits=ProviderLimits(**limits))


def answered() -> CallResult:
    return CallResult(latency_ms=100, usage=None, cost_usd=None)


@CASES
def test_threads(items: Items, clock: FakeClock, limits: dict[str, int], tokens: int, passing: int, told: str) -> None:
    gates = gates_on(items, clock)
    met, _ = ask_at_once(gates, limited(**limits), callers=THREADS, tokens=tokens)
    assert met == {"passed": passing, told: THREADS - passing}


@CASES
def test_processes(
    crowd: Crowd, emulator: str, emulated_table: str, limits: dict[str, int], tokens: int, passing: int, told: str
) -> None:
    task = {"endpoint": emulator, "table": emulated_table, "limits": limits, "tokens": tokens, "after_s": 0}
    met, _ = crowd.asks({**task, "callers": THREADS})
    assert met == {"passed": passing, told: PROCESSES * THREADS - passing}


def test_what_processes_are_told_to_wait_is_true(
    crowd: Crowd, emulator: str, emulated_aws: Aws, emulated_table: str
) -> None:
    limits = {"requests_per_minute": 100}
    task = {"endpoint": emulator, "table": emulated_table, "limits": limits, "tokens": 0, "after_s": 0}
    _, wait_s = crowd.asks({**task, "callers": 10})
    assert wait_s == in_seconds(Limit.of(100).interval_ns)
    clock = FakeClock()
    clock.advance(wait_s)
    gates = dynamo_provider_gates(aws=emulated_aws, table=emulated_table, clock=clock, ids=RandomIds())
    gates.admit(limited(**limits), tokens=0, timeout_s=TIMEOUT_S)


@pytest.mark.parametrize("limits", [{}, {"requests_per_minute": 18_000}])
def test_of_many_that_meet_a_half_open_circuit_one_is_let_through(
    crowd: Crowd, emulator: str, emulated_aws: Aws, emulated_table: str, clock: FakeClock, limits: dict[str, int]
) -> None:
    config = limited(**limits)
    gates = dynamo_provider_gates(aws=emulated_aws, table=emulated_table, clock=clock, ids=RandomIds())
    while gates.state(config).circuit is CircuitState.CLOSED:
        admitted = gates.admit(config, tokens=0, timeout_s=TIMEOUT_S)
        gates.settle(admitted, CallResult(latency_ms=1, usage=None, cost_usd=None, fault=ProviderFailed("500")))
    task = {"endpoint": emulator, "table": emulated_table, "limits": limits, "tokens": 0}
    met, _ = crowd.asks({**task, "callers": 13, "after_s": config.circuit.cooldown_s + 600})
    assert met == {"passed": 1, "CircuitOpen": PROCESSES * 13 - 1}


def test_threads_that_settle_at_once_lose_nothing(items: Items, clock: FakeClock) -> None:
    config = limited(requests_per_minute=1000, tokens_per_minute=100_000, max_concurrent=THREADS)
    gates = gates_on(items, clock)
    admissions = [gates.admit(config, tokens=100, timeout_s=TIMEOUT_S) for _ in range(THREADS)]
    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda admitted: gates.settle(admitted, answered()), admissions))
    state = gates.state(config)
    assert state.metrics.requests == THREADS
    met, _ = ask_at_once(gates, config, callers=THREADS, tokens=0)
    assert met == {"passed": THREADS}


@pytest.mark.parametrize("limits", [{"requests_per_minute": 6, "burst": 2}, {"requests_per_minute": 10, "burst": 10}])
def test_over_hours_all_that_may_pass_does_and_nothing_more(items: Items, limits: dict[str, int]) -> None:
    """Two processes, each of which comes back exactly when it was told to; where items are really stored, for minutes."""
    hours = 2 if isinstance(items, InMemoryItems) else 0.25
    clock, limit = FakeClock(), Limit.of(limits["requests_per_minute"], burst=limits.get("burst"))
    processes, passed_s = [gates_on(items, clock), gates_on(items, clock)], []
    while True:
        try:
            processes[len(passed_s) % 2].admit(limited(**limits), tokens=0, timeout_s=TIMEOUT_S)
            passed_s.append(clock.monotonic_s())
        except ProviderRateLimited as refusal:
            clock.advance(refusal.retry_after_s or 0)
            if clock.monotonic_s() > hours * 3600:
                break
    # Waits are told in whole microseconds, which costs less than one call in a million.
    assert len(passed_s) == limit.burst + int(hours * 3600 * 1e9 / limit.interval_ns)
    counts = [sum(1 for at_s in passed_s if 0 <= at_s - from_s <= 60) for from_s in passed_s]
    assert max(counts) == limit.per_minute
