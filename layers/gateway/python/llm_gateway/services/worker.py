"""The worker: answers queued queries, one delivery at a time, so that each is answered once and none is lost.

A delivery is done when the query is at its end, or safely somewhere else. Until then the message stays with the queue, which
delivers it again; after too many failures it goes to the dead letters, and from there the query is told to have failed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from llm_gateway.domain.queries import Query, QueryProblem
from llm_gateway.errors import (
    CallCancelled,
    DeadlineExceeded,
    DependencyUnavailable,
    GatewayError,
    NoProviderAvailable,
    NotDone,
    ProviderRateLimited,
)
from llm_gateway.ports import Clock, Delivery, Journal, QueryQueue, QueryStore
from llm_gateway.services.calls import Course
from llm_gateway.services.cancelling import cancel
from llm_gateway.services.dispatch import Dispatcher
from llm_gateway.services.holding import holding
from llm_gateway.services.planning import Planner
from llm_gateway.services.records import Records, problem_of
from llm_gateway.services.together import together

_LONGEST_BACKOFF_S: Final = 300
_FIRST_BACKOFF_S: Final = 5
_PAUSES_TO_STORE_S: Final = (1, 2)
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
    queue: QueryQueue
    planner: Planner
    dispatcher: Dispatcher
    records: Records
    journal: Journal
    clock: Clock

    def process(self, delivery: Delivery) -> None:
        """Raises `NotDone` where the message must be delivered again, and has seen to when."""
        try:
            query = self.store.claim(delivery.query_id, until=self.clock.now() + self.records.lease)
            if query is None:
                self._leave(delivery)
                return
            self._hold(delivery, self._lease_s)
            self._work(query, delivery)
        except DependencyUnavailable as error:
            # Longer from time to time: a message that is delivered too often is a dead letter.
            self._hold(delivery, self._lease_s * delivery.count)
            raise NotDone(f"Something that the query takes cannot be reached: {error.detail}") from error

    def bury(self, delivery: Delivery) -> None:
        """Tells that a query failed whose message was delivered too often. One that somebody still works on goes back."""
        ending = self.store.bury(delivery.query_id, problem=_GIVEN_UP)
        if ending is not None and ending.ended_now:
            self.journal.ended(ending.query)
        elif ending is not None and not ending.query.status.finished:
            self.queue.send(delivery.query_id, delay_s=self._lease_s)

    @property
    def _lease_s(self) -> float:
        return self.records.lease.total_seconds()

    def _leave(self, delivery: Delivery) -> None:
        """Nothing more to do. Where somebody else holds the query, this message is what brings it back should he die."""
        query = self.store.summary(delivery.query_id)
        if query is not None and query.cancel_requested and not query.status.finished:
            # Its holder would have done it, had he not fallen silent.
            query = cancel(query.id, self.store, self.journal)
        if query is not None and not query.status.finished:
            self._hold(delivery, self._lease_s)
            raise NotDone("Somebody else works on the query.")

    def _work(self, query: Query, delivery: Delivery) -> None:
        now_s = self.clock.monotonic_s()
        course = Course(since_s=now_s, deadline_s=now_s + query.request.timeout_s)
        keep_message = partial(self._hold, delivery, self._lease_s)
        with holding(query, self.store, self.clock, lease=self.records.lease, also=keep_message) as hold:
            course.cancelled = hold.is_lost
            try:
                answered = self.dispatcher.ask(self.planner.plan(query.request), course)
            except GatewayError as error:
                error.attempts = tuple(course.attempts)
                self._unanswered(query, error, course, delivery)
                return
            except Exception:
                self.journal.spent(query, calls=course.attempts)
                raise
            self._end(self.records.succeeded(query, answered, course), course, delivery)

    def _unanswered(self, query: Query, error: GatewayError, course: Course, delivery: Delivery) -> None:
        match error:
            case CallCancelled():
                self._end(self.records.cancelled(query, course), course, delivery)
            case _ if _met_a_limit(error, course):
                self._put_back(query, course, delivery, delay_s=error.retry_after_s or _FIRST_BACKOFF_S)
            case _ if error.status < 500 or isinstance(error, DeadlineExceeded):
                self._end(self.records.failed(query, error), course, delivery)
            case _:
                self._try_again(query, error, course, delivery)

    def _put_back(self, query: Query, course: Course, delivery: Delivery, *, delay_s: float) -> None:
        """A provider's limit is no failure: the query starts over as a new message, however often."""
        if self._requeued(query, None, course, delivery):
            self.queue.send(query.id, delay_s=delay_s, priority=query.request.priority)

    def _try_again(self, query: Query, error: GatewayError, course: Course, delivery: Delivery) -> None:
        if not self._requeued(query, problem_of(error), course, delivery):
            return
        wait_s = min(_FIRST_BACKOFF_S * 2 ** (delivery.count - 1), _LONGEST_BACKOFF_S)
        self._hold(delivery, max(wait_s, error.retry_after_s or 0))
        raise NotDone("No provider answered.") from error

    def _requeued(self, query: Query, problem: QueryProblem | None, course: Course, delivery: Delivery) -> bool:
        """Gives the query back. One that is not wanted back any more is ended, if it has not been."""
        with self._whatever_happens_counted(query, course):
            requeued = self.store.requeue(query, problem=problem, counted=problem is not None)
        if requeued:
            self.journal.spent(query, calls=course.attempts)
        else:
            self._end(self.records.cancelled(query, course), course, delivery)
        return requeued

    def _end(self, query: Query, course: Course, delivery: Delivery) -> None:
        """Stores what was paid for, trying hard. Raises `NotDone` where it cannot: then the query is asked again."""
        with self._whatever_happens_counted(query, course):
            ended, *_ = together(lambda: self._finished(query), *course.settlements)
        if ended:
            self.journal.ended(query, calls=course.attempts)
        else:
            self.journal.spent(query, calls=course.attempts)
            self._leave(delivery)

    @contextmanager
    def _whatever_happens_counted(self, query: Query, course: Course) -> Iterator[None]:
        """What was paid for is written down, even where nothing else can be."""
        try:
            yield
        except DependencyUnavailable:
            self.journal.spent(query, calls=course.attempts)
            raise

    def _finished(self, query: Query) -> bool:
        """False where it had ended already, was taken up by somebody else, or is erased."""
        for pause_s in _PAUSES_TO_STORE_S:
            try:
                return self.store.finish(query)
            except DependencyUnavailable:
                self.clock.sleep(pause_s)
        return self.store.finish(query)

    def _hold(self, delivery: Delivery, duration_s: float) -> None:
        try:
            self.queue.hold(delivery, duration_s=duration_s)
        except DependencyUnavailable:
            # It is then delivered again when the queue's own timeout is over.
            return


def _met_a_limit(error: GatewayError, course: Course) -> bool:
    """Whether nothing failed: everybody asked to be left alone for a while, or was known to want that."""
    refused = course.calls == 0 and bool(course.faults)
    return isinstance(error, ProviderRateLimited) or (isinstance(error, NoProviderAvailable) and refused)
