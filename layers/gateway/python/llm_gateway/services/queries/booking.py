"""Booking: takes all that a query needs before its provider is asked, in one go, and gives it back where the query is refused.

The caller's idempotency key, its limits and budget, the seat in the cache, the first candidate's gate and a stream's record do
not wait for each other: booking a query in takes one round trip. A booked query is closed at its end (see `closing`), which gives
up what it holds.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Final

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.idempotency import Idempotency, IdempotencyRecord, Replayed
from llm_gateway.domain.identifiers import QUERY_PREFIX, made_at_s
from llm_gateway.domain.queries import Query, QueryRequest, StoredProblem, lifetime
from llm_gateway.domain.routing import Step
from llm_gateway.errors import DependencyUnavailable, GatewayError
from llm_gateway.ports.providers import ProviderGates
from llm_gateway.ports.queries import QueryStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.cache import Caching, Seat
from llm_gateway.services.queries.charge import Charge
from llm_gateway.services.queries.progress import Ahead, Deadline, Progress
from llm_gateway.services.replay import Claims, still_runs
from llm_gateway.services.together import Beside
from llm_gateway.values import dataclass

_LOST: Final = (
    "The answer to the first request with this Idempotency-Key was lost. Send it again to have it answered anew."
)


@dataclass(slots=True, kw_only=True)
class Booked:
    """A query under way, and all that it holds until it is closed, or until all is given back.

    `cached` is an answer from before, where there is one: it ends the query, and nobody is asked. `is_paid`: nor is anybody where
    a provider was paid for the query, and what came of that was lost.
    """

    query: Query
    progress: Progress
    idempotency: Idempotency | None = None
    seat: Seat | None = None
    cached: CachedAnswer | None = None
    is_stored: bool = False
    is_paid: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """Stands between a query's plan and its dispatch."""

    store: QueryStore
    caching: Caching
    claims: Claims
    gates: ProviderGates
    clock: Clock

    def open(
        self,
        query: Query,
        first: Step,
        *,
        deadline: Deadline,
        charge: Charge | None,
        idempotency: Idempotency | None,
        stored: bool,
    ) -> Booked | Replayed[Query]:
        """Books a query in whose `first` step is about to be taken; `Replayed` where an earlier request was the same.

        `stored` keeps a record from the start. Raises `IdempotencyConflict`, `QueryInProgress`, `RateLimited`, `BudgetExceeded`,
        and `DependencyUnavailable` where an idempotency key cannot be kept, its query was lost, or the key's account cannot be
        asked; a cache or a record that cannot be had is done without.
        """
        seat = self.caching.seat(query, first) if query.cache_keys else None
        progress = Progress(deadline=deadline, charge=charge)
        booked = Booked(query=query, progress=progress, idempotency=idempotency, seat=seat)
        try:
            known = self._take(booked, first, stored=stored)
        except Exception:
            self.give_back(booked)
            raise
        return booked if known is None or idempotency is None else self._replay(known, idempotency, booked)

    def open_queued(
        self, query: Query, *, deadline: Deadline, charge: Charge | None, idempotency: Idempotency | None
    ) -> Booked | Replayed[Query]:
        """Books in a query that is only to be stored. Raises as `open` does."""
        booked = Booked(query=query, progress=Progress(deadline=deadline, charge=charge), idempotency=idempotency)
        try:
            with Beside() as beside:
                claim = beside.start(lambda: self._claim(booked))
                if charge:
                    beside.start(charge.take)
            if claim.result is None and charge:
                charge.check()
        except Exception:
            self.give_back(booked)
            raise
        if claim.result is not None and idempotency is not None:
            return self._replay(claim.result, idempotency, booked)
        return booked if charge is None else replace(booked, query=replace(query, taken=charge.taken))

    def made_before(self, key: Idempotency, request: QueryRequest) -> Query | None:
        """The query of an earlier request under `key`, None where there was none; nothing is booked. Raises as `open` does of a
        request that is not the first."""
        known = self.claims.known(key)
        return None if known is None else self._first(known, key, request)

    def give_back(self, booked: Booked) -> None:
        """Gives back all that a query holds that was refused before it was accepted: nothing of it remains."""
        with Beside() as beside:
            if booked.progress.ahead:
                beside.start(booked.progress.ahead.give_back)
            if booked.progress.charge and not booked.is_stored:
                beside.start(booked.progress.charge.give_back)
            if booked.seat:
                seat = booked.seat
                beside.start(lambda: self.caching.leave(seat))
            if booked.is_stored:
                beside.start(lambda: self._drop(booked))
            if booked.idempotency:
                key = booked.idempotency
                beside.start(lambda: self.claims.give_back(key, reference=booked.query.id))

    def complete(self, booked: Booked) -> None:
        """Notes under the idempotency key that the request was accepted."""
        if booked.idempotency is not None:
            self.claims.complete(booked.idempotency, reference=booked.query.id)

    def _take(self, booked: Booked, first: Step, *, stored: bool) -> IdempotencyRecord | None:
        """Takes all that the query needs, and learns what others have: under its idempotency key, in its seat of the cache."""
        seat, charge, claim, cached = booked.seat, booked.progress.charge, None, None
        if not (stored or booked.idempotency or charge or (seat and seat.reads)):
            # The gate is asked ahead of its turn where that costs no time: beside something else.
            return None
        with Beside() as beside:
            if booked.idempotency:
                claim = beside.start(lambda: self._claim(booked))
            if seat and seat.reads:
                cached = beside.start(lambda: self.caching.look_up(seat))
            beside.start(lambda: self._admit_ahead(booked, first))
            if charge:
                beside.start(charge.take)
            if stored:
                beside.start(lambda: self._store(booked))
        known = claim.result if claim else None
        if known is not None:
            return known
        found = cached.result if cached else None
        if charge and isinstance(found, CachedAnswer):
            charge.take_for_nothing()
        elif charge:
            charge.check()
        if seat:
            self._see(found, booked, seat)
        return None

    def _see(self, found: CachedAnswer | Pending | None, booked: Booked, seat: Seat) -> None:
        """Takes the answer that the cache has, or waits for the one that another query is getting."""
        if not isinstance(found, Pending):
            booked.cached = found
            return
        if booked.progress.ahead:
            booked.progress.ahead.give_back()
        booked.cached, booked.progress.waiting_s = self.caching.wait(seat, booked.progress.deadline)

    def _claim(self, booked: Booked) -> IdempotencyRecord | None:
        if booked.idempotency is None:
            return None
        lasts = lifetime(booked.query.request)
        return self.claims.take(booked.idempotency, reference=booked.query.id, lasts=lasts)

    def _admit_ahead(self, booked: Booked, first: Step) -> None:
        progress, now_s = booked.progress, self.clock.monotonic_s()
        progress.ahead = Ahead.ask(first, self.gates, progress.deadline, now_s=now_s)

    def _store(self, booked: Booked) -> None:
        with suppress(GatewayError):
            self.store.add(booked.query)
            booked.is_stored = True

    def _drop(self, booked: Booked) -> None:
        """Drops the record, and then gives back what was reserved: a worker may answer one that cannot be dropped."""
        try:
            self.store.drop(booked.query.id)
        except GatewayError:
            if booked.query.mode == "async":
                return
        if booked.progress.charge:
            booked.progress.charge.give_back()

    def _replay(self, known: IdempotencyRecord, key: Idempotency, booked: Booked) -> Replayed[Query]:
        with Beside() as beside:
            beside.start(lambda: self.give_back(booked))
            first = beside.start(lambda: self._first(known, key, booked.query.request))
        return Replayed(first.result)

    def _first(self, known: IdempotencyRecord, key: Idempotency, request: QueryRequest) -> Query:
        """The query of the first request. Raises its problem where it failed, and `QueryInProgress` where it still runs."""
        later = request.mode == "async"
        query = self.store.get(known.reference) if known.completed else None
        if query is None or not (query.status.finished or later):
            # The key's completion does not wait for the answer's record: that may still be on its way.
            raise self._unready(known, key, request)
        if query.problem is not None and not later:
            raise StoredProblem(query.problem, query_id=query.id, replayed=True)
        return query

    def _unready(self, known: IdempotencyRecord, key: Idempotency, request: QueryRequest) -> GatewayError:
        made_s = made_at_s(known.reference, prefix=QUERY_PREFIX) or 0
        ends_s = made_s + lifetime(request).total_seconds()
        if not known.completed or ends_s >= self.clock.now().timestamp():
            # Its client may have lost the connection before it was told the id: with it, it can go on or cancel.
            refusal = still_runs()
            refusal.query_id = known.reference
            return refusal
        self.claims.erase(key.scope, reference=known.reference)
        return DependencyUnavailable(_LOST, retry_after_s=1)
