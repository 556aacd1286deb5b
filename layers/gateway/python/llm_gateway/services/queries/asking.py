"""Queries: asked and answered at once, as a stream, or later; read, resumed, cancelled and erased."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from llm_gateway.domain.chat import Delta
from llm_gateway.domain.faults import CallCancelled
from llm_gateway.domain.identifiers import QUERY_PREFIX, made_at_s
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.queries import Query, QueryStatus, QuerySummary, StoredProblem
from llm_gateway.domain.streams import Opened, Position, rest_of
from llm_gateway.errors import GatewayError, QueryCancelled, QueryExpired, QueryInProgress, QueryNotFound
from llm_gateway.ports.queries import AnswerCache, Journal, QueryQueue, QueryStore
from llm_gateway.ports.replay import IdempotencyStore
from llm_gateway.ports.system import Cancelled, Clock, never
from llm_gateway.services.queries.booking import Delivered, Entry, Ledger
from llm_gateway.services.queries.closing import cancel
from llm_gateway.services.queries.dispatch import Dispatcher
from llm_gateway.services.queries.lease import holding
from llm_gateway.services.queries.planning import Planner
from llm_gateway.services.queries.progress import Answered, Course, Items
from llm_gateway.services.queries.states import Asked, Records

Q = TypeVar("Q", bound=QuerySummary)
StreamItem = Opened | Delta | Query
Stream = Generator[StreamItem, None, None]

_POLL_S: Final = 0.5
# As long as a stream may take, and less than a Lambda may.
_LONGEST_RESUMPTION_S: Final = 870


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryService:
    """The life of a query, from its question to the day it is forgotten."""

    store: QueryStore
    queue: QueryQueue
    cache: AnswerCache
    idempotency: IdempotencyStore
    planner: Planner
    dispatcher: Dispatcher
    ledger: Ledger
    records: Records
    journal: Journal
    clock: Clock

    def run(self, asked: Asked) -> Delivered:
        """Asks and waits. A query that cannot be planned is refused and leaves no trace; one that then fails is stored, and
        its error carries its id. Raises what `Planner.plan`, `Ledger.open` and `Dispatcher.ask` raise."""
        entry = self._entry(asked, QueryStatus.RUNNING)
        known = self.ledger.open(entry, stored=False)
        if known is not None:
            return known
        try:
            answered = self.dispatcher.ask(entry.plan, entry.course)
        except CallCancelled as error:
            raise self._cancelled(entry) from error
        except Exception as error:
            self._fail(entry, error)
            raise
        return Delivered(query=self._succeeded(entry, answered))

    def stream(self, asked: Asked) -> Stream:
        """Asks, and gives the answer as it comes: `Opened` right before the first delta, the whole query last.

        Raises as `run` does, once something came too. Closing the generator stops the provider's work.
        """
        entry = self._entry(asked, QueryStatus.RUNNING)
        known = self.ledger.open(entry, stored=True)
        if known is not None:
            yield from _told(known.query, Position(), replayed=known.replayed)
        elif not entry.is_stored:
            # There is no record to hold, nor one through which somebody could cancel it.
            yield from self._streamed(entry)
        else:
            with holding(entry.query, self.store, self.clock, lease=self.records.lease) as hold:
                entry.course.cancelled = lambda: asked.cancelled() or hold.is_lost()
                yield from self._streamed(entry)

    def accept(self, asked: Asked) -> Delivered:
        """Stores the query and hands it to the workers; then it is not lost any more. Raises as `run` does, but for answers."""
        entry = self._entry(asked, QueryStatus.QUEUED)
        known = self.ledger.open_queued(entry)
        if known is not None:
            return known
        try:
            # Perhaps so even where that fails: its answer may be lost.
            entry.is_stored = True
            self.store.add(entry.query)
            self.queue.send(entry.query.id, priority=asked.request.priority)
        except Exception:
            self.ledger.forget(entry)
            raise
        self.ledger.complete(entry)
        return Delivered(query=entry.query)

    def summary(self, query_id: str, *, caller: Caller, wait_s: float = 0) -> QuerySummary:
        """Where the query stands, at its end or after `wait_s`. Raises `QueryNotFound` (somebody else's too), `QueryExpired`."""
        everybodys = caller.sees_everybodys_queries(content=False)
        until_s = self.clock.monotonic_s() + wait_s
        while True:
            query = self._seen(self.store.summary(query_id), query_id, caller, everybodys=everybodys)
            if query.status.finished or self.clock.monotonic_s() >= until_s:
                return query
            self.clock.sleep(min(_POLL_S, max(0, until_s - self.clock.monotonic_s())))

    def get(self, query_id: str, *, caller: Caller, wait_s: float = 0) -> Query:
        """The query whole. Raises and waits as `summary` does."""
        everybodys = caller.sees_everybodys_queries(content=True)
        if wait_s:
            self._seen(self.store.summary(query_id), query_id, caller, everybodys=everybodys)
            self.summary(query_id, caller=caller, wait_s=wait_s)
        return self._seen(self.store.get(query_id), query_id, caller, everybodys=everybodys)

    def resume(self, query_id: str, position: Position | None, *, caller: Caller, left: Cancelled = never) -> Stream:
        """What a reader at `position` (None: at the very end) has not seen of a streamed answer, from what is stored.

        Waits for one that still runs. Raises as `summary` does, the query's own problem where it failed, and `QueryInProgress`
        where it has not ended in time: it may be queued for longer than anybody can wait.
        """
        query, until_s = self.get(query_id, caller=caller), self.clock.monotonic_s() + _LONGEST_RESUMPTION_S
        if not query.status.finished:
            while not left() and self.clock.monotonic_s() < until_s:
                if self.summary(query_id, caller=caller).status.finished:
                    break
                self.clock.sleep(_POLL_S)
            query = self.get(query_id, caller=caller)
        if not query.status.finished:
            raise QueryInProgress("The query has not ended yet: ask for the rest of its stream again.", retry_after_s=1)
        yield from _told(query, position)

    def cancel(self, query_id: str, *, caller: Caller) -> QuerySummary:
        """Stops a query: a queued one at once, a running one soon; one at its end stays. Raises as `summary` does."""
        before = self.summary(query_id, caller=caller)
        after = before if before.status.finished else cancel(query_id, self.store, self.journal)
        return self._seen(after, query_id, caller, everybodys=True)

    def erase(self, query_id: str, *, caller: Caller) -> None:
        """Deletes a query, and whatever of it was kept elsewhere; cancels what runs. Raises as `summary` does."""
        everybodys = caller.sees_everybodys_queries(content=True)
        query = self._seen(self.store.summary(query_id), query_id, caller, everybodys=everybodys)
        # The query goes last: while it is there, an erasure that failed on the way can be asked for again.
        self._erase_copies(query)
        erased = self.store.erase(query_id)
        if erased is None:
            raise QueryNotFound(query_id)
        if not query.status.finished:
            # It may have come to its end in between.
            self._erase_copies(erased)
        if not erased.status.finished:
            # Whoever works on it finds it gone, and has no end to tell of.
            self.journal.ended(replace(erased, status=QueryStatus.CANCELLED, completed_at=self.clock.now()))

    def _erase_copies(self, query: QuerySummary) -> None:
        for key in query.cache_keys:
            self.cache.delete(key, query_id=query.id)
        if query.idempotency_scope is not None:
            self.idempotency.delete(query.idempotency_scope, reference=query.id)

    def _entry(self, asked: Asked, status: QueryStatus) -> Entry:
        plan = self.planner.plan(asked.request)
        course = Course(
            since_s=asked.received_s,
            deadline_s=asked.received_s + asked.request.timeout_s,
            cancelled=asked.cancelled,
        )
        return Entry(query=self.records.new(asked, status), asked=asked, plan=plan, course=course)

    def _streamed(self, entry: Entry) -> Stream:
        try:
            with closing(self.dispatcher.stream(entry.plan, entry.course)) as items:
                answered = yield from _passed_on(items, entry)
        except GeneratorExit:
            self._cancelled(entry)
            raise
        except CallCancelled as error:
            raise self._cancelled(entry) from error
        except Exception as error:
            self._fail(entry, error)
            raise
        # Not within: who leaves now leaves a query that is at its end.
        yield self._succeeded(entry, answered)

    def _succeeded(self, entry: Entry, answered: Answered) -> Query:
        return self.ledger.close(entry, self.records.succeeded(entry.query, answered, entry.course))

    def _fail(self, entry: Entry, error: Exception) -> None:
        """Books the query out as failed, and tells so in the error, if it is one of ours."""
        known = error if isinstance(error, GatewayError) else GatewayError("Something unforeseen happened.")
        known.query_id, known.attempts = entry.query.id, tuple(entry.course.attempts)
        self.ledger.close(entry, self.records.failed(entry.query, known, entry.course))

    def _cancelled(self, entry: Entry) -> GatewayError:
        self.ledger.close(entry, self.records.cancelled(entry.query, entry.course))
        return _cancellation(entry.query)

    def _seen(self, query: Q | None, query_id: str, caller: Caller, *, everybodys: bool) -> Q:
        if query is not None and (everybodys or query.owner == caller.key_id):
            return query
        made_s = made_at_s(query_id, prefix=QUERY_PREFIX)
        retention = self.records.retention
        if query is None and made_s is not None and made_s + retention.total_seconds() < self.clock.now().timestamp():
            raise QueryExpired(f"Queries are kept for {retention.days} days.")
        raise QueryNotFound(query_id)


def _opened(entry: Entry) -> Opened:
    candidate = entry.course.candidate or entry.first.candidate
    return Opened(query_id=entry.query.id, provider=candidate.provider.id, model=candidate.model.name)


def _passed_on(items: Items, entry: Entry) -> Generator[StreamItem, None, Answered]:
    """Passes the deltas on, after `Opened`, and returns the answer."""
    for number, item in enumerate(items):
        if number == 0:
            yield _opened(entry)
        if isinstance(item, Answered):
            return item
        yield item
    raise RuntimeError("a dispatch ended without an answer")


def _told(query: Query, position: Position | None, *, replayed: bool = False) -> Stream:
    """A stored answer as a stream, from `position` on; only its end where that is None."""
    answer, done = query.answer, query.status is QueryStatus.SUCCEEDED
    if answer is not None and position is not None and (done or not answer.output.is_empty):
        if position == Position():
            yield Opened(query_id=query.id, provider=answer.provider, model=answer.model, replayed=replayed)
        yield from rest_of(answer.output, position)
    if done:
        yield query
    elif query.problem is not None:
        raise StoredProblem(query.problem, query_id=query.id)
    else:
        raise _cancellation(query)


def _cancellation(query: Query) -> GatewayError:
    error = QueryCancelled("The query was cancelled.")
    error.query_id = query.id
    return error
