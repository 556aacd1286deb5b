"""Compile a layer ahead of time: Lambda's file system is read-only, so without `.pyc` every cold start compiles anew."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from workshop import interpreters


def interpreter(python: str) -> str | None:
    """An interpreter of exactly the version `python` ("3.13") on this machine, or None: bytecode of another is useless."""
    if python == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    found = interpreters.find(python)
    return None if found is None else str(found)


def compile_tree(directory: Path, *, python: str, instead: Callable[[Path], bool] = lambda _: False) -> None:
    """Write a `.pyc` for every module under `directory`, which Lambda will see as /opt; say so where none can be made.

    A module of which `instead` is true has its bytecode in the place of its source.
    """
    executable = interpreter(python)
    if executable is None:
        print(  # noqa: T201
            f"note: no Python {python} on this machine, so the layer carries no bytecode and starts more slowly; "
            f"`uv python install {python}` brings one.",
            file=sys.stderr,
        )
        return
    # Unchecked: nobody edits a layer in place, and a check would cost a stat and a hash for every import.
    command = [executable, "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"]
    subprocess.run(  # noqa: S603
        [*command, "-s", str(directory), "-p", "/opt", str(directory)],
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "0"},
    )
    for source in sorted(directory.rglob("*.py")):
        if instead(source):
            _put_in_its_place(source, python)


def _put_in_its_place(source: Path, python: str) -> None:
    compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-{python.replace('.', '')}.pyc"
    # Some modules are no Python that this version can compile, and are for another.
    if compiled.exists():
        compiled.rename(source.with_suffix(".pyc"))
        source.unlink()
        if not any(compiled.parent.iterdir()):
            compiled.parent.rmdir()
