"""Finds a Python of a certain version on this machine: on the PATH, among pyenv's, or among uv's own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from workshop.places import VENV_BIN


def find(version: str) -> Path | None:
    """A Python of exactly the version `version` ("3.13") that works, or None."""
    return next((path for path in _candidates(version) if _is(path, version)), None)


def _candidates(version: str) -> Iterator[Path]:
    for folder in os.get_exec_path():
        yield Path(folder) / f"python{version}"
    # pyenv's command on the PATH works for the versions alone that a user has chosen.
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(pyenv.glob(f"versions/{version}.*/bin/python"))
    found = _output(VENV_BIN / "uv", "python", "find", "--managed-python", "--no-python-downloads", version)
    yield Path(found or os.devnull)


def _is(path: Path, version: str) -> bool:
    told = "import sys; print(f'{sys.version_info.major}.{sys.version_info.minor}')"
    return path.is_file() and _output(path, "-c", told) == version


def _output(*command: str | Path) -> str:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return ended.stdout.strip() if ended.returncode == 0 else ""


if __name__ == "__main__":
    sys.exit(find(sys.argv[1]) is None)
