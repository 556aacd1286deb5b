"""The lease of a running query: a sign of life every few seconds, so that nobody else takes the query up, and word of its
cancellation.

One thread looks after all leases of a process; what a lease asks of the store is asked in others, so that none waits for another.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from math import ceil
from typing import Final

from llm_gateway.domain.queries import Query
from llm_gateway.errors import GatewayError
from llm_gateway.ports.queries import QueryStore
from llm_gateway.ports.system import Clock

_RENEWALS: Final = 12
_LOOK_EVERY_S: Final = 1
_LONGEST_PAUSE_S: Final = 0.25
# A store that hangs holds one for each lease.
_THREADS: Final = 256

_log = logging.getLogger(__name__)


@contextmanager
def keep_lease(
    query: Query, store: QueryStore, clock: Clock, *, lease: timedelta, also: Callable[[], None] | None = None
) -> Iterator["Hold"]:
    """Renews the query's lease in the background until the block ends; each time, `also` keeps alive what else there is.

    It is renewed so often that it outlives several failures to, and looked at every second in between. What ends sooner than the
    first look has asked the store for nothing.
    """
    hold = Hold(query=query, store=store, clock=clock, lease=lease, also=also)
    kept = keeper()
    kept.add(hold)
    try:
        yield hold
    finally:
        kept.discard(hold)
        hold.end()


@dataclass(eq=False, slots=True, kw_only=True)
class Hold:
    """A query held by this process."""

    query: Query
    store: QueryStore
    clock: Clock
    lease: timedelta
    also: Callable[[], None] | None
    every_s: float = field(init=False)
    _renewed_every: int = field(init=False)
    _due_s: float = field(init=False)
    _count: int = 0
    _is_asked_for: bool = False
    _is_lost: bool = False
    _is_over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _context: Context = field(default_factory=copy_context)

    def __post_init__(self) -> None:
        renewal_s = self.lease.total_seconds() / _RENEWALS
        self._renewed_every = ceil(renewal_s / _LOOK_EVERY_S)
        self.every_s = renewal_s / self._renewed_every
        self._due_s = time.monotonic() + self.every_s

    def is_lost(self) -> bool:
        """Whether the query is cancelled, or no longer this process's."""
        return self._is_lost

    def takes_its_turn(self, now_s: float) -> bool:
        """Whether it is time for a look, which then is to follow; `now_s` is of the monotonic clock."""
        if now_s < self._due_s or self._is_lost or self._is_asked_for:
            return False
        self._is_asked_for = True
        return True

    def end(self) -> None:
        """Nothing is asked any more once this returns: a renewal that comes late would meet a query that has ended."""
        with self._lock:
            self._is_over = True

    def look(self) -> None:
        """Looks at the query or, now and then, renews its lease."""
        try:
            with self._lock:
                if not self._is_over:
                    self._context.run(self._ask)
        finally:
            self._due_s = time.monotonic() + self.every_s
            self._is_asked_for = False

    def _ask(self) -> None:
        self._count += 1
        try:
            # A read costs a fraction of a write, and tells of a cancellation as well.
            is_held = self._is_held() if self._count % self._renewed_every else self._renew()
        except GatewayError:
            # A lease outlasts several failed renewals.
            return
        except Exception as error:
            _log.error("A lease cannot be looked after: %s.", type(error).__qualname__)
            return
        self._is_lost = not is_held

    def _is_held(self) -> bool:
        now = self.store.summary(self.query.id)
        if now is None or now.lease is None or self.query.lease is None:
            return False
        return now.lease.holder == self.query.lease.holder and not now.cancel_requested

    def _renew(self) -> bool:
        is_held = self.store.renew(self.query, until=self.clock.now() + self.lease)
        if is_held and self.also is not None:
            self.also()
        return is_held


class Keeper:
    """Has each hold looked at when it is due. Its thread lasts as long as the process, and sleeps while there is none."""

    def __init__(self) -> None:
        self._held: set[Hold] = set()
        self._lock = threading.Lock()
        self._some = threading.Event()
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lease")
        threading.Thread(target=self._keep, name="leases", daemon=True).start()

    @property
    def count(self) -> int:
        """How many holds there are."""
        return len(self._held)

    def add(self, hold: Hold) -> None:
        with self._lock:
            self._held.add(hold)
            if len(self._held) == 1:
                self._some.set()

    def discard(self, hold: Hold) -> None:
        with self._lock:
            self._held.discard(hold)

    def _keep(self) -> None:
        while self._some.wait():
            with self._lock:
                held = tuple(self._held)
                if not held:
                    self._some.clear()
                    continue
            self._have_looked_at(held)
            time.sleep(min(_LONGEST_PAUSE_S, *(hold.every_s / 2 for hold in held)))

    def _have_looked_at(self, held: tuple[Hold, ...]) -> None:
        now_s = time.monotonic()
        for hold in held:
            if hold.takes_its_turn(now_s):
                try:
                    self._threads.submit(hold.look)
                except RuntimeError:
                    # The process ends, and has no more threads; some of its work goes on to its own end.
                    hold.look()


_making: Final = threading.Lock()


def keeper() -> Keeper:
    """The one of this process."""
    with _making:
        return _keeper()


@cache
def _keeper() -> Keeper:
    return Keeper()


# Threads stay behind where a process is forked.
os.register_at_fork(after_in_child=_keeper.cache_clear)
