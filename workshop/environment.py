"""The virtual environment: made with the machine's own Python, filled by a pinned uv from the hashed lock."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from workshop import command_line, commands, fingerprint, node
from workshop.places import DEV_LOCK, STAMPS, UV_LOCK, VENV, VENV_BIN, VENV_PYTHON
from workshop.steps import Failure, Steps

OFFLINE_ADVICE: Final = (
    "Packages come from PyPI, or from the index that pip and uv are configured for; is it within reach?"
)
UV: Final = VENV_BIN / "uv"


def prepare(steps: Steps) -> None:
    """Make `.venv` hold what `requirements-dev.lock` says."""
    if not _works(VENV_PYTHON):
        with steps.step("Virtual environment"):
            create(VENV, python=sys.executable)
    digest = fingerprint.fingerprint(UV_LOCK, DEV_LOCK)
    stamp = STAMPS / "python"
    command_line.link()
    if fingerprint.is_current(stamp, digest):
        return
    with steps.step("Python packages") as step:
        step.detail = DEV_LOCK.name
        _install_uv()
        install("--require-hashes", "--requirements", DEV_LOCK)
        node.link()
    fingerprint.write(stamp, digest)


def prepare_apart(steps: Steps, name: str, *, venv: Path, lock: Path) -> None:
    """Make an environment of its own hold what `lock` says. Raises Failure, and leaves it unready, if that cannot be done."""
    digest = fingerprint.fingerprint(lock)
    stamp = venv / "stamp"
    if fingerprint.is_current(stamp, digest):
        return
    with steps.step(name) as step:
        step.detail = lock.name
        create(venv, python=sys.executable)
        install("--require-hashes", "--requirements", lock, python=venv / "bin" / "python")
    fingerprint.write(stamp, digest)


def install(*arguments: str | Path, python: Path = VENV_PYTHON) -> None:
    """`uv pip install` into the environment of `python`."""
    commands.run([UV, "pip", "install", "--python", python, *arguments], advice=OFFLINE_ADVICE)


def _works(python: Path) -> bool:
    return python.exists() and subprocess.run([python, "-c", ""], capture_output=True).returncode == 0


def create(venv: Path, *, python: str) -> None:
    """Make a virtual environment of `python` in `venv`. Raises Failure, and leaves nothing there, if that cannot be done."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        commands.run(
            [python, "-m", "venv", "--clear", venv],
            advice=f"Python's venv module is missing or broken. On Debian or Ubuntu: apt-get install python{version}-venv",
        )
    except Failure:
        shutil.rmtree(venv, ignore_errors=True)
        raise


def _install_uv() -> None:
    if subprocess.run([VENV_PYTHON, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        commands.run([VENV_PYTHON, "-m", "ensurepip"], advice="Remove .venv, so that it is made anew.")
    commands.run(
        [VENV_PYTHON, "-m", "pip", "install", "--require-hashes", "--requirement", UV_LOCK], advice=OFFLINE_ADVICE
    )
