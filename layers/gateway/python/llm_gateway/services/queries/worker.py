"""The worker: answers queued queries, one delivery at a time, so that each is answered once and none is lost.

A delivery is done when the query is at its end, or safely somewhere else. Until then the message stays with the queue, which
delivers it again; after too many failures it goes to the dead letters, and from there the query is told to have failed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.faults import CallCancelled, ProviderRateLimited
from llm_gateway.domain.queries import Query, QueryProblem
from llm_gateway.domain.routing import first_step
from llm_gateway.errors import (
    DeadlineExceeded,
    DependencyUnavailable,
    GatewayError,
    NoProviderAvailable,
    NotDone,
    QueryInProgress,
)
from llm_gateway.ports.queries import Delivery, Journal, QueryQueue, QueryStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.cache import Answers, Place
from llm_gateway.services.queries.closing import cancel
from llm_gateway.services.queries.dispatch import Dispatcher
from llm_gateway.services.queries.lease import holding
from llm_gateway.services.queries.planning import Planner
from llm_gateway.services.queries.progress import Course
from llm_gateway.services.queries.states import Records
from llm_gateway.services.together import together

_LONGEST_BACKOFF_S: Final = 300
_FIRST_BACKOFF_S: Final = 5
_PAUSES_TO_STORE_S: Final = (1, 2)
_SHORTEST_WAIT_S: Final = 1
_LONGEST_WAIT_S: Final = 15
_GIVEN_UP: Final = QueryProblem(
    status=503,
    code="no_provider_available",
    title="Unavailable for now",
    detail="The query was tried too often without success.",
)


@dataclass(slots=True, kw_only=True)
class _Task:
    """A query that was taken up, the message that told of it, and what it has met since."""

    query: Query
    delivery: Delivery
    course: Course
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """Takes queries up and sees them to their end."""

    store: QueryStore
    queue: QueryQueue
    planner: Planner
    dispatcher: Dispatcher
    answers: Answers
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
            now_s = self.clock.monotonic_s()
            course = Course(since_s=now_s, deadline_s=now_s + query.request.timeout_s)
            self._work(_Task(query=query, delivery=delivery, course=course))
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

    def _work(self, task: _Task) -> None:
        failure = self._tried(task)
        if failure is not None:
            # Held no more: a renewal under way must not have the last word on when the message comes back.
            failure.attempts = tuple(task.course.attempts)
            self._unanswered(task, failure)

    def _tried(self, task: _Task) -> GatewayError | None:
        """Answers and ends the query, or tells what kept it from that; query and message are held meanwhile."""
        keep_message = partial(self._hold, task.delivery, self._lease_s)
        with holding(task.query, self.store, self.clock, lease=self.records.lease, also=keep_message) as hold:
            task.course.cancelled = hold.is_lost
            try:
                ended = self._answered(task)
            except GatewayError as error:
                return error
            except Exception:
                self.journal.spent(task.query, calls=task.course.attempts)
                raise
            self._end(task, ended)
            return None

    def _answered(self, task: _Task) -> Query:
        """The end of the query with its answer, from before or of a provider. Raises `QueryInProgress` where another query is
        getting the same one, and what `Planner.plan` and `Dispatcher.ask` raise."""
        plan = self.planner.plan(task.query.request)
        task.place = self.answers.place(task.query, first_step(plan))
        query = task.place.query if task.place else task.query
        try:
            cached = self._looked_up(task)
            if cached is not None:
                return self.answers.given_again(cached, query, task.course)
            return self.records.succeeded(query, self.dispatcher.ask(plan, task.course), task.course)
        except Exception:
            self.answers.leave(task.place)
            raise

    def _looked_up(self, task: _Task) -> CachedAnswer | None:
        """The answer from before. Where another query is getting it, this one waits: in the queue, until it is as old as it may
        take itself, and then here."""
        if task.place is None:
            return None
        found = self.answers.look_up(task.place)
        if not isinstance(found, Pending):
            return found
        if self._age_s(task.query) >= task.query.request.timeout_s:
            return self.answers.wait(task.place, task.course)
        wait_s = self._as_long_again_s(task.query, least=_SHORTEST_WAIT_S, most=_LONGEST_WAIT_S)
        raise QueryInProgress("Another query is getting the same answer.", retry_after_s=wait_s)

    def _as_long_again_s(self, query: Query, *, least: float, most: float) -> float:
        """How long to wait for whom nobody told: as long as it has been waiting, so that it comes neither often nor late."""
        return min(max(self._age_s(query), least), most)

    def _age_s(self, query: Query) -> float:
        return (self.clock.now() - query.created_at).total_seconds()

    def _unanswered(self, task: _Task, error: GatewayError) -> None:
        match error:
            case CallCancelled():
                self._end(task, self.records.cancelled(task.query, task.course))
            case _ if isinstance(error, QueryInProgress) or _met_a_limit(error, task.course):
                untold_s = self._as_long_again_s(task.query, least=_FIRST_BACKOFF_S, most=_LONGEST_BACKOFF_S)
                self._put_back(task, delay_s=error.retry_after_s or untold_s)
            case _ if error.status < 500 or isinstance(error, DeadlineExceeded):
                self._end(task, self.records.failed(task.query, error, task.course))
            case _:
                self._try_again(task, error)

    def _put_back(self, task: _Task, *, delay_s: float) -> None:
        """A provider's limit is no failure, nor is another's work: the query starts over as a new message, however often."""
        if self._requeued(task, None):
            self.queue.send(task.query.id, delay_s=delay_s, priority=task.query.request.priority)

    def _try_again(self, task: _Task, error: GatewayError) -> None:
        if not self._requeued(task, QueryProblem.of(error)):
            return
        wait_s = min(_FIRST_BACKOFF_S * 2 ** (task.delivery.count - 1), _LONGEST_BACKOFF_S)
        self._hold(task.delivery, max(wait_s, error.retry_after_s or 0))
        raise NotDone("No provider answered.") from error

    def _requeued(self, task: _Task, problem: QueryProblem | None) -> bool:
        """Gives the query back. One that is not wanted back any more is ended, if it has not been."""
        with self._whatever_happens_counted(task.query, task.course):
            requeued = self.store.requeue(task.query, problem=problem, counted=problem is not None)
        if requeued:
            self.journal.spent(task.query, calls=task.course.attempts)
        else:
            self._end(task, self.records.cancelled(task.query, task.course))
        return requeued

    def _end(self, task: _Task, query: Query) -> None:
        """Stores what was paid for, trying hard. Raises `NotDone` where it cannot: then the query is asked again."""
        with self._whatever_happens_counted(query, task.course):
            ended, *_ = together(
                lambda: self._finished(query),
                *task.course.settlements,
                lambda: self.answers.fill(task.place, query),
            )
        if ended:
            self.journal.ended(query, calls=task.course.attempts)
        else:
            self.answers.take_back(task.place)
            self.journal.spent(query, calls=task.course.attempts)
            self._leave(task.delivery)

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
