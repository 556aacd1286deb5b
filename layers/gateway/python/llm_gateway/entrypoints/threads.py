"""The threads in which requests are handled: one from the caller's key to the last byte of the answer."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cache
from typing import Final

from llm_gateway.errors import DependencyUnavailable

# A query holds a thread while its provider works.
_HANDLERS: Final = 256
_STREAMS: Final = 1000
_RETRY_AFTER_S: Final = 1


class Handlers:
    """For what is answered soon. One request more than there are threads waits until another has ended."""

    def __init__(self, most: int = _HANDLERS) -> None:
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="handler")

    def run(self, do: Callable[[], object]) -> None:
        """Does it in a thread, with the context that it is asked from."""
        self._pool.submit(copy_context().run, do)


class Streams:
    """For what may last: streams, and whole answers that may take as long. One more than there are threads is refused: to wait
    for another's end could take minutes, without a word."""

    def __init__(self, most: int = _STREAMS) -> None:
        self._most = most
        self._free = threading.Semaphore(most)
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="event-stream")

    def run(self, do: Callable[[], object]) -> None:
        """Does it in a thread, with the context that it is asked from. Raises `DependencyUnavailable` where all are taken."""
        if not self._free.acquire(blocking=False):
            raise DependencyUnavailable(f"{self._most} streams go on in this process.", retry_after_s=_RETRY_AFTER_S)
        try:
            self._pool.submit(copy_context().run, self._do, do)
        except BaseException:
            self._free.release()
            raise

    def _do(self, do: Callable[[], object]) -> None:
        try:
            do()
        finally:
            self._free.release()


@cache
def handlers() -> Handlers:
    """Those of this process."""
    return Handlers()


@cache
def streams() -> Streams:
    """Those of this process."""
    return Streams()


# Threads stay behind where a process is forked.
os.register_at_fork(after_in_child=handlers.cache_clear)
os.register_at_fork(after_in_child=streams.cache_clear)
