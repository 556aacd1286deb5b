"""The verbs of the Makefile, as a user types them with an AWS that is there."""

import os
import subprocess
from typing import Final

from workshop.places import ROOT

TIMEOUT_S: Final = 1200


def make(verb: str, *, endpoint: str, arguments: str) -> str:
    """What a verb prints that ends well."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAKE", "COV"))}
    ended = subprocess.run(
        ["make", verb, f"ARGS={arguments}"],
        cwd=ROOT,
        env=inherited | {"AWS_ENDPOINT_URL": endpoint},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def commands(printed: str) -> list[str]:
    """The lines that a verb says to try in a shell."""
    lines = [line.strip() for line in printed.splitlines()]
    return [line for line in lines if line.startswith(("export ", "llm-gateway "))]
