"""Shows what is being done and how long it took, so that nobody wonders whether a quiet terminal is stuck."""

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TextIO

TICK_S: Final = 0.2
HEARTBEAT_S: Final = 30.0
BAR_WIDTH: Final = 20


class Failure(Exception):
    """A step that could not be done; its text says what happened and what to do about it."""


class Ended(Failure):
    """A step that was not done because somebody made an end of it."""


@dataclass(slots=True, kw_only=True, eq=False)
class Step:
    """One thing being done. `detail` is shown behind its title; `fraction` says how much is done, or None if nobody knows."""

    title: str
    started_at: float
    detail: str = ""
    fraction: Callable[[], float | None] | None = None
    beats: int = 0

    def headline(self) -> str:
        """The title with its detail."""
        return f"{self.title} ({self.detail})" if self.detail else self.title

    def progress(self) -> str:
        """A bar and a percentage, or nothing."""
        done = self.fraction() if self.fraction else None
        if done is None:
            return ""
        filled = round(BAR_WIDTH * done)
        return f" [{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {done:.0%}"


@dataclass(slots=True, kw_only=True)
class Steps:
    """Prints a line when a step ends; meanwhile a live line on a terminal, and a heartbeat where there is none.

    Steps may overlap: each thread opens its own.
    """

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    clock: Callable[[], float] = time.monotonic
    heartbeat_s: float = HEARTBEAT_S
    _active: list[Step] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _live: bool = False

    @contextmanager
    def step(self, title: str, *, fraction: Callable[[], float | None] | None = None) -> Iterator[Step]:
        """Time what happens inside. Whatever it raises is shown as a failed step and raised on."""
        step = Step(title=title, started_at=self.clock(), fraction=fraction)
        with self._lock:
            self._active.append(step)
            if len(self._active) == 1:
                threading.Thread(target=self._tick, name="steps", daemon=True).start()
        try:
            yield step
        except BaseException as error:
            failed = isinstance(error, Exception) and not isinstance(error, Ended)
            self._finish(step, mark="failed" if failed else "ended")
            raise
        self._finish(step, mark="done")

    def say(self, text: str) -> None:
        """Print `text` above the live line."""
        with self._lock:
            self._print(text)

    def _finish(self, step: Step, *, mark: str) -> None:
        with self._lock:
            self._active.remove(step)
            self._print(f"{mark:>6}  {step.headline():<60} {self.clock() - step.started_at:6.1f} s")

    def _tick(self) -> None:
        while True:
            with self._lock:
                if not self._active:
                    return
                if self.stream.isatty():
                    self._draw()
                else:
                    self._beat()
            time.sleep(TICK_S)

    def _draw(self) -> None:
        line = ", ".join(
            f"{step.headline()}{step.progress()} {self.clock() - step.started_at:.0f} s" for step in self._active
        )
        # A line that wraps could not be wiped again.
        width = shutil.get_terminal_size().columns - 1
        self.stream.write("\r\x1b[K" + f"   ...  {line}"[:width])
        self.stream.flush()
        self._live = True

    def _beat(self) -> None:
        for step in self._active:
            beats = int((self.clock() - step.started_at) / self.heartbeat_s)
            if beats > step.beats:
                step.beats = beats
                self._print(f"   ...  {step.headline()}{step.progress()}, {beats * self.heartbeat_s:.0f} s so far")

    def _print(self, text: str) -> None:
        if self._live:
            self.stream.write("\r\x1b[K")
            self._live = False
        self.stream.write(f"{text}\n")
        self.stream.flush()
