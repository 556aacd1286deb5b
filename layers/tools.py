"""Find the command line tools that builds run: those installed for this interpreter come before the machine's own."""

import sys
from pathlib import Path


def tool(name: str) -> str:
    """The tool `name` beside this interpreter, whose version is pinned, or the one on PATH."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else name
