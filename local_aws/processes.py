"""Child processes that are shown when they fail and never outlive this one."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from local_aws import tether
from workshop.places import ROOT
from workshop.steps import Ended, Failure

TAIL_LINES: Final = 20
POLL_S: Final = 0.03
WATCH_S: Final = 0.5
GRACE_S: Final = 8.0


@dataclass(slots=True, kw_only=True)
class Process:
    """One child, leader of its own process group, and the file that its output goes to.

    One that `ends_last` is what others need to end well: it is asked to end once they have.
    """

    name: str
    popen: subprocess.Popen[bytes]
    log: Path
    grace_s: float = GRACE_S
    ends_last: bool = False
    _asked_to_end: bool = False

    @property
    def pid(self) -> int:
        """Its id, and its group's."""
        return self.popen.pid

    def output(self) -> str:
        """All that it has printed so far."""
        return self.log.read_text(errors="replace")

    def failure(self, what: str) -> Failure:
        """A Failure that says `what` and shows the end of the output; an Ended where it was asked to."""
        if self._asked_to_end:
            return Ended(f"{self.name}: was asked to end")
        tail = "\n".join(self.output().splitlines()[-TAIL_LINES:])
        return Failure(f"{self.name}: {what}. The end of {self.log}:\n\n{tail}")

    def wait_until(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait for `ready()`. Raises Failure when the process ends before that, or when it takes longer than `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            status = self.popen.poll()
            if status is not None:
                raise self.failure(f"ended with status {status}")
            if time.monotonic() > deadline:
                raise self.failure(f"not ready after {timeout_s:.0f} s")
            time.sleep(POLL_S)

    def ask_to_end(self) -> None:
        """Send SIGTERM to the process and its group."""
        self._asked_to_end = True
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """Wait for a process that was asked to end, and make an end of its whole group if it does not within `grace_s`."""
        try:
            self.popen.wait(self.grace_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self._signal(signal.SIGKILL)
            self.popen.wait()

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS answers the latter for a group of the dead.
            return


@dataclass(slots=True, kw_only=True)
class Processes:
    """What this run has started, stopped on the way out."""

    logs: Path
    _started: list[Process] = field(default_factory=list)
    _stopped: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str],
        cwd: Path = ROOT,
        stdout: int | None = None,
        grace_s: float = GRACE_S,
        ends_last: bool = False,
    ) -> Process:
        """Start `command` with exactly `env`. It ends with the thread that calls this, so call it from one that stays.

        Its output goes to a log of its name, or to `stdout` without its errors.
        """
        log = self.logs / f"{name}.log"
        with self._lock, log.open("wb") as output:
            if self._stopped:
                raise Ended(f"{name}: not started, because all is being stopped.")
            popen = subprocess.Popen(
                [sys.executable, "-ISE", tether.__file__, str(os.getpid()), *map(str, command)],
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output if stdout is None else stdout,
                stderr=output,
                start_new_session=True,
            )
            process = Process(name=name, popen=popen, log=log, grace_s=grace_s, ends_last=ends_last)
            self._started.append(process)
        return process

    def run(self, name: str, command: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path = ROOT) -> str:
        """Run `command` to its end and return what it printed. Raises Failure if its status is not 0."""
        process = self.start(name, command, env=env, cwd=cwd, stdout=subprocess.PIPE)
        printed, _ = process.popen.communicate()
        if process.popen.returncode != 0:
            raise process.failure(f"ended with status {process.popen.returncode}")
        return printed.decode()

    def wait_for_end(self) -> None:
        """Block for as long as all that was started runs, or ended well. Raises Failure when a child breaks down."""
        while True:
            for process in self._started:
                if process.popen.poll() not in (None, 0):
                    raise process.failure(f"ended with status {process.popen.returncode}")
            time.sleep(WATCH_S)

    def stop(self) -> None:
        """Stop all that still run, at once but for what the others need, and start nothing more."""
        with self._lock:
            self._stopped = True
        for is_their_turn in (False, True):
            ending = [process for process in self._started if process.ends_last is is_their_turn]
            for process in ending:
                process.ask_to_end()
            for process in reversed(ending):
                process.end()
        self._started.clear()
