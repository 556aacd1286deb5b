"""What `make audit` checks with, in an environment of its own: its packages are nobody else's."""

import sys
from pathlib import Path

from workshop import environment, fingerprint
from workshop.places import AUDIT_LOCK, AUDIT_VENV
from workshop.steps import Steps


def prepare(steps: Steps, *, venv: Path = AUDIT_VENV) -> None:
    """Make `.cache/audit` hold what `audit.lock` says."""
    digest = fingerprint.fingerprint(AUDIT_LOCK)
    stamp = venv / "stamp"
    if fingerprint.is_current(stamp, digest):
        return
    with steps.step("Auditors"):
        environment.create(venv, python=sys.executable)
        environment.install("--require-hashes", "--requirements", AUDIT_LOCK, python=venv / "bin" / "python")
    fingerprint.write(stamp, digest)
