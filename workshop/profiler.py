"""What `make profile` samples running processes with, in an environment of its own."""

from workshop import environment
from workshop.places import PROFILER_LOCK, PROFILER_VENV
from workshop.steps import Steps


def prepare(steps: Steps) -> None:
    """Make `.cache/profiler` hold what `profile.lock` says."""
    environment.prepare_apart(steps, "Profiler", venv=PROFILER_VENV, lock=PROFILER_LOCK)
