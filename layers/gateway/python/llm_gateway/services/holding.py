"""Holding a running query: a sign of life every few seconds, so that nobody else takes it up, and word of its cancellation."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from llm_gateway.domain.queries import Query
from llm_gateway.errors import GatewayError
from llm_gateway.ports import Clock, QueryStore

_RENEWALS: Final = 12


@dataclass(slots=True, kw_only=True)
class Hold:
    """Whether the query is still wanted of its holder."""

    _lost: threading.Event = field(default_factory=threading.Event)
    _over: threading.Event = field(default_factory=threading.Event)

    def is_lost(self) -> bool:
        return self._lost.is_set()


@contextmanager
def holding(
    query: Query, store: QueryStore, clock: Clock, *, lease: timedelta, also: Callable[[], None] | None = None
) -> Iterator[Hold]:
    """Renews the query's lease in the background, and does `also` what else has to be kept alive, until the block ends.

    It is renewed so often that it outlives several failures to.
    """
    every_s = lease.total_seconds() / _RENEWALS
    hold = Hold()

    def keep() -> None:
        while not hold._over.wait(every_s):
            try:
                if not store.renew(query, until=clock.now() + lease):
                    hold._lost.set()
                    return
                if also is not None:
                    also()
            except GatewayError:
                # A lease outlasts several failed renewals.
                continue

    thread = threading.Thread(target=keep, name="holding", daemon=True)
    thread.start()
    try:
        yield hold
    finally:
        hold._over.set()
        thread.join()
