"""What `make audit` checks with, in an environment of its own: its packages are nobody else's."""

from pathlib import Path

from workshop import environment
from workshop.places import AUDIT_LOCK, AUDIT_VENV
from workshop.steps import Steps


def prepare(steps: Steps, *, venv: Path = AUDIT_VENV) -> None:
    """Make `.cache/audit` hold what `audit.lock` says."""
    environment.prepare_apart(steps, "Auditors", venv=venv, lock=AUDIT_LOCK)
