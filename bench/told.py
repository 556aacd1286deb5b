"""Measurements that run among the tests' doubles, each in a process of its own, and tell their figures as lines of JSON."""

import json
import os
import subprocess
import sys
from typing import Any

from workshop.places import ROOT
from workshop.steps import Failure


def told_by(module: str) -> list[dict[str, Any]]:
    """What `python -m module` prints."""
    run = subprocess.run([sys.executable, "-m", module], cwd=ROOT, env=os.environ, capture_output=True, text=True)
    if run.returncode:
        raise Failure(f"{module} failed:\n{run.stderr}")
    return [json.loads(line) for line in run.stdout.splitlines()]
