"""Build the gateway layer: the shared package as it stands, with its bytecode."""

import shutil
from pathlib import Path

from layers.bytecode import compile_tree, interpreter
from layers.cache import LAYERS, cached

_SOURCE = LAYERS / "gateway" / "python"


def build(*, python: str) -> Path:
    """The layer's directory for Python `python` ("3.13")."""
    files = sorted(path for path in _SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    contents = (part for path in files for part in (str(path.relative_to(_SOURCE)).encode(), path.read_bytes()))

    def fill(directory: Path) -> None:
        shutil.copytree(_SOURCE, directory / "python", ignore=shutil.ignore_patterns("__pycache__"))
        compile_tree(directory, python=python)

    return cached("gateway", (*contents, python.encode(), str(interpreter(python) is not None).encode()), fill)
