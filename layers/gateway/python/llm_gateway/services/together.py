"""Doing things beside each other that do not wait for each other: two round trips in the time of the longer one."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from threading import Lock
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_THREADS = 128


class Task(Generic[T]):
    """A thing to do. `result` is there once the block of its `Beside` has ended."""

    __slots__ = ("_do", "_lock", "error", "result")

    result: T

    def __init__(self, do: Callable[[], T]) -> None:
        self._do: Callable[[], T] | None = do
        self._lock = Lock()
        self.error: BaseException | None = None

    def run(self) -> None:
        """Does it once; who comes second waits for the first."""
        with self._lock:
            do, self._do = self._do, None
            if do is None:
                return
            try:
                self.result = do()
            except BaseException as error:
                # It is raised again where the block ends.
                self.error = error


class Beside:
    """Does all that its block starts at once, and ends with the last of it.

    The first thing that is started is done in the caller's thread, when the block ends: one alone needs no other thread. When
    all have ended, the first error is raised, in the order in which they were started.
    """

    __slots__ = ("_futures", "_own", "_tasks")

    def __init__(self) -> None:
        self._tasks: list[Task[object]] = []
        self._own: list[Task[object]] = []
        self._futures: list[Future[None]] = []

    def start(self, do: Callable[[], T]) -> Task[T]:
        task = Task(do)
        if not self._tasks or not self._handed_over(task):
            self._own.append(task)  # type: ignore[arg-type]
        self._tasks.append(task)  # type: ignore[arg-type]
        return task

    def _handed_over(self, task: Task[T]) -> bool:
        """False where no thread takes it: a process that ends still does what it has begun."""
        try:
            self._futures.append(_pool().submit(copy_context().run, task.run))
        except RuntimeError:
            return False
        return True

    def __enter__(self) -> "Beside":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            for task in self._own:
                task.run()
        for future in self._futures:
            future.result()
        for task in self._tasks:
            if task.error is not None and error is None:
                raise task.error


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="together")


# Threads stay behind where a process is forked.
os.register_at_fork(after_in_child=_pool.cache_clear)
