"""Closing: the one way in which a query ends, in whatever process.

The end is stored, the gate settled, cache and idempotency key filled or left, all in one go; an answer whose query turns out to
be gone is taken back from the cache; and the journal is told, once, of the end or of what was spent without one.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.queries import (
    Attempt,
    AttemptOutcome,
    Ending,
    Query,
    QueryProblem,
    QueryRequest,
    QueryStatus,
    QuerySummary,
)
from llm_gateway.errors import (
    AlreadyExists,
    AnswerLost,
    AnswerWithheld,
    DependencyUnavailable,
    GatewayError,
    QueryCancelled,
    QueryNotFound,
)
from llm_gateway.ports.keys import QueryAccounts
from llm_gateway.ports.queries import Journal, QueryStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.cache import Caching
from llm_gateway.services.replay import Claims
from llm_gateway.services.together import Beside
from llm_gateway.values import dataclass

if TYPE_CHECKING:
    from llm_gateway.services.privacy.policies import Policies
    from llm_gateway.services.queries.booking import Booked

_log = logging.getLogger(__name__)

_SAYS_NO_MORE: Final = "Personal data could not be looked for in what was said of this: it is withheld."
_UNFORESEEN: Final = QueryProblem.of(GatewayError("Something unforeseen happened."))
NOT_STORED: Final = "The answer could not be stored: /status and /result will not find this query."
_PAUSES_TO_STORE_S: Final = (1, 2, 4, 8, 16)
_PAUSES_TO_SEAL_S: Final = (1, 2)
_PAID_FOR: Final = frozenset({AnswerWithheld.code, AnswerLost.code})
_ACCOUNT: Final = "what it took of its key's account"


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """Ends queries, and tells the journal."""

    store: QueryStore
    caching: Caching
    claims: Claims
    journal: Journal
    clock: Clock
    accounts: Callable[[], QueryAccounts]
    policies: "Callable[[], Policies]"

    def close(self, booked: "Booked", end: Query) -> Query:
        """Ends a query whose caller waits for it. An end that cannot be stored is given all the same, with a warning."""
        warnings: tuple[str, ...] = ()
        kept = self._kept(end)
        if kept is None:
            # Nothing of its words may be stored, and all else is to be done.
            kept, warnings = _withheld(end), (NOT_STORED,)
        try:
            is_ours = self._close(booked, kept, settle=True)
        except DependencyUnavailable:
            self._tell(kept, booked, ended=True)
            if booked.idempotency is not None:
                # There is nothing to replay: the same request again has to be answered anew.
                self.claims.forget(booked.idempotency, reference=end.id)
            return _warned(end, NOT_STORED)
        except Exception:
            failed = _unforeseen(kept)
            self._store_otherwise(booked, failed)
            self._tell(failed, booked, ended=True)
            raise
        self._tell(kept, booked, ended=is_ours)
        return _warned(end, *warnings) if warnings else end

    def close_queued(self, booked: "Booked", end: Query) -> bool:
        """Ends a query that a worker took up, and tries hard to store what was paid for.

        False where the query had ended already, was taken up by another worker, or is erased. Raises where the end cannot be
        stored. What it has reserved is for those who go on with it: it is settled only when the end is stored, and until then
        what was spent is noted beside it.
        """
        end = self._kept(end, pauses_s=_PAUSES_TO_SEAL_S) or _withheld(end)
        try:
            is_ours = self._close(booked, end, settle=False, pauses_s=_PAUSES_TO_STORE_S)
        except DependencyUnavailable as error:
            _note("its end", error)
            self.note_spent(booked)
            raise
        except Exception as error:
            _note("its end", error)
            end = _unforeseen(end)
            stored = self._store_otherwise(booked, end)
            if stored is None:
                self.note_spent(booked)
                raise
            is_ours = stored
        if not is_ours:
            self.note_spent(booked)
            return False
        _step(_ACCOUNT, partial(self._settle, booked, end))()
        self._tell(end, booked, ended=True)
        return True

    def _kept(self, end: Query, *, pauses_s: Sequence[float] = ()) -> Query | None:
        """What may be stored of `end`; None where that cannot be told. Never raises: a provider may be paid for the answer."""
        if end.request.privacy is None:
            return end
        for pause_s in (*pauses_s, None):
            try:
                return self.policies().kept(end)
            except DependencyUnavailable as error:
                if pause_s is None:
                    _note("its personal data", error)
                else:
                    self.clock.sleep(pause_s)
            except Exception as error:
                _note("its personal data", error)
                break
        return None

    def requeue(self, booked: "Booked", *, problem: QueryProblem | None, counted: bool) -> bool:
        """Gives a query back that was not answered; `problem` is why, and `counted` whether that was an attempt.

        False where it is not wanted back: nothing is noted then, because its end is still to come. Raises as `close_queued`.
        """
        try:
            if problem is not None and booked.query.request.privacy is not None:
                problem = self._kept_problem(problem, booked.query)
            is_queued = self.store.requeue(booked.query, problem=problem, counted=counted)
        except DependencyUnavailable:
            self.note_spent(booked)
            raise
        if is_queued:
            self.note_spent(booked)
        return is_queued

    def _kept_problem(self, problem: QueryProblem, query: Query) -> QueryProblem:
        try:
            return self.policies().kept_problem(problem, query)
        except Exception as error:
            # Who was asked is kept: a provider that may be paid for each try is not asked as if it were the first.
            _note("its personal data", error)
            return _without_words(problem)

    def note_spent(self, booked: "Booked") -> None:
        """Tells the journal what was spent on a query that did not end thereby, and notes it in the key's budget."""
        if booked.progress.charge:
            booked.progress.charge.note()
        self._tell(booked.query, booked, ended=False)

    def cancel(self, query_id: str) -> QuerySummary | None:
        """Where the query stands after its cancellation, which its holder may still have to see to; None where it is gone."""
        return self._ended(self.store.cancel(query_id))

    def bury(self, query_id: str, *, problem: QueryProblem) -> QuerySummary | None:
        """Where the query stands after it was given up with `problem`, if nobody works on it; None where it is gone."""
        return self._ended(self.store.bury(query_id, problem=problem))

    def redact(self, query_id: str) -> None:
        """Sees to the words of a query that ended while nobody worked on it: they were sealed for the worker that now has none to
        answer. Raises `DependencyUnavailable`."""
        query = self.store.get(query_id)
        privacy = None if query is None else query.request.privacy
        if query is None or privacy is None or not privacy.is_redacted:
            return
        kept = self._kept(query) or wordless(query)
        if kept.request != query.request:
            self.store.redact(kept)

    def erase(self, query: QuerySummary) -> None:
        """Deletes a query and all that is kept of it elsewhere; one that was under way is cancelled. Raises `QueryNotFound`."""
        # The query goes last: while it is there, an erasure that failed on the way can be asked for again.
        self._erase_copies(query)
        ending = self.store.erase(query.id)
        if ending is None:
            raise QueryNotFound(query.id)
        erased, now = ending.query, self.clock.now()
        if not query.status.finished:
            # It may have come to its end in between.
            self._erase_copies(erased)
        if not (erased.lease and erased.lease.until > now):
            # A holder's call is under way: what it has reserved is given back when that has ended.
            self.release(erased)
        if ending.ended_now:
            # Nobody else tells of it: its holder finds it gone. One whose time was up has failed.
            is_overdue = erased.status.finished
            self.journal.ended(
                erased if is_overdue else replace(erased, status=QueryStatus.CANCELLED, completed_at=now)
            )

    def _ended(self, ending: Ending | None) -> QuerySummary | None:
        """Where a query stands that nobody was working on, with its end told of if it is new."""
        if ending is None:
            return None
        if ending.ended_now:
            self.release(ending.query)
            self.journal.ended(ending.query)
        return ending.query

    def release(self, query: QuerySummary) -> None:
        """Gives back what a queued query still has reserved of its key's budget. Its request was accepted, and counts."""
        if query.taken is not None:
            from llm_gateway.domain.accounts import Use

            self.accounts().settle(query.taken, Use(tokens=query.taken.tokens, usd=Decimal(0)))

    def _settle(self, booked: "Booked", end: Query) -> None:
        progress = booked.progress
        if progress.charge:
            progress.charge.settle(refused=_is_refused(end, progress.calls))
        else:
            # The query ended before its candidates were known.
            self.release(end)

    def _close(self, booked: "Booked", end: Query, *, settle: bool, pauses_s: Sequence[float] = ()) -> bool:
        """Does all that an end takes, in one go; False where the query had ended otherwise.

        `settle` also settles what it took of its key's account, whether or not the end can be stored.

        Raises what the storing of the end raises, and nothing else; all else is done then too.
        """
        progress, seat = booked.progress, booked.seat
        with Beside() as beside:
            # The first is done in this thread: what is short has been sent before another one writes the query out.
            if settle and progress.charge:
                beside.start(_step(_ACCOUNT, partial(self._settle, booked, end)))
            if progress.unsettled:
                beside.start(progress.unsettled.settle)
            if progress.ahead and progress.ahead.outcome:
                beside.start(_step("its place at the gate", progress.ahead.give_back))
            stored = beside.start(lambda: self._store(booked, end, pauses_s))
            if seat:
                fill = partial(self.caching.fill, seat, end, warnings=progress.all_warnings)
                beside.start(_step("its place in the cache", fill))
            if booked.idempotency:
                beside.start(_step("its idempotency key", partial(self._leave_key, booked, end)))
        if seat and not stored.result:
            self.caching.take_back(seat)
        return stored.result

    def _store_otherwise(self, booked: "Booked", failed: Query) -> bool | None:
        """Ends a query as `failed` whose end could not be stored, and keeps nothing of its answer elsewhere.

        False where the query had ended otherwise, None where this cannot be stored either.
        """
        is_ours: bool | None = None
        try:
            is_ours = self._store(booked, failed, ())
        except Exception as error:
            _note("its end", error)
        if booked.seat:
            _step("its place in the cache", partial(self.caching.take_back, booked.seat))()
        if booked.idempotency:
            _step("its idempotency key", partial(self.claims.forget, booked.idempotency, reference=failed.id))()
        return is_ours

    def _store(self, booked: "Booked", end: Query, pauses_s: Sequence[float]) -> bool:
        if not booked.is_stored:
            try:
                self.store.add(end)
            except AlreadyExists:
                # Its first record went through, and only the answer to that was lost.
                return self.store.finish(end)
            return True
        for pause_s in pauses_s:
            try:
                return self.store.finish(end)
            except DependencyUnavailable:
                self.clock.sleep(pause_s)
        return self.store.finish(end)

    def _leave_key(self, booked: "Booked", end: Query) -> None:
        if booked.idempotency is None:
            return
        if _may_end_otherwise(end, booked.progress.attempts):
            self.claims.give_back(booked.idempotency, reference=end.id)
        else:
            self.claims.complete(booked.idempotency, reference=end.id)

    def _erase_copies(self, query: QuerySummary) -> None:
        self.caching.erase(query)
        if query.idempotency_scope is not None:
            self.claims.erase(query.idempotency_scope, reference=query.id)

    def _tell(self, end: Query, booked: "Booked", *, ended: bool) -> None:
        write = self.journal.ended if ended else self.journal.spent
        _step("its line in the journal", partial(write, end, calls=booked.progress.attempts))()


def _step(what: str, do: Callable[[], object]) -> Callable[[], bool]:
    """`do`, so that its failure keeps nothing else from being done; and whether it was done."""

    def attempt() -> bool:
        try:
            do()
        except Exception as error:
            _note(what, error)
            return False
        return True

    return attempt


def _withheld(end: Query) -> Query:
    """What a query ends as of which nobody can tell what may be stored: its figures, and the kind of its problem."""
    if end.status is QueryStatus.CANCELLED:
        return replace(wordless(end), answer=None)
    problem = QueryProblem.of(AnswerWithheld()) if end.problem is None else end.problem
    return replace(wordless(end), status=QueryStatus.FAILED, answer=None, problem=_without_words(problem))


def _without_words(problem: QueryProblem) -> QueryProblem:
    """A provider may have quoted what it was asked."""
    attempts = tuple(replace(attempt, detail=None, cause=None) for attempt in problem.attempts)
    own = problem.code == AnswerWithheld.code
    return replace(problem, detail=problem.detail if own else _SAYS_NO_MORE, provider_message=None, attempts=attempts)


def _unforeseen(end: Query) -> Query:
    """What a query ends as whose end cannot be stored as it is: failed, with nothing of its answer."""
    return replace(wordless(end), status=QueryStatus.FAILED, answer=None, problem=_UNFORESEEN)


def wordless(end: Query) -> Query:
    """`end`, without whatever may hold words of a query that is under policies."""
    request = end.request
    if request.privacy is not None:
        # Of all that may hold words nothing; what is left are settings and counts.
        request = QueryRequest(
            messages=(),
            mode=request.mode,
            priority=request.priority,
            timeout_s=request.timeout_s,
            provider=request.provider,
            model=request.model,
            privacy=replace(request.privacy, sealed=None) if request.privacy else None,
            origin=request.origin,
        )
    return replace(end, request=request)


def _note(what: str, error: Exception) -> None:
    # The type alone: a message may quote what was asked.
    _log.error("A query ends, and %s cannot be seen to: %s.", what, type(error).__qualname__)


def cancellation(query: QuerySummary) -> QueryCancelled:
    """What the caller of a cancelled query is told."""
    error = QueryCancelled("The query was cancelled.")
    error.query_id = query.id
    return error


def _is_refused(end: Query, calls: int) -> bool:
    """Whether a query was turned away before anybody was asked. One that waited in the queue had been accepted."""
    return calls == 0 and end.problem is not None and end.mode != "async"


def _may_end_otherwise(end: Query, attempts: Sequence[Attempt]) -> bool:
    """Whether the same request may be tried again under its key: no provider has decided on it yet."""
    if end.problem is None:
        return end.status is QueryStatus.CANCELLED
    if end.problem.code in _PAID_FOR:
        return False
    decided = any(attempt.outcome is not AttemptOutcome.SKIPPED for attempt in attempts)
    return not decided or end.problem.status >= 500 or end.problem.status == HTTPStatus.TOO_MANY_REQUESTS


def _warned(end: Query, *warnings: str) -> Query:
    answer = end.answer
    return end if answer is None else replace(end, answer=replace(answer, warnings=(*answer.warnings, *warnings)))
