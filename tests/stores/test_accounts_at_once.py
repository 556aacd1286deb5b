"""One key's account under four processes at once, some of which are killed: a budget holds, and so do limits."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import llm_gateway
import pytest
from llm_gateway.errors import BudgetExceeded
from llm_gateway.stores.items import DynamoItems

from tests.adapters.aws import connect, deploy
from tests.stores.accounting import LASTS_S, Deployment, account

ROOT = Path(__file__).parents[2]
PACKAGE = Path(llm_gateway.__file__).parents[1]
PROCESSES, QUERIES, THREADS = 4, 125, 8
CENT = Decimal("0.01")

Process = subprocess.Popen[str]


@contextmanager
def processes(*tasks: dict[str, Any]) -> Iterator[list[Process]]:
    """One for each task, all of them at their start."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(PACKAGE)))}
    command = [sys.executable, "-m", "tests.stores.account_process"]
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                subprocess.Popen(
                    command, cwd=ROOT, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
            for _ in tasks
        ]
        for process, task in zip(started, tasks, strict=True):
            _say(process, json.dumps(task))
        assert {_heard(process) for process in started} == {"ready"}
        for process in started:
            _say(process, "go")
        yield started


def _say(process: Process, line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _heard(process: Process) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _all_heard(process: Process) -> Counter[str]:
    heard: Counter[str] = Counter()
    while (line := _heard(process)) not in ("done", ""):
        heard[line] += 1
    return heard


@pytest.fixture
def deployment(emulator: str) -> Deployment:
    aws = connect(emulator)
    table = deploy(aws, name=f"test-{uuid4().hex[:12]}").limits_table
    return Deployment(DynamoItems(aws=aws, table=table, key_name="scope", holding="limits"))


def task(deployment: Deployment, endpoint: str, **more: Any) -> dict[str, Any]:
    assert isinstance(deployment.items, DynamoItems)
    plain = {"usd": "0", "answer_s": 0, "threads": THREADS, "queries": QUERIES}
    return {"endpoint": endpoint, "table": deployment.items._table, **plain, **more}


def test_a_dollar_is_spent_once_whichever_process_is_killed(deployment: Deployment, emulator: str) -> None:
    """500 queries of a cent; two of the four processes die while they wait for answers."""
    dollar = account(budget="1")
    met: Counter[str] = Counter()
    quick = task(deployment, emulator, account={"budget": "1"}, usd=str(CENT), answer_s=0.02)
    with processes(quick, quick, quick | {"answer_s": 1}, quick | {"answer_s": 1}) as started:
        for victim in started[2:]:
            met[_heard(victim)] += 1
            victim.kill()
        for process in started:
            met += _all_heard(process)
    state, standing = deployment.state(dollar), deployment.standing()
    deployment.check_books()
    killed_at = len(standing.held)
    assert killed_at >= 1, "somebody died with a reservation"
    assert met["spent"] * CENT <= state.spent_usd <= 1 + CENT
    # A process may die between its last settlement and its word of it.
    assert state.spent_usd <= (met["spent"] + 2 * THREADS) * CENT
    assert met["BudgetExceeded"] >= 1
    assert set(met) == {"taken", "spent", "BudgetExceeded"}
    # Nobody else can have what the dead reserved, until they would have been done.
    assert state.remaining_usd == 1 - state.spent_usd - killed_at * CENT == 0
    assert isinstance(deployment.take(dollar, usd=CENT).refusal, BudgetExceeded)
    deployment.clock.advance(LASTS_S + 1)
    for _ in range(killed_at):
        deployment.settle(deployment.taken(dollar, usd=CENT), usd=CENT)
    assert isinstance(deployment.take(dollar, usd=CENT).refusal, BudgetExceeded)
    assert deployment.state(dollar).spent_usd == 1


def test_limits_hold_for_all_processes_together(deployment: Deployment, emulator: str) -> None:
    limits = {"requests_per_minute": 100, "budget": "1000"}
    met: Counter[str] = Counter()
    with processes(*[task(deployment, emulator, account=limits, usd=str(CENT), queries=25)] * PROCESSES) as started:
        for process in started:
            met += _all_heard(process)
    assert met == {"taken": 20, "spent": 20, "RateLimited": PROCESSES * 25 - 20}
    assert deployment.state(account(budget="1000")).spent_usd == 20 * CENT
    deployment.check_books()
