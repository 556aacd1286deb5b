"""The ledger: books a query in before its provider is asked, and out after it, each in one go.

The caller's idempotency key, the place in the cache, the first candidate's gate and a stream's record do not wait for each other:
booking a query in takes one round trip.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final, TypeVar

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.idempotency import IdempotencyRecord
from llm_gateway.domain.identifiers import QUERY_PREFIX, made_at_s
from llm_gateway.domain.queries import AttemptOutcome, CacheNote, Latency, Query, QueryStatus
from llm_gateway.errors import (
    AlreadyExists,
    DependencyUnavailable,
    GatewayError,
    IdempotencyConflict,
    QueryInProgress,
    QueryNotFound,
    StoredProblem,
)
from llm_gateway.ports import AnswerCache, Clock, IdempotencyStore, Journal, QueryStore
from llm_gateway.services.caching import cache_key, is_cacheable, reads_cache, writes_cache
from llm_gateway.services.calls import Calls, Course
from llm_gateway.services.once import REMEMBERED
from llm_gateway.services.planning import Plan, Step
from llm_gateway.services.records import Asked
from llm_gateway.services.together import together

NOT_STORED: Final = "The answer could not be stored: /status and /result will not find this query."
_SPARE: Final = timedelta(seconds=30)
_LONGEST_WAIT_S: Final = 15
_LOOK_EVERY_S: Final = 0.1

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
    cache_key: str | None = None
    is_stored: bool = False
    is_gone: bool = False

    @property
    def first(self) -> Step:
        return next(step for step in self.plan if isinstance(step, Step))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Stands between queries and all that outlives them."""

    store: QueryStore
    cache: AnswerCache
    idempotency: IdempotencyStore
    calls: Calls
    journal: Journal
    clock: Clock
    cache_ttl: timedelta

    def open(self, entry: Entry, *, stored: bool) -> Delivered | None:
        """Books in; an answer where there is one already, from the cache or by replay. `stored` keeps a record from the start.

        Raises `IdempotencyConflict`, `QueryInProgress`, and `DependencyUnavailable` where an idempotency key cannot be kept;
        a cache or a record that cannot be had is done without.
        """
        self._name_place(entry)
        try:
            known, cached = self._taken(entry, stored=stored)
            if known is None:
                return self._from_cache(entry, cached) if isinstance(cached, CachedAnswer) else None
        except Exception:
            self.forget(entry)
            raise
        delivered: Delivered
        _, delivered = together(lambda: self.forget(entry), lambda: self._replay(known, entry.asked))
        return delivered

    def open_queued(self, entry: Entry) -> Delivered | None:
        """Books in a query that is only to be stored: an answer where its idempotency key has one. Raises as `open` does."""
        known = self._claim(entry)
        return None if known is None else self._replay(known, entry.asked)

    def close(self, entry: Entry, query: Query) -> Query:
        """Books out `query`, the end of the entry's. What cannot be stored is given all the same, with a warning."""
        self.journal.ended(query)
        stored, *_ = together(
            lambda: self._store_end(entry, query),
            *entry.course.settlements,
            lambda: self._leave_cache(entry, query),
            lambda: self._leave_idempotency(entry, query),
        )
        if entry.is_gone and entry.cache_key is not None:
            # Erased meanwhile: then nothing of it may stay anywhere.
            _outcome(self.cache.delete, entry.cache_key, query_id=query.id)
        return query if stored else _warned(query, NOT_STORED)

    def forget(self, entry: Entry) -> None:
        """Books out a query that was refused before it was accepted: nothing of it remains."""
        query_id, key, idempotency = entry.query.id, entry.cache_key, entry.asked.idempotency
        together(
            lambda: self.calls.withdraw(entry.course),
            lambda: _outcome(self.cache.release, key, holder=query_id) if key else None,
            lambda: _outcome(self.store.erase, query_id) if entry.is_stored else None,
            lambda: _outcome(self.idempotency.release, idempotency.scope, reference=query_id) if idempotency else None,
        )

    def complete(self, entry: Entry) -> None:
        """Notes under the idempotency key that the request was accepted."""
        if entry.asked.idempotency is not None:
            expires_at = self.clock.now() + REMEMBERED
            scope = entry.asked.idempotency.scope
            _outcome(self.idempotency.complete, scope, reference=entry.query.id, expires_at=expires_at)

    def _taken(self, entry: Entry, *, stored: bool) -> tuple[IdempotencyRecord | None, CachedAnswer | Pending | None]:
        """Takes all that the query needs, and tells what others have: under its idempotency key, in its place of the cache."""
        ahead = stored or reads_cache(entry.asked.request) or entry.asked.idempotency is not None
        known, cached, *_ = together(
            lambda: self._claim(entry),
            lambda: self._look_up(entry),
            lambda: self.calls.admit_ahead(entry.first, entry.course) if ahead else None,
            lambda: self._record(entry) if stored else None,
        )
        if known is None and isinstance(cached, Pending):
            self.calls.withdraw(entry.course)
            cached = self._wait(entry, cached)
        return known, cached

    def _claim(self, entry: Entry) -> IdempotencyRecord | None:
        idempotency = entry.asked.idempotency
        if idempotency is None:
            return None
        return self.idempotency.claim(
            idempotency.scope,
            fingerprint=idempotency.fingerprint,
            reference=entry.query.id,
            until=self._until(entry),
        )

    def _replay(self, known: IdempotencyRecord, asked: Asked) -> Delivered:
        if asked.idempotency is not None and known.fingerprint != asked.idempotency.fingerprint:
            raise IdempotencyConflict(
                "This Idempotency-Key was used with another body: send the same one, or another key."
            )
        query = self.store.get(known.reference) if known.completed else None
        if query is None or not (query.status.finished or asked.request.mode == "async"):
            # The key's completion does not wait for the answer's record: that may still be on its way.
            raise self._unready(known, asked)
        if query.problem is not None and asked.request.mode != "async":
            raise StoredProblem(query.problem, query_id=query.id, replayed=True)
        return Delivered(query=query, replayed=True)

    def _unready(self, known: IdempotencyRecord, asked: Asked) -> GatewayError:
        made_s = made_at_s(known.reference, prefix=QUERY_PREFIX) or 0
        ends_s = made_s + asked.request.timeout_s + _SPARE.total_seconds()
        if known.completed and ends_s < self.clock.now().timestamp():
            return QueryNotFound(known.reference)
        return QueryInProgress("The first request with this Idempotency-Key still runs.", retry_after_s=1)

    def _name_place(self, entry: Entry) -> None:
        if writes_cache(entry.asked.request):
            entry.cache_key = cache_key(entry.first, owner=entry.query.owner)
            entry.query = replace(entry.query, cache_keys=frozenset({entry.cache_key}))

    def _look_up(self, entry: Entry) -> CachedAnswer | Pending | None:
        if entry.cache_key is None or not reads_cache(entry.asked.request):
            return None
        try:
            return self.cache.look_up(entry.cache_key, holder=entry.query.id, until=self._until(entry))
        except DependencyUnavailable:
            return None

    def _wait(self, entry: Entry, pending: Pending) -> CachedAnswer | None:
        """Waits while somebody else makes the same answer, for half of the time at most; then makes it too."""
        course, key, now_s = entry.course, entry.cache_key or "", self.clock.monotonic_s()
        until_s = now_s + min((course.deadline_s - now_s) / 2, _LONGEST_WAIT_S)
        found: CachedAnswer | Pending | None = pending
        while isinstance(found, Pending) and self.clock.monotonic_s() < until_s and not course.cancelled():
            self.clock.sleep(_LOOK_EVERY_S)
            try:
                found = self.cache.peek(key)
                if found is None:
                    found = self.cache.look_up(key, holder=entry.query.id, until=self._until(entry))
            except DependencyUnavailable:
                break
        course.waiting_s += self.clock.monotonic_s() - now_s
        return found if isinstance(found, CachedAnswer) else None

    def _from_cache(self, entry: Entry, cached: CachedAnswer) -> Delivered:
        """The cached answer as this query's own: at no cost, without attempts."""
        entry.course.settlements.append(lambda: self.calls.withdraw(entry.course))
        now = self.clock.now()
        total_ms = round((self.clock.monotonic_s() - entry.course.since_s) * 1000)
        waiting_ms = round(entry.course.waiting_s * 1000)
        answer = replace(
            cached.answer,
            cost_usd=Decimal(0),
            attempts=(),
            latency=Latency(total_ms=total_ms, provider_ms=0, waiting_ms=waiting_ms),
            cache=CacheNote(
                hit=True, age_s=max(0, int((now - cached.cached_at).total_seconds())), saved_usd=cached.answer.cost_usd
            ),
        )
        entry.cache_key = None  # The place is not this query's to fill or to leave.
        query = replace(entry.query, status=QueryStatus.SUCCEEDED, completed_at=now, answer=answer)
        return Delivered(query=self.close(entry, query))

    def _record(self, entry: Entry) -> None:
        entry.is_stored = _outcome(self.store.add, entry.query) is None

    def _store_end(self, entry: Entry, query: Query) -> bool:
        # An answer that was paid for goes out even where it cannot be kept.
        try:
            if entry.is_stored or not self._added(query):
                entry.is_gone = not self.store.finish(query)
        except DependencyUnavailable:
            return False
        return True

    def _added(self, query: Query) -> bool:
        """False where it is there already: its record went through, and only the answer to that was lost."""
        try:
            self.store.add(query)
        except AlreadyExists:
            return False
        return True

    def _leave_cache(self, entry: Entry, query: Query) -> None:
        key = entry.cache_key
        # Where an answer cannot be kept, whoever waits for it need not wait any longer.
        if key is not None and not self._keep(key, entry, query):
            _outcome(self.cache.release, key, holder=entry.query.id)

    def _keep(self, key: str, entry: Entry, query: Query) -> bool:
        """Puts the query's answer into the cache; False where it is not one for others, or the cache cannot take it."""
        if query.status is not QueryStatus.SUCCEEDED or not query.answer or not is_cacheable(query.answer, entry.first):
            return False
        now = self.clock.now()
        kept = CachedAnswer(
            answer=query.answer,
            query_id=query.id,
            cached_at=now,
            expires_at=min(now + self.cache_ttl, query.expires_at),
        )
        return _outcome(self.cache.put, key, kept) is None

    def _leave_idempotency(self, entry: Entry, query: Query) -> None:
        idempotency = entry.asked.idempotency
        if idempotency is None:
            return
        if _may_end_otherwise(query, entry.course):
            _outcome(self.idempotency.release, idempotency.scope, reference=query.id)
        else:
            self.complete(entry)

    def _until(self, entry: Entry) -> datetime:
        """When whoever holds something for this query must be dead."""
        return self.clock.now() + timedelta(seconds=entry.asked.request.timeout_s) + _SPARE


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
