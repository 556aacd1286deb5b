"""Holding a running query: a sign of life every few seconds, so that nobody else takes it up, and word of its cancellation."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from math import ceil
from typing import Final

from llm_gateway.domain.queries import Query, QuerySummary
from llm_gateway.errors import GatewayError
from llm_gateway.ports.queries import QueryStore
from llm_gateway.ports.system import Clock

_RENEWALS: Final = 12
_LOOK_EVERY_S: Final = 1


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

    It is renewed so often that it outlives several failures to, and looked at every second in between.
    """
    every_s = lease.total_seconds() / _RENEWALS
    looks = ceil(every_s / _LOOK_EVERY_S)
    hold = Hold()

    def is_still_ours(look: int) -> bool:
        if look % looks:
            # A read costs a fraction of a write, and tells of a cancellation as well.
            return _is_held(store.summary(query.id), query)
        renewed = store.renew(query, until=clock.now() + lease)
        if renewed and also is not None:
            also()
        return renewed

    def keep() -> None:
        for look in count(1):
            if hold._over.wait(every_s / looks):
                return
            try:
                if not is_still_ours(look):
                    hold._lost.set()
                    return
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


def _is_held(now: QuerySummary | None, query: Query) -> bool:
    if now is None or now.lease is None or query.lease is None:
        return False
    return now.lease.holder == query.lease.holder and not now.cancel_requested
