"""The ledger: books a query in before its provider is asked, and out after it, each in one go.

The caller's idempotency key, the place in the cache, the first candidate's gate and a stream's record do not wait for each other:
booking a query in takes one round trip.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final, TypeVar

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.idempotency import IdempotencyRecord
from llm_gateway.domain.identifiers import QUERY_PREFIX, made_at_s
from llm_gateway.domain.queries import AttemptOutcome, Query, QueryStatus, StoredProblem
from llm_gateway.domain.routing import Plan, Step, first_step
from llm_gateway.errors import AlreadyExists, DependencyUnavailable, GatewayError
from llm_gateway.ports.queries import Journal, QueryStore
from llm_gateway.ports.replay import IdempotencyStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.cache import Answers, Place, lifetime
from llm_gateway.services.queries.cache_key import reads_cache
from llm_gateway.services.queries.calls import Calls
from llm_gateway.services.queries.progress import Course
from llm_gateway.services.queries.states import Asked
from llm_gateway.services.replay import REMEMBERED, still_runs
from llm_gateway.services.together import together

NOT_STORED: Final = "The answer could not be stored: /status and /result will not find this query."
_LOST: Final = (
    "The answer to the first request with this Idempotency-Key was lost. Send it again to have it answered anew."
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A query with what is known of it; `replayed` where an earlier request under the same idempotency key had made it."""

    query: Query
    replayed: bool = False


@dataclass(slots=True, kw_only=True)
class Entry:
    """A query that is booked in: what it holds until it is booked out."""

    query: Query
    asked: Asked
    plan: Plan
    course: Course
    place: Place | None = None
    is_stored: bool = False
    is_gone: bool = False

    @property
    def first(self) -> Step:
        return first_step(self.plan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Stands between queries and all that outlives them."""

    store: QueryStore
    answers: Answers
    idempotency: IdempotencyStore
    calls: Calls
    journal: Journal
    clock: Clock

    def open(self, entry: Entry, *, stored: bool) -> Delivered | None:
        """Books in; an answer where there is one already, from the cache or by replay. `stored` keeps a record from the start.

        Raises `IdempotencyConflict`, `QueryInProgress`, and `DependencyUnavailable` where an idempotency key cannot be kept, or
        what it stood for was lost; a cache or a record that cannot be had is done without.
        """
        entry.place = self.answers.place(entry.query, entry.first)
        entry.query = entry.place.query if entry.place else entry.query
        try:
            known, cached = self._taken(entry, stored=stored)
            if known is None:
                return self._given_again(entry, cached) if cached else None
        except Exception:
            self.forget(entry)
            raise
        delivered: Delivered
        _, delivered = together(lambda: self.forget(entry), lambda: self._replay(known, entry.asked))
        return delivered

    def open_queued(self, entry: Entry) -> Delivered | None:
        """Books in a query that is only to be stored: an answer where its idempotency key has one. Raises as `open` does."""
        try:
            known = self._claim(entry)
        except Exception:
            self.forget(entry)
            raise
        return None if known is None else self._replay(known, entry.asked)

    def close(self, entry: Entry, query: Query) -> Query:
        """Books out `query`, the end of the entry's. What cannot be stored is given all the same, with a warning."""
        stored, *_ = together(
            lambda: self._store_end(entry, query),
            *entry.course.settlements,
            (lambda: self.answers.fill(entry.place, query)) if entry.place else None,
            (lambda: self._leave_idempotency(entry, query)) if entry.asked.idempotency else None,
        )
        if entry.is_gone:
            self.answers.take_back(entry.place)
        if not stored and entry.asked.idempotency is not None:
            # There is nothing to replay: the same request again has to be answered anew.
            _outcome(self.idempotency.delete, entry.asked.idempotency.scope, reference=query.id)
        return query if stored else _warned(query, NOT_STORED)

    def forget(self, entry: Entry) -> None:
        """Books out a query that was refused before it was accepted: nothing of it remains."""
        query_id, idempotency = entry.query.id, entry.asked.idempotency
        together(
            (lambda: self.calls.withdraw(entry.course)) if entry.course.ahead else None,
            (lambda: self.answers.leave(entry.place)) if entry.place else None,
            (lambda: _outcome(self.store.erase, query_id)) if entry.is_stored else None,
            (lambda: _outcome(self.idempotency.release, idempotency.scope, reference=query_id))
            if idempotency
            else None,
        )

    def complete(self, entry: Entry) -> None:
        """Notes under the idempotency key that the request was accepted."""
        if entry.asked.idempotency is not None:
            expires_at = self.clock.now() + REMEMBERED
            scope = entry.asked.idempotency.scope
            _outcome(self.idempotency.complete, scope, reference=entry.query.id, expires_at=expires_at)

    def _taken(self, entry: Entry, *, stored: bool) -> tuple[IdempotencyRecord | None, CachedAnswer | None]:
        """Takes all that the query needs, and tells what others have: under its idempotency key, in its place of the cache."""
        ahead = stored or reads_cache(entry.asked.request) or entry.asked.idempotency is not None
        known, cached, *_ = together(
            (lambda: self._claim(entry)) if entry.asked.idempotency else None,
            (lambda: self.answers.look_up(entry.place)) if entry.place else None,
            (lambda: self.calls.admit_ahead(entry.first, entry.course)) if ahead else None,
            (lambda: self._record(entry)) if stored else None,
        )
        if known is None and entry.place is not None and isinstance(cached, Pending):
            self.calls.withdraw(entry.course)
            cached = self.answers.wait(entry.place, entry.course)
        return known, cached

    def _claim(self, entry: Entry) -> IdempotencyRecord | None:
        idempotency = entry.asked.idempotency
        if idempotency is None:
            return None
        known = self.idempotency.claim(
            idempotency.scope,
            fingerprint=idempotency.fingerprint,
            reference=entry.query.id,
            until=self.clock.now() + lifetime(entry.asked.request),
        )
        if known is not None:
            known.check(idempotency.fingerprint)
        return known

    def _replay(self, known: IdempotencyRecord, asked: Asked) -> Delivered:
        query = self.store.get(known.reference) if known.completed else None
        if query is None or not (query.status.finished or asked.request.mode == "async"):
            # The key's completion does not wait for the answer's record: that may still be on its way.
            raise self._unready(known, asked)
        if query.problem is not None and asked.request.mode != "async":
            raise StoredProblem(query.problem, query_id=query.id, replayed=True)
        return Delivered(query=query, replayed=True)

    def _unready(self, known: IdempotencyRecord, asked: Asked) -> GatewayError:
        made_s = made_at_s(known.reference, prefix=QUERY_PREFIX) or 0
        ends_s = made_s + lifetime(asked.request).total_seconds()
        if not known.completed or asked.idempotency is None or ends_s >= self.clock.now().timestamp():
            return still_runs()
        self.idempotency.delete(asked.idempotency.scope, reference=known.reference)
        return DependencyUnavailable(_LOST, retry_after_s=1)

    def _given_again(self, entry: Entry, cached: CachedAnswer) -> Delivered:
        entry.course.settlements.append(lambda: self.calls.withdraw(entry.course))
        return Delivered(query=self.close(entry, self.answers.given_again(cached, entry.query, entry.course)))

    def _record(self, entry: Entry) -> None:
        entry.is_stored = _outcome(self.store.add, entry.query) is None

    def _store_end(self, entry: Entry, query: Query) -> bool:
        # An answer that was paid for goes out even where it cannot be kept.
        try:
            if entry.is_stored or not self._added(query):
                entry.is_gone = not self.store.finish(query)
        except DependencyUnavailable:
            return False
        finally:
            self._write_down(entry, query)
        return True

    def _write_down(self, entry: Entry, query: Query) -> None:
        if entry.is_gone:
            self.journal.spent(query, calls=entry.course.attempts)
        else:
            self.journal.ended(query, calls=entry.course.attempts)

    def _added(self, query: Query) -> bool:
        """False where it is there already: its record went through, and only the answer to that was lost."""
        try:
            self.store.add(query)
        except AlreadyExists:
            return False
        return True

    def _leave_idempotency(self, entry: Entry, query: Query) -> None:
        idempotency = entry.asked.idempotency
        if idempotency is None:
            return
        if _may_end_otherwise(query, entry.course):
            _outcome(self.idempotency.release, idempotency.scope, reference=query.id)
        else:
            self.complete(entry)


def _may_end_otherwise(query: Query, course: Course) -> bool:
    """Whether the same request may be tried again under its key: no provider has decided on it yet."""
    if query.problem is None:
        return query.status is QueryStatus.CANCELLED
    decided = any(attempt.outcome is not AttemptOutcome.SKIPPED for attempt in course.attempts)
    return not decided or query.problem.status >= 500 or query.problem.status == HTTPStatus.TOO_MANY_REQUESTS


def _outcome(do: Callable[..., T], *arguments: Any, **named: Any) -> T | GatewayError:
    """What `do` returns, or the error of ours that it raised: for what is not worth failing a query for."""
    try:
        return do(*arguments, **named)
    except GatewayError as error:
        return error


def _warned(query: Query, warning: str) -> Query:
    answer = query.answer
    return query if answer is None else replace(query, answer=replace(answer, warnings=(*answer.warnings, warning)))
