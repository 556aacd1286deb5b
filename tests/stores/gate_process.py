"""A process of its own that asks gates for many calls at once: `python -m tests.stores.gate_process`, tasks as JSON on stdin.

For each it says `ready`, waits for a line, lets all its threads go at one moment, and prints how many met what.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import Any

from llm_gateway.domain.faults import ProviderFault
from llm_gateway.domain.providers import ProviderConfig, ProviderLimits
from llm_gateway.instruments.system import RandomIds
from llm_gateway.stores.gates import StoredProviderGates, dynamo_provider_gates

from tests.adapters.aws import connect
from tests.adapters.clock import FakeClock
from tests.stores.values import provider

TIMEOUT_S = 30

aws_at = cache(connect)


def ask_at_once(
    gates: StoredProviderGates, config: ProviderConfig, *, callers: int, tokens: int
) -> tuple[Counter[str], float]:
    """What became of `callers` calls that all began at one moment (by name), and the shortest wait that one was told."""
    barrier, waits = Barrier(callers), [float("inf")]

    def ask(_: int) -> str:
        barrier.wait()
        try:
            gates.admit(config, tokens=tokens, timeout_s=TIMEOUT_S)
        except ProviderFault as refusal:
            waits.append(refusal.retry_after_s or 0)
            return type(refusal).__name__
        return "passed"

    with ThreadPoolExecutor(callers) as threads:
        met = Counter(threads.map(ask, range(callers)))
    return met, min(waits)


def main(task: dict[str, Any], wait_for_start: Callable[[], object]) -> None:
    clock = FakeClock()
    clock.advance(task["after_s"])
    gates = dynamo_provider_gates(aws=aws_at(task["endpoint"]), table=task["table"], clock=clock, ids=RandomIds())
    gates.state(provider("somebody-else"))  # Connects.
    print("ready", flush=True)
    wait_for_start()
    config = provider(limits=ProviderLimits(**task["limits"]))
    met, wait_s = ask_at_once(gates, config, callers=task["callers"], tokens=task["tokens"])
    print(json.dumps({"met": met, "wait_s": wait_s}), flush=True)


if __name__ == "__main__":
    while line := sys.stdin.readline():
        main(json.loads(line), sys.stdin.readline)
