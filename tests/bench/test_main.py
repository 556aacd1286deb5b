"""What is measured is chosen by name."""

import os
import subprocess
import sys

from local_aws.synthesis import GATEWAY_PACKAGE
from workshop.places import ROOT


def test_a_function_that_is_not_there_is_named_with_those_that_are() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "bench", "run_qery"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(GATEWAY_PACKAGE)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode == 2
    assert "no such function: run_qery" in refused.stderr
    assert "run_query" in refused.stderr
