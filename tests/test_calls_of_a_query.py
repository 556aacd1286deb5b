"""A plain query does not grow heavier unnoticed: the functions of the product that it calls are counted and held to a number."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Each call costs well under a microsecond, but nobody sees a hundred of them come. A change that needs more of them changes
# this number, and its commit says what the query gets for them. `python -m tests.query_trace --all` names every one.
CALLS = 360
MOST_GROWTH = 0.05


@cache
def counted() -> dict[str, int]:
    """A process of its own: no other test has warmed anything up, and every thread is profiled from its start."""
    path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry)])
    done = subprocess.run(
        [sys.executable, "-m", "tests.query_trace"],
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")} | {"PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    summary: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return summary


def test_a_plain_query_calls_hardly_more_functions_than_it_did() -> None:
    calls = counted()["calls"]
    assert calls <= CALLS * (1 + MOST_GROWTH), f"{calls} calls, {calls / CALLS - 1:+.0%}: see CALLS above"


def test_the_number_is_of_now() -> None:
    """Where a query has become much lighter, the number says so: otherwise what was won is lost again unnoticed."""
    assert counted()["calls"] >= CALLS * (1 - MOST_GROWTH)
