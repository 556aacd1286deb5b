"""What is measured is chosen by name."""

import os
import subprocess
import sys

from local_aws.synthesis import GATEWAY_PACKAGE
from workshop.places import ROOT


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(GATEWAY_PACKAGE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_what_an_account_costs_is_told_beside_a_key_without_one() -> None:
    told = bench("--account")
    assert told.returncode == 0, told.stderr
    assert [line.split()[-1] for line in told.stdout.splitlines() if line.startswith("a key without")] == ["1.00"]
    assert "with limits, a budget and five tags" in told.stdout


def test_a_function_that_is_not_there_is_named_with_those_that_are() -> None:
    refused = bench("run_qery")
    assert refused.returncode == 2
    assert "no such function: run_qery" in refused.stderr
    assert "run_query" in refused.stderr
