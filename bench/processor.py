"""Which processors a process may use, and what it and its children take: time, memory, threads, sockets and files.

The figures are the kernel's own, out of `/proc`: there are none where that is not.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
# Fields of /proc/PID/stat behind the name, which may have spaces: proc_pid_stat(5).
_PARENT, _USER, _SYSTEM = 1, 11, 12


def is_accounted() -> bool:
    """Whether this system tells what processes take, and lets them be kept to a processor."""
    return (_PROC / "self" / "stat").exists() and hasattr(os, "sched_setaffinity")


def cores() -> tuple[set[int], set[int]]:
    """One processor for what is measured, and those for all else: the same one, where there is no other."""
    usable = sorted(os.sched_getaffinity(0))
    return {usable[0]}, set(usable[1:] or usable)


@contextmanager
def kept_to(processors: set[int]) -> Iterator[None]:
    """This thread, and what it starts meanwhile, run on `processors` alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a process and all that descend from it hold now."""

    processes: int
    memory_mb: float
    threads: int
    sockets: int
    files: int

    def __add__(self, other: "Use") -> "Use":
        return Use(
            processes=self.processes + other.processes,
            memory_mb=self.memory_mb + other.memory_mb,
            threads=self.threads + other.threads,
            sockets=self.sockets + other.sockets,
            files=self.files + other.files,
        )


def family(pid: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            stat = _stat(int(entry.name))
            if stat:
                children.setdefault(int(stat[_PARENT]), []).append(int(entry.name))
    found = [pid]
    for each in found:
        found.extend(children.get(each, ()))
    return found


def time_s(pid: int) -> float:
    """The processor's time that a process and its descendants have taken, all threads together."""
    ticks = sum(int(stat[_USER]) + int(stat[_SYSTEM]) for each in family(pid) if (stat := _stat(each)))
    return ticks / os.sysconf("SC_CLK_TCK")


def use(pid: int) -> Use:
    """What they hold. A process that ends meanwhile holds nothing."""
    members = family(pid)
    status = [_status(each) for each in members]
    links = [link for each in members for link in _open(each)]
    sockets = sum(link.startswith("socket:") for link in links)
    return Use(
        processes=len(members),
        memory_mb=sum(told.get("VmRSS", 0) for told in status) / 1000,
        threads=sum(told.get("Threads", 0) for told in status),
        sockets=sockets,
        files=len(links) - sockets,
    )


def _stat(pid: int) -> list[str]:
    try:
        return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _status(pid: int) -> dict[str, int]:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return {}
    fields = (line.partition(":") for line in lines)
    # VmRSS is in units of 1024 bytes.
    return {
        name: int(value.split()[0]) * 1024 // 1000 if name == "VmRSS" else int(value)
        for name, _, value in fields
        if name in ("VmRSS", "Threads")
    }


def _open(pid: int) -> Iterator[str]:
    try:
        for entry in (_PROC / str(pid) / "fd").iterdir():
            yield str(entry.readlink())
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return
