"""The worker: answers queued queries, one delivery at a time, so that each is answered once and none is lost.

What was queued with a key that was revoked since is cancelled.

A delivery is done when the query is at its end, or safely somewhere else. Until then the message stays with the queue, which
delivers it again; after too many failures it goes to the dead letters, and from there the query is told to have failed.
"""

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.faults import CallCancelled, ProviderFault, ProviderRateLimited, ProviderTimeout
from llm_gateway.domain.queries import Query, QueryProblem, QueryStatus, QuerySummary
from llm_gateway.domain.routing import first_step
from llm_gateway.domain.terms import FREE
from llm_gateway.errors import (
    AnswerLost,
    DeadlineExceeded,
    DependencyUnavailable,
    GatewayError,
    NoProviderAvailable,
    NotDone,
    QueryInProgress,
)
from llm_gateway.ports.keys import KeyStore
from llm_gateway.ports.queries import Delivery, QueryQueue, QueryStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.booking import Booked
from llm_gateway.services.queries.cache import Caching, cache_keys
from llm_gateway.services.queries.charge import Charges
from llm_gateway.services.queries.closing import Closing
from llm_gateway.services.queries.dispatch import Dispatcher
from llm_gateway.services.queries.lease import keep_lease
from llm_gateway.services.queries.planning import Planner, asker_of
from llm_gateway.services.queries.progress import Deadline, Progress
from llm_gateway.services.queries.states import States
from llm_gateway.services.together import Beside

_LONGEST_BACKOFF_S: Final = 300
_FIRST_BACKOFF_S: Final = 5
_SHORTEST_WAIT_S: Final = 1
_LONGEST_WAIT_S: Final = 15
_GIVEN_UP: Final = QueryProblem(
    status=503,
    code="no_provider_available",
    title="Unavailable for now",
    detail="The query was tried too often without success.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Takes queries up and sees them to their end."""

    store: QueryStore
    keys: KeyStore
    queue: QueryQueue
    planner: Planner
    charges: Charges
    caching: Caching
    dispatcher: Dispatcher
    states: States
    closing: Closing
    clock: Clock

    def process(self, delivery: Delivery) -> None:
        """Raises `NotDone` where the message must be delivered again, and has seen to when."""
        try:
            query = self.store.claim(delivery.query_id, until=self.clock.now() + self.states.lease)
            if query is None:
                self._leave(delivery)
                return
            with Beside() as beside:
                beside.start(lambda: self._hold(delivery, self._lease_s))
                owner = beside.start(lambda: self.keys.find(query.owner))
            progress = Progress.again(deadline=self._deadline(query), after=query.fault)
            booked = Booked(query=query, progress=progress, is_stored=True, is_paid=delivery.is_paid)
            if owner.result is not None and owner.result.revoked_at is not None:
                self._close(booked, delivery, self.states.revoked(query, booked.progress))
            elif query.is_overdue(self.clock.now()):
                self._close(booked, delivery, self.states.overdue(query))
            else:
                self._work(booked, delivery)
        except DependencyUnavailable as error:
            # Longer from time to time: a message that is delivered too often is a dead letter.
            self._hold(delivery, self._lease_s * delivery.count)
            raise NotDone(f"Something that the query takes cannot be reached: {error.detail}") from error

    def bury(self, delivery: Delivery) -> None:
        """Tells that a query failed whose message was delivered too often. One that somebody still works on goes back, and one
        without an answer, too: a worker sees to its words."""
        query = self.closing.bury(delivery.query_id, problem=_GIVEN_UP)
        if query is not None and query.status is not QueryStatus.SUCCEEDED:
            delay_s = 0 if query.status.finished else self._lease_s
            self.queue.send(delivery.query_id, delay_s=delay_s, is_paid=delivery.is_paid)

    def _deadline(self, query: Query) -> Deadline:
        """The first try has the query's whole time, whenever it begins. Later tries have the rest."""
        now_s, timeout_s = self.clock.monotonic_s(), query.request.timeout_s
        left_s = timeout_s if query.attempts == 1 else self._left_s(query)
        return Deadline(since_s=now_s, ends_s=now_s + left_s, timeout_s=timeout_s)

    def _left_s(self, query: Query) -> float:
        return max(0.0, query.request.timeout_s - self._age_s(query))

    @property
    def _lease_s(self) -> float:
        return self.states.lease.total_seconds()

    def _leave(self, delivery: Delivery) -> QuerySummary | None:
        """Nothing more to do: where the query stands, None where it is gone.

        Raises `NotDone` where another process holds it: this message brings it back should that process die.
        """
        query = self.store.summary(delivery.query_id)
        if query is not None and query.cancel_requested:
            # Its holder would have done it, had it not fallen silent.
            query = self.closing.cancel(query.id)
        if query is not None and not query.status.finished:
            self._hold(delivery, self._lease_s)
            raise NotDone("Somebody else works on the query.")
        if query is not None and query.status is not QueryStatus.SUCCEEDED:
            self.closing.redact(query.id)
        return query

    def _work(self, booked: Booked, delivery: Delivery) -> None:
        failure = self._try(booked, delivery)
        if failure is not None:
            # Held no more: a renewal under way must not have the last word on when the message comes back.
            failure.attempts = booked.progress.all_attempts
            self._close_or_requeue(booked, delivery, failure)

    def _try(self, booked: Booked, delivery: Delivery) -> GatewayError | None:
        """Answers and ends the query, or tells what kept it from that; query and message are held meanwhile."""
        keep_message = partial(self._hold, delivery, self._lease_s)
        with keep_lease(booked.query, self.store, self.clock, lease=self.states.lease, also=keep_message) as hold:
            booked.progress.deadline = replace(booked.progress.deadline, cancelled=hold.is_lost)
            try:
                end = self._answer(booked)
            except GatewayError as error:
                return error
            except Exception:
                if booked.progress.has_answer:
                    # It is paid for, and the same answer would end in the same way.
                    return AnswerLost()
                self.closing.note_spent(booked)
                raise
            self._close(booked, delivery, end)
            return None

    def _answer(self, booked: Booked) -> Query:
        """The end of the query with its answer, from before or of a provider. Raises `QueryInProgress` where another query is
        getting the same one, and what `Planner.plan` and `Dispatcher.ask` raise."""
        query, terms = booked.query, booked.query.terms or FREE
        deadline = booked.progress.deadline
        asker = asker_of(query.request, owner=query.owner, terms=terms, deadline=deadline)
        plan = self.planner.plan(query.request, terms, embeds_for=None if booked.is_paid else asker)
        first = first_step(plan)
        booked.progress.charge = self.charges.of(query, terms, plan)
        if keys := cache_keys(first, query.request, owner=query.owner):
            query = replace(query, cache_keys=keys)
            booked.seat = self.caching.seat(query, first)
        try:
            cached = self._look_up(booked)
            if cached is not None:
                return self.states.given_again(query, cached, booked.progress)
            if booked.is_paid:
                raise AnswerLost
            return self.states.succeeded(query, self.dispatcher.ask(plan, booked.progress), booked.progress)
        except Exception:
            if booked.seat is not None:
                self.caching.leave(booked.seat)
            raise

    def _look_up(self, booked: Booked) -> CachedAnswer | None:
        """The answer from before. Where another query is getting it, this one waits: in the queue, for half of its time, and then
        here."""
        if booked.seat is None:
            return None
        found = self.caching.look_up(booked.seat)
        if not isinstance(found, Pending):
            return found
        if self._age_s(booked.query) >= booked.query.request.timeout_s / 2:
            cached, booked.progress.waiting_s = self.caching.wait(booked.seat, booked.progress.deadline)
            return cached
        wait_s = self._as_long_again_s(booked.query, least=_SHORTEST_WAIT_S, most=_LONGEST_WAIT_S)
        raise QueryInProgress("Another query is getting the same answer.", retry_after_s=wait_s)

    def _as_long_again_s(self, query: Query, *, least: float, most: float) -> float:
        """How long to wait where nobody says: as long as the query has been waiting, so that it comes neither often nor late."""
        return min(max(self._age_s(query), least), most)

    def _age_s(self, query: Query) -> float:
        return (self.clock.now() - query.created_at).total_seconds()

    def _close_or_requeue(self, booked: Booked, delivery: Delivery, error: GatewayError) -> None:
        match error:
            case CallCancelled():
                self._close(booked, delivery, self.states.cancelled(booked.query, booked.progress))
            case _ if booked.is_paid:
                lost = AnswerLost()
                lost.attempts = error.attempts
                self._close(booked, delivery, self.states.failed(booked.query, lost, booked.progress))
            case _ if isinstance(error, QueryInProgress) or _met_a_limit(error, booked.progress):
                self._put_back(booked, delivery, error)
            case _ if not _is_worth_another_try(error, booked.progress):
                self._close(booked, delivery, self.states.failed(booked.query, error, booked.progress))
            case _:
                self._try_again(booked, delivery, error)

    def _put_back(self, booked: Booked, delivery: Delivery, error: GatewayError) -> None:
        """A provider's limit is no failure, nor is another's work: the query starts over as a new message, however often."""
        untold_s = self._as_long_again_s(booked.query, least=_FIRST_BACKOFF_S, most=_LONGEST_BACKOFF_S)
        problem = None if isinstance(error, QueryInProgress) else QueryProblem.of(error)
        is_queued = self._requeue(booked, delivery, problem, counted=False)
        if is_queued:
            delay_s = self._in_time_s(booked.query, error.retry_after_s or untold_s)
            self.queue.send(booked.query.id, delay_s=delay_s, priority=booked.query.request.priority)

    def _try_again(self, booked: Booked, delivery: Delivery, error: GatewayError) -> None:
        is_queued = self._requeue(booked, delivery, QueryProblem.of(error), counted=True)
        if is_queued:
            wait_s = min(_FIRST_BACKOFF_S * 2 ** (delivery.count - 1), _LONGEST_BACKOFF_S)
            self._hold(delivery, self._in_time_s(booked.query, max(wait_s, error.retry_after_s or 0)))
            raise NotDone("No provider answered.") from error

    def _in_time_s(self, query: Query, wait_s: float) -> float:
        """`wait_s`, or less where the query's time is up before that: then it is to be ended."""
        return min(wait_s, self._left_s(query) + _SHORTEST_WAIT_S)

    def _requeue(self, booked: Booked, delivery: Delivery, problem: QueryProblem | None, *, counted: bool) -> bool:
        """Gives the query back. One that is not wanted back any more is ended, if it has not been."""
        is_queued = self.closing.requeue(booked, problem=problem, counted=counted)
        if not is_queued:
            self._close(booked, delivery, self.states.cancelled(booked.query, booked.progress))
        return is_queued

    def _close(self, booked: Booked, delivery: Delivery, end: Query) -> None:
        """Raises `NotDone` where the query is still to be answered by somebody else. Nobody is asked again where a provider was
        asked, and only what came of it cannot be stored: the queue then tells the next worker so."""
        try:
            is_ours = self.closing.close_queued(booked, end)
        except Exception:
            if booked.progress.calls == 0:
                raise
            query = booked.query
            self.queue.send(query.id, delay_s=self._lease_s, priority=query.request.priority, is_paid=True)
            return
        if not is_ours and self._leave(delivery) is None:
            # It was erased under way. Its call has ended, and nobody else gives back what it had reserved.
            self.closing.release(booked.query)

    def _hold(self, delivery: Delivery, duration_s: float) -> None:
        """Keeps the message back from the other workers."""
        try:
            self.queue.hold(delivery, duration_s=duration_s)
        except DependencyUnavailable:
            # It is then delivered again when the queue's own timeout is over.
            return


def _is_worth_another_try(error: GatewayError, progress: Progress) -> bool:
    """Not where the request is at fault, the time is up, or the answer was whole and paid for; and once only after a timeout."""
    if error.status < 500 or isinstance(error, DeadlineExceeded | AnswerLost) or progress.unsettled:
        return False
    return not (isinstance(error, ProviderFault) and error.complete) and not _timed_out_again(progress)


def _timed_out_again(progress: Progress) -> bool:
    """Whether a candidate took too long that had done so in an earlier try: it is probably paid for each time."""
    late, before = (
        {(attempt.provider, attempt.model) for attempt in attempts if attempt.error_code == ProviderTimeout.code}
        for attempts in (progress.attempts, progress.earlier)
    )
    return bool(late & before)


def _met_a_limit(error: GatewayError, progress: Progress) -> bool:
    """Whether nothing failed: everybody asked to be left alone for a while, or was known to want that."""
    refused = progress.calls == 0 and bool(progress.attempts)
    return isinstance(error, ProviderRateLimited) or (isinstance(error, NoProviderAvailable) and refused)
