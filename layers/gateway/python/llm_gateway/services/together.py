"""Doing things at once that do not depend on each other: two round trips in the time of the longer one."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Any

_THREADS = 128


def together(first: Callable[[], Any], *others: Callable[[], Any]) -> list[Any]:
    """The results, in order. The first runs in the caller's thread; what one of them raises is raised once all have ended."""
    futures = [_pool().submit(copy_context().run, other) for other in others]
    try:
        result = first()
    finally:
        for future in futures:
            future.exception()
    return [result, *(future.result() for future in futures)]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="together")
