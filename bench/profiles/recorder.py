"""Has py-spy sample a process from outside: the process runs as it always does, and knows nothing of it."""

import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from workshop.places import PROFILER_VENV, ROOT
from workshop.steps import Failure

FOLDER: Final = ROOT / ".cache" / "profile"
PY_SPY: Final = PROFILER_VENV / "bin" / "py-spy"
_SAMPLES_A_SECOND: Final = 200
_MORE_TIME_S: Final = 30.0


def record(
    name: str, pid: int, busy: Callable[[], None], *, seconds: float, by: Path = PY_SPY, into: Path = FOLDER
) -> str:
    """Stacks, one a line, each with how often it held the interpreter while `busy` was called again and again.

    A flame graph of a second recording is written beside them. Raises Failure where this system lets nobody look.
    """
    into.mkdir(parents=True, exist_ok=True)
    stacks, graph = into / f"{name}.txt", into / f"{name}.svg"
    command: list[str | Path] = [by, "record", "--pid", str(pid), "--gil", "--rate", str(_SAMPLES_A_SECOND)]
    for form, file, lasts_s, more in (
        ("raw", stacks, seconds, ["--full-filenames"]),
        ("flamegraph", graph, seconds / 2, []),
    ):
        lasts = ["--duration", str(max(1, round(lasts_s)))]
        _sample([*command, "--format", form, "--output", file, *lasts, *more], busy)
    return stacks.read_text()


def _sample(command: Sequence[str | Path], busy: Callable[[], None]) -> None:
    sampling = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    over = threading.Event()
    told: list[str] = []

    def wait() -> None:
        told.append(sampling.communicate()[1])
        over.set()

    threading.Thread(target=wait, daemon=True).start()
    try:
        while not over.is_set():
            busy()
    finally:
        if not over.wait(_MORE_TIME_S):
            sampling.kill()
    if sampling.returncode:
        raise Failure(_reason("".join(told)))


def _reason(told: str) -> str:
    if "ermission" in told or "ptrace" in told:
        return (
            "This system lets no process look into another (ptrace): run as root, or allow it with"
            f" `sysctl kernel.yama.ptrace_scope=0`; in a container, with `--cap-add SYS_PTRACE`.\n\n{told.strip()}"
        )
    return f"py-spy failed:\n\n{told.strip()}"
