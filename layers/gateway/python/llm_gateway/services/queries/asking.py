"""Asking: a query is answered at once, as a stream, or later by a worker."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from llm_gateway.domain.chat import ChatAnswer
from llm_gateway.domain.faults import CallCancelled
from llm_gateway.domain.idempotency import Idempotency, Replayed
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.queries import Query, QueryRequest, QueryStatus
from llm_gateway.domain.routing import Plan, first_step
from llm_gateway.domain.streams import Opened, Position
from llm_gateway.domain.terms import Terms
from llm_gateway.errors import GatewayError
from llm_gateway.ports.queries import QueryQueue, QueryStore
from llm_gateway.ports.system import Cancelled, Clock, never
from llm_gateway.services.queries.booking import Booked, Booking
from llm_gateway.services.queries.cache import cache_keys
from llm_gateway.services.queries.charge import Charges, TellRoom, unheard
from llm_gateway.services.queries.closing import Closing, cancellation
from llm_gateway.services.queries.dispatch import Dispatcher
from llm_gateway.services.queries.entry import Entry
from llm_gateway.services.queries.lease import keep_lease
from llm_gateway.services.queries.planning import Planner, asker_of
from llm_gateway.services.queries.progress import Deadline, Pieces
from llm_gateway.services.queries.reading import Stream, StreamItem, retell
from llm_gateway.services.queries.states import States

if TYPE_CHECKING:
    from llm_gateway.domain.prompts.choices import Choices
    from llm_gateway.services.privacy.policies import Policies


def _nobody(_: str | None) -> None:
    """Ignores the query's id, for a caller that does not ask for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a caller asks, since when (a time of the monotonic clock) it has been waiting, and whether it still does.

    `choices` are there where a prompt or roles have to be put into the request first. `values` are those that its placeholders
    stand for, where personal data was masked.

    `tell_id` is told which query the request has become: before it is answered, and None where it is refused after all.
    `tell_room` is told what the limit of its key leaves, where it has one, before anybody is asked.
    """

    request: QueryRequest
    caller: Caller
    received_s: float
    choices: "Choices | None" = None
    idempotency: Idempotency | None = None
    cancelled: Cancelled = never
    tell_id: Callable[[str | None], None] = _nobody
    tell_room: TellRoom = unheard
    values: Mapping[str, str] | None = None

    @property
    def deadline(self) -> Deadline:
        timeout_s = self.request.timeout_s
        return Deadline(
            since_s=self.received_s, ends_s=self.received_s + timeout_s, timeout_s=timeout_s, cancelled=self.cancelled
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Takes a query from its question to its end, or to the workers."""

    store: QueryStore
    queue: QueryQueue
    entry: Entry
    policies: "Callable[[], Policies]"
    planner: Planner
    charges: Charges
    booking: Booking
    dispatcher: Dispatcher
    states: States
    closing: Closing
    clock: Clock

    def run(self, asked: Asked) -> Query | Replayed[Query]:
        """Asks and waits. A query that cannot be planned is refused and leaves no trace; one that then fails is stored, and
        its error carries its id. Raises what `Entry.admit`, `Planner.plan`, `Booking.open` and `Dispatcher.ask` raise."""
        terms = Terms.of(asked.caller)
        asked = self._entered(asked, terms)
        plan = self._plan(asked, terms)
        booked = self._open(asked, terms, plan, stored=False)
        if not isinstance(booked, Booked):
            return booked
        try:
            answer = self.dispatcher.ask(plan, booked.progress)
        except CallCancelled as error:
            raise self._close_cancelled(booked) from error
        except Exception as error:
            self._close_failed(booked, error)
            raise
        return self._close_succeeded(asked, booked, answer)

    def stream(self, asked: Asked) -> Stream:
        """Asks, and gives the answer as it comes: `Opened` right before the first delta, the whole query last.

        Raises as `run` does, once something came too. Closing the generator stops the provider's work.
        """
        terms = Terms.of(asked.caller)
        asked = self._entered(asked, terms)
        plan = self._plan(asked, terms)
        booked = self._open(asked, terms, plan, stored=True)
        if isinstance(booked, Replayed):
            yield from retell(booked.made, Position(), replayed=True)
        elif isinstance(booked, Query):
            yield from retell(booked, Position())
        elif not booked.is_stored:
            # There is no record to hold, nor one through which somebody could cancel it.
            yield from self._stream(asked, booked, plan)
        else:
            with keep_lease(booked.query, self.store, self.clock, lease=self.states.lease) as hold:
                booked.progress.deadline = asked.deadline.or_when(hold.is_lost)
                yield from self._stream(asked, booked, plan)

    def accept(self, asked: Asked) -> Query | Replayed[Query]:
        """Stores the query and hands it to the workers; then it is not lost any more. Raises as `run` does, but for answers."""
        terms = Terms.of(asked.caller)
        asked = self._entered(asked, terms)
        plan = self.planner.plan(asked.request, terms)
        query = self.states.new(asked.request, asked.caller, status=QueryStatus.QUEUED, idempotency=asked.idempotency)
        if asked.values:
            query = self.policies().with_sealed_values(query, asked.values)
        charge = self.charges.of(query, terms, plan, tell_room=asked.tell_room)
        booked = self.booking.open_queued(query, deadline=asked.deadline, charge=charge, idempotency=asked.idempotency)
        if isinstance(booked, Replayed):
            asked.tell_id(booked.made.id)
            return booked
        query = booked.query
        # Before it is sent, so that the log tells of the request that it goes back to.
        asked.tell_id(query.id)
        try:
            # Perhaps so even where that fails: its answer may be lost.
            booked.is_stored = True
            self.store.add(query)
            self.queue.send(query.id, priority=asked.request.priority)
        except Exception:
            asked.tell_id(None)
            self.booking.give_back(booked)
            raise
        self.booking.complete(booked)
        return query

    def _entered(self, asked: Asked, terms: Terms) -> Asked:
        """With the words of the prompt and the roles, which are the query's own from here on, and under its policies."""
        entered = self.entry.admit(asked.request, asked.choices, terms, key_id=asked.caller.key_id)
        if entered is None:
            return asked
        return replace(asked, request=entered.request, choices=None, values=entered.values)

    def _plan(self, asked: Asked, terms: Terms) -> Plan:
        if asked.request.context is None:
            return self.planner.plan(asked.request, terms)
        asker = asker_of(asked.request, owner=asked.caller.key_id, terms=terms, deadline=asked.deadline)
        return self.planner.plan(asked.request, terms, embeds_for=asker)

    def _open(self, asked: Asked, terms: Terms, plan: Plan, *, stored: bool) -> Booked | Query | Replayed[Query]:
        """Books the query in; or else the query as it ended, with an answer from the cache, or as it is replayed."""
        first, key = first_step(plan), asked.idempotency
        keys = cache_keys(first, asked.request, owner=asked.caller.key_id)
        query = self.states.new(
            asked.request, asked.caller, status=QueryStatus.RUNNING, idempotency=key, cache_keys=keys
        )
        if asked.values:
            query = self.policies().with_sealed_values(query, asked.values)
        charge = self.charges.of(query, terms, plan, tell_room=asked.tell_room)
        asked.tell_id(query.id)
        try:
            booked = self.booking.open(
                query, first, deadline=asked.deadline, charge=charge, idempotency=key, stored=stored
            )
        except Exception:
            asked.tell_id(None)
            raise
        if isinstance(booked, Replayed):
            asked.tell_id(booked.made.id)
            if booked.made.request.privacy is not None:
                return Replayed(self.policies().revealed(booked.made))
        elif booked.cached is not None:
            return self._close(asked, booked, partial(self.states.given_again, query, booked.cached, booked.progress))
        return booked

    def _stream(self, asked: Asked, booked: Booked, plan: Plan) -> Stream:
        try:
            with closing(self._pieces(asked, booked, plan)) as items:
                answer = yield from _forward(items, booked)
        except GeneratorExit:
            self._close_cancelled(booked)
            raise
        except CallCancelled as error:
            raise self._close_cancelled(booked) from error
        except Exception as error:
            self._close_failed(booked, error)
            raise
        # Outside the `try`: a client that leaves now leaves a query that has ended.
        yield self._close_succeeded(asked, booked, answer)

    def _pieces(self, asked: Asked, booked: Booked, plan: Plan) -> Pieces:
        items = self.dispatcher.stream(plan, booked.progress)
        if not asked.values:
            return items
        from llm_gateway.services.privacy.streams import restored_pieces

        return restored_pieces(items, asked.values, is_json=asked.request.output.type != "text")

    def _close_succeeded(self, asked: Asked, booked: Booked, answer: ChatAnswer) -> Query:
        return self._close(asked, booked, partial(self.states.succeeded, booked.query, answer, booked.progress))

    def _close(self, asked: Asked, booked: Booked, make_end: Callable[[], Query]) -> Query:
        """Ends a query that was answered, and gives it as its caller reads it; one whose answer cannot be told ends too, and has
        failed."""
        try:
            end = make_end()
        except Exception as error:
            self._close_failed(booked, error)
            raise
        end = self.closing.close(booked, end)
        if not asked.values:
            return end
        from llm_gateway.services.privacy.policies import shown

        return shown(end, asked.values)

    def _close_failed(self, booked: Booked, error: Exception) -> None:
        """Ends a query as failed, and tells so in the error, if it is one of ours."""
        known = error if isinstance(error, GatewayError) else GatewayError("Something unforeseen happened.")
        known.query_id, known.attempts = booked.query.id, tuple(booked.progress.attempts)
        known.overhead_ms = self.states.latency(booked.progress).overhead_ms
        self.closing.close(booked, self.states.failed(booked.query, known, booked.progress))

    def _close_cancelled(self, booked: Booked) -> GatewayError:
        """Ends a query as cancelled; returns what its caller is told."""
        self.closing.close(booked, self.states.cancelled(booked.query, booked.progress))
        error = cancellation(booked.query)
        error.overhead_ms = self.states.latency(booked.progress).overhead_ms
        return error


def _forward(items: Pieces, booked: Booked) -> Generator[StreamItem, None, ChatAnswer]:
    """Passes the deltas on, after `Opened`, and returns the answer."""
    for number, item in enumerate(items):
        if number == 0:
            yield _opening(booked)
        if isinstance(item, ChatAnswer):
            return item
        yield item
    raise RuntimeError("a dispatch ended without an answer")


def _opening(booked: Booked) -> Opened:
    candidate = booked.progress.answering
    return Opened(query_id=booked.query.id, provider=candidate.provider.id, model=candidate.model.name)
