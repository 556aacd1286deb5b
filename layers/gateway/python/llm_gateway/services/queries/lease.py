"""The lease of a running query: a sign of life every few seconds, so that nobody else takes the query up, and word of its
cancellation."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from math import ceil
from typing import Final

from llm_gateway.domain.queries import Query
from llm_gateway.errors import GatewayError
from llm_gateway.ports.queries import QueryStore
from llm_gateway.ports.system import Clock

_RENEWALS: Final = 12
_LOOK_EVERY_S: Final = 1


@contextmanager
def keep_lease(
    query: Query, store: QueryStore, clock: Clock, *, lease: timedelta, also: Callable[[], None] | None = None
) -> Iterator["Hold"]:
    """Renews the query's lease in the background until the block ends; each time, `also` keeps alive what else there is.

    It is renewed so often that it outlives several failures to, and looked at every second in between.
    """
    hold = Hold(query=query, store=store, clock=clock, lease=lease, also=also)
    thread = threading.Thread(target=hold.keep, name="lease", daemon=True)
    thread.start()
    try:
        yield hold
    finally:
        hold.end()
        thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A query held by this process."""

    query: Query
    store: QueryStore
    clock: Clock
    lease: timedelta
    also: Callable[[], None] | None
    _lost: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    def is_lost(self) -> bool:
        """Whether the query is cancelled, or no longer this process's."""
        return self._lost.is_set()

    def end(self) -> None:
        self._over.set()

    def keep(self) -> None:
        """Renews the lease and looks at the query until the end, or until the query is lost."""
        renewal_s = self.lease.total_seconds() / _RENEWALS
        looks = ceil(renewal_s / _LOOK_EVERY_S)
        for look in count(1):
            if self._over.wait(renewal_s / looks):
                return
            try:
                # A read costs a fraction of a write, and tells of a cancellation as well.
                is_held = self._look() if look % looks else self._renew()
            except GatewayError:
                # A lease outlasts several failed renewals.
                continue
            if not is_held:
                self._lost.set()
                return

    def _look(self) -> bool:
        now = self.store.summary(self.query.id)
        if now is None or now.lease is None or self.query.lease is None:
            return False
        return now.lease.holder == self.query.lease.holder and not now.cancel_requested

    def _renew(self) -> bool:
        is_held = self.store.renew(self.query, until=self.clock.now() + self.lease)
        if is_held and self.also is not None:
            self.also()
        return is_held
