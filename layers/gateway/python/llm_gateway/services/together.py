"""Doing things at once that do not depend on each other: two round trips in the time of the longer one."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Any

_THREADS = 128


def together(*things: Callable[[], Any] | None) -> list[Any]:
    """The results, in order; None where there is nothing to do. What one of them raises is raised once all have ended.

    The first thing to do is done in the caller's thread: one alone needs no other.
    """
    results = iter(_done([thing for thing in things if thing is not None]))
    return [None if thing is None else next(results) for thing in things]


def _done(things: Sequence[Callable[[], Any]]) -> list[Any]:
    futures = [_pool().submit(copy_context().run, other) for other in things[1:]]
    try:
        first = [thing() for thing in things[:1]]
    finally:
        for future in futures:
            future.exception()
    return [*first, *(future.result() for future in futures)]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="together")
