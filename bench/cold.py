"""Cold starts: from the start of a function's process to its first wait for an event."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench.built import Built
from local_aws.runtime_api import running

# Slow to import, and needed by some requests only.
HEAVY: Final = ("anthropic", "genai_prices", "jsonschema", "openai", "re2", "tiktoken")
_IMPORT: Final = re.compile(r"^import time:\s+(\d+) \|\s+(\d+) \|(\s+)(\S+)$", re.MULTILINE)


def measure(names: Sequence[str], *, built: Built, scratch: Path, runs: int) -> dict[str, list[float]]:
    """The milliseconds of `runs` initializations of each function, by its name.

    They take turns, so that what else the machine does meanwhile falls on all of them alike.
    """
    figures_ms: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            figures_ms[name].append(_start(name, built=built, scratch=scratch))
    return figures_ms


def imported(name: str, *, built: Built, scratch: Path) -> dict[str, float]:
    """Every module that the function `name` imports while it initializes, with its milliseconds, its own imports included."""
    _start(name, built=built, scratch=scratch, python_options=("-X", "importtime"))
    log = (scratch / f"{name}.handler.log").read_text(errors="replace")
    return {module: int(total_us) / 1000 for _, total_us, _, module in _IMPORT.findall(log)}


def slowest(modules: dict[str, float], *, count: int) -> list[tuple[str, float]]:
    """The packages that took longest, without the modules inside them."""
    packages = ((module, total_ms) for module, total_ms in modules.items() if "." not in module)
    return sorted(packages, key=lambda item: -item[1])[:count]


def _start(name: str, *, built: Built, scratch: Path, python_options: Sequence[str] = ()) -> float:
    path = built.path(name, scratch)
    handler = f"{name}.handler"
    with running(
        handler, path=path, scratch=scratch, environment=built.environment, python_options=python_options
    ) as function:
        return function.init_ms
