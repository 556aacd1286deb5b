"""What builds the site of docs/, in an environment of its own: its packages are nobody else's."""

import sys
from pathlib import Path

from workshop import environment, fingerprint
from workshop.places import SITE_LOCK, SITE_VENV
from workshop.steps import Steps


def prepare(steps: Steps, *, venv: Path = SITE_VENV) -> None:
    """Make `.cache/docs` hold what `docs.lock` says."""
    digest = fingerprint.fingerprint(SITE_LOCK)
    stamp = venv / "stamp"
    if fingerprint.is_current(stamp, digest):
        return
    with steps.step("Site generator"):
        environment.create(venv, python=sys.executable)
        environment.install("--require-hashes", "--requirements", SITE_LOCK, python=venv / "bin" / "python")
    fingerprint.write(stamp, digest)
