"""LocalStack in an environment of its own: it wants another Python than the gateway, and older versions of what both use."""

from typing import Final

from workshop import commands, environment, fingerprint, interpreters
from workshop.places import LOCALSTACK, LOCALSTACK_LOCK, LOCALSTACK_PYTHON
from workshop.steps import Failure, Steps

PYTHON: Final = "3.13"
PYTHON_ADVICE: Final = (
    f"LocalStack needs Python {PYTHON}, and there is none on the PATH, in pyenv or in uv. "
    f"Bring one: `.venv/bin/uv python install {PYTHON}`, or `pyenv install {PYTHON}`."
)


def prepare(steps: Steps) -> None:
    """Make `.cache/localstack` hold what its lock says. Raises Failure where there is no Python for it."""
    digest = fingerprint.fingerprint(LOCALSTACK_LOCK)
    stamp = LOCALSTACK / "stamp"
    if fingerprint.is_current(stamp, digest) and LOCALSTACK_PYTHON.exists():
        return
    python = interpreters.find(PYTHON)
    if python is None:
        raise Failure(PYTHON_ADVICE)
    with steps.step("LocalStack") as step:
        step.detail = f"Python {PYTHON}, {LOCALSTACK_LOCK.name}"
        commands.run([environment.UV, "venv", "--clear", "--python", python, LOCALSTACK])
        environment.install("--require-hashes", "--requirements", LOCALSTACK_LOCK, python=LOCALSTACK_PYTHON)
    fingerprint.write(stamp, digest)
