"""Runs an installer quietly: its output is shown only when it fails, as the reason."""

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from workshop.steps import Failure

TAIL_LINES = 25


def run(
    command: Sequence[str | Path], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, advice: str = ""
) -> None:
    """Run `command` to its end with `env` added to the environment. Raises Failure with the output's tail and `advice`."""
    with tempfile.TemporaryFile("w+", errors="replace") as output:
        try:
            status = subprocess.run(
                command,
                cwd=cwd,
                env={**os.environ, **(env or {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            ).returncode
        except FileNotFoundError as error:
            raise Failure(f"{command[0]} is not there.\n{advice}".rstrip()) from error
        if status == 0:
            return
        output.seek(0)
        tail = "".join(output.readlines()[-TAIL_LINES:]).rstrip()
    name = Path(command[0]).name
    raise Failure(f"{name} ended with status {status}:\n\n{tail}\n\n{advice}".rstrip())
