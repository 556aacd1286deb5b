"""Asking: a query is answered at once, as a stream, or later by a worker."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn

from llm_gateway.domain.chat import ChatAnswer
from llm_gateway.domain.faults import CallCancelled
from llm_gateway.domain.idempotency import Idempotency, Replayed
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.queries import Query, QueryRequest, QueryStatus
from llm_gateway.domain.routing import Plan, first_step
from llm_gateway.domain.streams import Opened, Position
from llm_gateway.domain.terms import Terms
from llm_gateway.errors import AnswerLost, DependencyUnavailable, GatewayError
from llm_gateway.ports.queries import QueryQueue, QueryStore
from llm_gateway.ports.system import Cancelled, Clock, never
from llm_gateway.services.queries.booking import Booked, Booking
from llm_gateway.services.queries.cache import cache_keys
from llm_gateway.services.queries.charge import Charge, Charges, TellRoom, unheard
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


_NOBODY_FORESAW: Final = "Something unforeseen happened. The request_id helps to find out what."


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
class _Ready:
    """A query that may be booked in: `asked` with the words of its prompt, and what it will take."""

    asked: Asked
    plan: Plan
    query: Query
    charge: Charge | None


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
        ready = self._prepared(asked)
        if isinstance(ready, Replayed):
            return ready
        booked = self._open(ready, stored=False)
        if not isinstance(booked, Booked):
            return booked
        try:
            answer = self.dispatcher.ask(ready.plan, booked.progress)
        except CallCancelled as error:
            raise self._close_cancelled(booked) from error
        except Exception as error:
            self._fail(booked, error)
        return self._close_succeeded(ready.asked, booked, answer)

    def stream(self, asked: Asked) -> Stream:
        """Asks, and gives the answer as it comes: `Opened` right before the first delta, the whole query last.

        Raises as `run` does, once something came too. Closing the generator stops the provider's work.
        """
        ready = self._prepared(asked)
        if isinstance(ready, Replayed):
            yield from retell(ready.made, Position(), replayed=True)
            return
        booked = self._open(ready, stored=True)
        if isinstance(booked, Replayed):
            yield from retell(booked.made, Position(), replayed=True)
        elif isinstance(booked, Query):
            yield from retell(booked, Position())
        elif not booked.is_stored:
            # There is no record to hold, nor one through which somebody could cancel it.
            yield from self._stream(ready, booked)
        else:
            with keep_lease(booked.query, self.store, self.clock, lease=self.states.lease) as hold:
                booked.progress.deadline = ready.asked.deadline.or_when(hold.is_lost)
                yield from self._stream(ready, booked)

    def accept(self, asked: Asked) -> Query | Replayed[Query]:
        """Stores the query and hands it to the workers; then it is not lost any more. Raises as `run` does, but for answers."""
        ready = self._prepared(asked)
        if isinstance(ready, Replayed):
            return ready
        asked = ready.asked
        booked = self.booking.open_queued(
            ready.query, deadline=asked.deadline, charge=ready.charge, idempotency=asked.idempotency
        )
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

    def _prepared(self, asked: Asked) -> "_Ready | Replayed[Query]":
        """All that comes before a query is booked in. Raises as `run` does, but for answers.

        A request that is refused here by now may have been answered under its key before: then it is again.
        """
        if _pays_to_plan(asked.request) and (made := self._made_before(asked)) is not None:
            return made
        try:
            return self._ready(asked, Terms.of(asked.caller))
        except DependencyUnavailable:
            raise
        except GatewayError:
            made = self._made_before(asked)
            if made is None:
                raise
            return made

    def _ready(self, asked: Asked, terms: Terms) -> "_Ready":
        asked = self._entered(asked, terms)
        plan, is_later = self._plan(asked, terms), asked.request.mode == "async"
        query = self.states.new(
            asked.request,
            asked.caller,
            status=QueryStatus.QUEUED if is_later else QueryStatus.RUNNING,
            idempotency=asked.idempotency,
            # A worker plans anew, and looks then.
            cache_keys=frozenset()
            if is_later
            else cache_keys(first_step(plan), asked.request, owner=asked.caller.key_id),
        )
        if asked.values:
            query = self.policies().with_sealed_values(query, asked.values)
        charge = self.charges.of(query, terms, plan, tell_room=asked.tell_room)
        return _Ready(asked=asked, plan=plan, query=query, charge=charge)

    def _plan(self, asked: Asked, terms: Terms) -> Plan:
        if asked.request.context is None or asked.request.mode == "async":
            return self.planner.plan(asked.request, terms)
        asker = asker_of(asked.request, owner=asked.caller.key_id, terms=terms, deadline=asked.deadline)
        return self.planner.plan(asked.request, terms, embeds_for=asker)

    def _made_before(self, asked: Asked) -> Replayed[Query] | None:
        """What an earlier request under the same key was answered with, or promised. Raises as `Booking.open` does of a request
        that is not the first; where nobody can tell whether it is, it is taken for it."""
        if asked.idempotency is None:
            return None
        try:
            made = self.booking.made_before(asked.idempotency, asked.request)
        except DependencyUnavailable:
            return None
        return None if made is None else self._replayed(asked, made)

    def _replayed(self, asked: Asked, made: Query) -> Replayed[Query]:
        asked.tell_id(made.id)
        return Replayed(made if made.request.privacy is None else self.policies().revealed(made))

    def _open(self, ready: "_Ready", *, stored: bool) -> Booked | Query | Replayed[Query]:
        """Books the query in; or else the query as it ended, with an answer from the cache, or as it is replayed."""
        asked, query = ready.asked, ready.query
        asked.tell_id(query.id)
        try:
            booked = self.booking.open(
                query,
                first_step(ready.plan),
                deadline=asked.deadline,
                charge=ready.charge,
                idempotency=asked.idempotency,
                stored=stored,
            )
        except Exception:
            asked.tell_id(None)
            raise
        if isinstance(booked, Replayed):
            return self._replayed(asked, booked.made)
        if booked.cached is not None:
            return self._close(asked, booked, partial(self.states.given_again, query, booked.cached, booked.progress))
        return booked

    def _stream(self, ready: "_Ready", booked: Booked) -> Stream:
        try:
            with closing(self._pieces(ready, booked)) as items:
                answer = yield from _forward(items, booked)
        except GeneratorExit:
            self._close_cancelled(booked)
            raise
        except CallCancelled as error:
            raise self._close_cancelled(booked) from error
        except Exception as error:
            self._fail(booked, error)
        # Outside the `try`: a client that leaves now leaves a query that has ended.
        yield self._close_succeeded(ready.asked, booked, answer)

    def _pieces(self, ready: "_Ready", booked: Booked) -> Pieces:
        items, asked = self.dispatcher.stream(ready.plan, booked.progress), ready.asked
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
            self._fail(booked, error)
        try:
            end = self.closing.close(booked, end)
            return _shown(end, asked.values) if asked.values else end
        except Exception as error:
            raise self._noted(_unforeseen(booked), booked) from error

    def _fail(self, booked: Booked, error: Exception) -> NoReturn:
        """Ends a query as failed, and raises what its caller is told: `error` if it is one of ours, else one of ours from it."""
        known = self._noted(error if isinstance(error, GatewayError) else _unforeseen(booked), booked)
        try:
            self.closing.close(booked, self.states.failed(booked.query, known, booked.progress))
        except Exception as unstored:
            raise self._noted(_unforeseen(booked), booked) from unstored
        if known is error:
            raise known
        raise known from error

    def _noted(self, error: GatewayError, booked: Booked) -> GatewayError:
        """`error`, which tells of the query: a client that reads of its attempts does not pay for them again."""
        error.query_id, error.attempts = booked.query.id, tuple(booked.progress.attempts)
        error.overhead_ms = self.states.latency(booked.progress).overhead_ms
        return error

    def _close_cancelled(self, booked: Booked) -> GatewayError:
        """Ends a query as cancelled; returns what its caller is told."""
        self.closing.close(booked, self.states.cancelled(booked.query, booked.progress))
        error = cancellation(booked.query)
        error.overhead_ms = self.states.latency(booked.progress).overhead_ms
        return error


def _pays_to_plan(request: QueryRequest) -> bool:
    """Whether a vendor is asked before a provider is chosen. A query for later is planned by its worker."""
    return request.context is not None and request.context.embedding_model is not None and request.mode != "async"


def _shown(end: Query, values: Mapping[str, str]) -> Query:
    from llm_gateway.services.privacy.ends import shown

    return shown(end, values)


def _unforeseen(booked: Booked) -> GatewayError:
    """One that a provider was paid for is not answered anew under its idempotency key."""
    return AnswerLost() if booked.progress.has_answer else GatewayError(_NOBODY_FORESAW)


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
