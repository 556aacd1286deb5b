"""Doing things beside each other that do not wait for each other: two round trips in the time of the longer one."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import cache
from threading import Lock
from types import TracebackType
from typing import Any, Final, Generic, TypeVar

from llm_gateway.waiting import this_thread

T = TypeVar("T")

_THREADS: Final = 128
_LONGEST_START_S: Final = 0.001


class Task(Generic[T]):
    """A thing to `do`, None once somebody does it. `result` is there once the block of its `Beside` has ended."""

    __slots__ = ("_lock", "do", "error", "result")

    result: T

    def __init__(self, do: Callable[[], T]) -> None:
        self.do: Callable[[], T] | None = do
        self._lock = Lock()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Does it once; who comes second waits for the first."""
        with self._lock:
            do, self.do = self.do, None
            if do is None:
                return
            try:
                self.result = do()
            except BaseException as error:
                # It is raised again where the block ends.
                self.error = error


class Beside:
    """Does all that its block starts, and ends with the last of it.

    The caller's thread does one thing after the other when the block ends. As soon as it waits for an answer (`received`),
    other threads do what is left: there is time for it then, and what goes out first does not wait for what comes before the
    sending of the others. Where it waits for something else, they begin after a millisecond. One thing alone needs no other
    thread. When all have ended, the first error is raised, in the order in which they were started.
    """

    __slots__ = ("_gate", "_tasks")

    def __init__(self) -> None:
        self._tasks: list[Task[object]] = []
        self._gate: Lock | None = None

    def start(self, do: Callable[[], T]) -> Task[T]:
        task = Task(do)
        if self._tasks:
            self._hand_over(task)
        self._tasks.append(task)  # type: ignore[arg-type]
        return task

    def _hand_over(self, task: Task[T]) -> None:
        if self._gate is None:
            self._gate = Lock()
            self._gate.acquire()
        # Where no thread takes it, the caller's does it in its turn: a process that ends still does what it has begun.
        with suppress(RuntimeError):
            _pool().submit(copy_context().run, _begin, self._gate, task)

    def __enter__(self) -> "Beside":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        gate = self._gate
        if gate is not None:
            this_thread.held.append(gate)
        try:
            # Where the block failed, the first was not begun.
            for task in self._tasks if error is None else self._tasks[1:]:
                task.run()
        finally:
            if gate is not None and gate in this_thread.held:
                this_thread.held.remove(gate)
                gate.release()
        for task in self._tasks:
            if task.error is not None and error is None:
                raise task.error


def _begin(gate: Lock, task: Task[Any]) -> None:
    if gate.acquire(timeout=_LONGEST_START_S):
        gate.release()
    if task.do is not None:
        task.run()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="together")


# Threads stay behind where a process is forked.
os.register_at_fork(after_in_child=_pool.cache_clear)
