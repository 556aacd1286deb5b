"""Doing things beside each other that do not wait for each other: two round trips in the time of the longer one."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")

_THREADS = 128


class Task(Generic[T]):
    """A thing to do. `result` is there once the block of its `Beside` has ended."""

    __slots__ = ("_do", "error", "result")

    result: T

    def __init__(self, do: Callable[[], T]) -> None:
        self._do = do
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._do()
        except BaseException as error:
            # It is raised again where the block ends.
            self.error = error


class Beside:
    """Does all that its block starts at once, and ends with the last of it.

    The first thing that is started is done in the caller's thread, when the block ends: one alone needs no other thread. When
    all have ended, the first error is raised, in the order in which they were started.
    """

    __slots__ = ("_futures", "_tasks")

    def __init__(self) -> None:
        self._tasks: list[Task[object]] = []
        self._futures: list[Future[None]] = []

    def start(self, do: Callable[[], T]) -> Task[T]:
        task = Task(do)
        if self._tasks:
            self._futures.append(_pool().submit(copy_context().run, task.run))
        self._tasks.append(task)  # type: ignore[arg-type]
        return task

    def __enter__(self) -> "Beside":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._tasks and error is None:
            self._tasks[0].run()
        for future in self._futures:
            future.result()
        for task in self._tasks:
            if task.error is not None and error is None:
                raise task.error


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="together")
