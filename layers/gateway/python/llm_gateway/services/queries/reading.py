"""Reading: what the owner of a stored query may do with it. It is looked at, read, resumed as a stream, cancelled and erased."""

import logging
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

from llm_gateway.domain.chat import Delta
from llm_gateway.domain.identifiers import QUERY_PREFIX, made_at_s
from llm_gateway.domain.keys import Caller, kept_for
from llm_gateway.domain.queries import LONGEST_QUEUED_S, Query, QueryStatus, QuerySummary, StoredProblem
from llm_gateway.domain.streams import Opened, Position, Waiting, rest_of
from llm_gateway.errors import DependencyUnavailable, QueryExpired, QueryInProgress, QueryNotFound
from llm_gateway.ports.keys import Waits
from llm_gateway.ports.queries import QueryStore
from llm_gateway.ports.system import Cancelled, Clock, never
from llm_gateway.services.queries.closing import Closing, cancellation
from llm_gateway.values import dataclass

if TYPE_CHECKING:
    from llm_gateway.services.privacy.policies import Policies

Q = TypeVar("Q", bound=QuerySummary)
StreamItem = Opened | Waiting | Delta | Query
Stream = Generator[StreamItem, None, None]
"""`Opened`, the answer's deltas, and the whole query last. `Waiting` may come first, where something is read again."""

_POLL_S: Final = 0.5
# As long as a stream may take, and less than a Lambda may.
_LONGEST_RESUMPTION_S: Final = 870
_ASK_AGAIN_S: Final = 10

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Shows a query to its owner, and to those who may see everybody's; `retention` is for how long queries are kept.

    `waits` counts those that wait for a query's end: their number is bounded for each key. It is asked for where one does.
    """

    store: QueryStore
    closing: Closing
    waits: Callable[[], Waits]
    clock: Clock
    retention: timedelta
    policies: "Callable[[], Policies]"

    def summary(self, query_id: str, *, caller: Caller, wait_s: float = 0) -> QuerySummary:
        """Where the query stands, at its end or after `wait_s`; at once where waits cannot be counted.

        Raises `QueryNotFound` (somebody else's too), `QueryExpired`, and `RateLimited` where the key waits too often at once.
        """
        everybodys = caller.sees_everybodys_queries(content=False)
        return self._look(query_id, caller=caller, everybodys=everybodys, wait_s=wait_s)

    def get(self, query_id: str, *, caller: Caller, wait_s: float = 0) -> Query:
        """The query whole: its owner reads the values behind placeholders, nobody else does. Raises and waits as `summary`."""
        everybodys = caller.sees_everybodys_queries(content=True)
        if wait_s:
            self._look(query_id, caller=caller, everybodys=everybodys, wait_s=wait_s)
        query = self._show(self.store.get(query_id), query_id, caller, everybodys=everybodys)
        if query.request.privacy is None or query.owner != caller.key_id:
            return query
        return self.policies().revealed(query)

    def _look(self, query_id: str, *, caller: Caller, everybodys: bool, wait_s: float) -> QuerySummary:
        until_s = self.clock.monotonic_s() + wait_s
        query = self._show(self.store.summary(query_id), query_id, caller, everybodys=everybodys)
        if query.status.finished or wait_s <= 0:
            return query
        with ExitStack() as waiting:
            try:
                waiting.enter_context(self._counted(caller, lasting_s=wait_s))
            except DependencyUnavailable:
                _log.warning("Nobody waits: waits cannot be counted.", exc_info=True)
                return query
            while not query.status.finished and self.clock.monotonic_s() < until_s:
                self.clock.sleep(min(_POLL_S, max(0, until_s - self.clock.monotonic_s())))
                query = self._show(self.store.summary(query_id), query_id, caller, everybodys=everybodys)
        return query

    @contextmanager
    def _counted(self, caller: Caller, *, lasting_s: float) -> Generator[None, None, None]:
        """Counts a wait among its key's while it lasts. Raises `RateLimited`, `DependencyUnavailable`."""
        waits = self.waits()
        wait_id = waits.begin(caller.key_id, lasting_s=lasting_s, now=self.clock.now())
        try:
            yield
        finally:
            waits.end(caller.key_id, wait_id)

    def resume(self, query_id: str, position: Position | None, *, caller: Caller, left: Cancelled = never) -> Stream:
        """What a reader at `position` (None: at the very end) has not seen of a streamed answer, from what is stored.

        Waits for one that still runs, after `Waiting`. Raises as `summary` does, and the query's own problem where it failed.
        `QueryInProgress`: it has not ended in time, as it may be queued for longer than anybody can wait.
        `DependencyUnavailable`: waits cannot be counted.
        """
        query = self.get(query_id, caller=caller)
        if not query.status.finished:
            with self._counted(caller, lasting_s=_LONGEST_RESUMPTION_S):
                yield from self._wait(query, caller=caller, left=left)
            query = self.get(query_id, caller=caller)
        if not query.status.finished:
            raise QueryInProgress("The query has not ended yet: ask for the rest of its stream again.", retry_after_s=1)
        yield from retell(query, position)

    def _wait(self, query: QuerySummary, *, caller: Caller, left: Cancelled) -> Generator[Waiting, None, None]:
        """Waits for the query's end, as long as it is worth it; tells as soon as somebody works on it."""
        began_s, is_told, now = self.clock.monotonic_s(), False, query
        while not left() and not now.status.finished:
            waited_s = self.clock.monotonic_s() - began_s
            if waited_s >= _LONGEST_RESUMPTION_S:
                return
            if now.status is QueryStatus.RUNNING and not is_told:
                is_told = True
                yield Waiting()
            if now.status is QueryStatus.QUEUED and waited_s >= LONGEST_QUEUED_S:
                detail = "The query is still queued: ask for its stream again, or for its status."
                raise QueryInProgress(detail, retry_after_s=_ASK_AGAIN_S)
            self.clock.sleep(_POLL_S)
            now = self.summary(query.id, caller=caller)

    def cancel(self, query_id: str, *, caller: Caller) -> QuerySummary:
        """Stops a query: a queued one at once, a running one soon; one at its end stays. Raises as `summary` does."""
        before = self.summary(query_id, caller=caller)
        after = before if before.status.finished else self.closing.cancel(query_id)
        return self._show(after, query_id, caller, everybodys=True)

    def erase(self, query_id: str, *, caller: Caller) -> None:
        """Deletes a query and all that is kept of it elsewhere; cancels one that runs. Raises as `summary` does."""
        everybodys = caller.sees_everybodys_queries(content=True)
        self.closing.erase(self._show(self.store.summary(query_id), query_id, caller, everybodys=everybodys))

    def _show(self, query: Q | None, query_id: str, caller: Caller, *, everybodys: bool) -> Q:
        """`query`, if the caller may see it. Raises `QueryNotFound`, and `QueryExpired` for one that is no longer kept."""
        if query is not None and (everybodys or query.owner == caller.key_id):
            return query
        made_s = made_at_s(query_id, prefix=QUERY_PREFIX)
        kept = kept_for(caller, self.retention)
        if query is None and made_s is not None and made_s + kept.total_seconds() < self.clock.now().timestamp():
            raise QueryExpired(f"Queries are kept for {kept.days} days.")
        raise QueryNotFound(query_id)


def retell(query: Query, position: Position | None, *, replayed: bool = False) -> Stream:
    """A stored answer as a stream, from `position` on; only its end where that is None. Raises the problem of one that failed."""
    answer, done = query.answer, query.status is QueryStatus.SUCCEEDED
    if query.request.privacy is not None and query.request.privacy.is_redacted and position != Position():
        # Places in what was read are no places in what is left of it: its end has all that is.
        position = None
    if answer is not None and position is not None and (done or not answer.output.is_empty):
        if position == Position():
            yield Opened(query_id=query.id, provider=answer.provider, model=answer.model, replayed=replayed)
        yield from rest_of(answer.output, position)
    if done:
        yield query
    elif query.problem is not None:
        raise StoredProblem(query.problem, query_id=query.id)
    else:
        raise cancellation(query)
