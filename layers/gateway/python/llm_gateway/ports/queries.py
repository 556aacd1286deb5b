"""Queries: their records and bodies, the queue, the answer cache, and the journal."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from llm_gateway.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from llm_gateway.domain.budget_news import BudgetReached
    from llm_gateway.domain.caching import CachedAnswer, Pending
    from llm_gateway.domain.circuits import CircuitState
    from llm_gateway.domain.pii import PiiRule
    from llm_gateway.domain.prompts.canary_news import CanaryNews
    from llm_gateway.domain.queries import Attempt, Ending, Query, QueryProblem, QueryStatus, QuerySummary
    from llm_gateway.domain.usage import UsageRecord
    from llm_gateway.ports.system import Page

Priority = Literal["high", "normal"]


class QueryStore(Protocol):
    """Queries and their bodies; what an item cannot hold is kept beside it, and nobody sees the difference.

    A query is queued, then running under a lease, then ended, once and for all. The process that works on it shows the lease.
    Once the lease is over, another process may take the query up. A running query that is not asynchronous is never taken up:
    `LOST_AFTER_S` after its lease it reads as failed (`internal_error`), unless its holder ends it after all.
    """

    def add(self, query: Query) -> None:
        """Stores a query as it is: queued, running with the lease of the process that adds it, or already at its end.

        Raises `AlreadyExists` where the id is taken.
        """
        ...

    def get(self, query_id: str) -> Query | None:
        """The whole query, or None where there is none (any more)."""
        ...

    def summary(self, query_id: str) -> QuerySummary | None:
        """Where the query stands: one small read, however large the query is."""
        ...

    def claim(self, query_id: str, *, until: datetime) -> Query | None:
        """Takes up a query that is queued, or whose holder's time is over: it runs, and its new `lease` ends at `until`.

        Counts an attempt. None where the query is at its end, is held by somebody else, is to be cancelled, or is gone.
        `summary` tells which: a message about a query that is held is not done with, because its holder may yet die.
        """
        ...

    def renew(self, query: Query, *, until: datetime) -> bool:
        """Holds on to a running query. False where it is to be cancelled, has ended, was taken up by another, or is erased.

        Its holder then stops, and `finish`es it as cancelled with what there is: that changes nothing in the last three cases.
        """
        ...

    def requeue(self, query: Query, *, problem: QueryProblem | None, counted: bool) -> bool:
        """Gives a running query back. `problem` is why: the query's `fault` until its end, its `problem` if nothing else ends it.

        An attempt that is not `counted` (a provider's limit is no failure) is taken back. False where it was not queued, as
        with `renew`; its holder then does as there.
        """
        ...

    def finish(self, query: Query) -> bool:
        """Stores the end of a query; False (and nothing is written) where another had already ended it, or erased it.

        A holder that asks again, because it got no answer, is told the same again. A success counts from anybody, because the
        answer was paid for; another end only from the query's holder, if the given query has a lease. After a
        False, the process that put the answer into the cache deletes it there.
        """
        ...

    def cancel(self, query_id: str) -> Ending | None:
        """Cancels a query at once if nobody holds it; None where there is none.

        One that is held still runs, with `cancel_requested`: its holder's next `renew` says so. One at its end stays as it is.
        """
        ...

    def bury(self, query_id: str, *, problem: QueryProblem) -> Ending | None:
        """Fails a query that will not be tried again, with the problem it was last requeued for, or else with `problem`.

        One that is to be cancelled is cancelled instead, one that somebody holds still runs, one at its end stays as it is.
        None where there is none.
        """
        ...

    def redact(self, query: Query) -> None:
        """Puts the words of a query at its end, as they are given, in the place of those that were sealed for its worker.

        For one that ended otherwise than by `finish`. Nothing is done to a query that is gone, or under no such policy.
        """
        ...

    def erase(self, query_id: str) -> Ending | None:
        """Deletes the query and its bodies, in any state. A process that works on it finds it gone. It still counts as used.

        The answer is where it stood, with the places that have to be erased too; None where there was none. `ended_now` is
        whether it had not ended before, also where it read as failed because its time was up.
        """
        ...

    def drop(self, query_id: str) -> None:
        """Deletes a query that was refused after all, if it is there: it never was, and counts as nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class QuerySearch:
    """Queries that came in from `since` (inclusive) to `until` (exclusive): one owner's, or where that is None everybody's.

    `status` and `prompt` (an id) leave out all others.
    """

    since: datetime
    until: datetime
    owner: str | None = None
    status: QueryStatus | None = None
    prompt: str | None = None

    def matches(self, query: QuerySummary) -> bool:
        in_time = self.since <= query.created_at < self.until
        has_status = self.status is None or query.status is self.status
        return (
            in_time
            and has_status
            and (self.prompt is None or (query.prompt is not None and query.prompt.id == self.prompt))
        )


class QueryIndex(Protocol):
    """What is small of all queries, for lists and sums. It may lag behind the queries by seconds.

    Every method raises `DependencyUnavailable` where it cannot be reached.
    """

    def page(self, search: QuerySearch, *, limit: int, cursor: str | None) -> Page[QuerySummary]:
        """Queries, newest first, without their leases. A page may have fewer than `limit` and still a next one.

        Raises `MalformedRequest` for a cursor that is not one of this list's.
        """
        ...

    def ended(self, hour: datetime, *, owner: str | None = None) -> Iterator[UsageRecord]:
        """What the queries count as that ended in the hour from `hour` on, erased ones too; one owner's, or everybody's."""
        ...


class AnswerCache(Protocol):
    """Answers by the hash of all that they depend on; and for each such key one place, held by the query that makes the answer.

    Every method raises `DependencyUnavailable` where the cache cannot be reached. To its user that is a miss: an answer costs
    more without the cache, but it is never refused for it.
    """

    def look_up(self, key: str, *, holder: str, until: datetime) -> CachedAnswer | Pending | None:
        """The answer, or who is making it. None: nobody was, and now `holder` is, and keeps the place until `until`.

        One conditional write. A holder that asks again still has its place, until the time it first asked for.
        """
        ...

    def peek(self, key: str) -> CachedAnswer | Pending | None:
        """What is there now, for those who wait; None where the place is free. One small read."""
        ...

    def put(self, key: str, answer: CachedAnswer, *, owner: str) -> None:
        """Fills the place until `answer.expires_at`, also where another query holds it. The answer is the key `owner`'s.

        A place from which this same query's answer was erased stays empty.
        """
        ...

    def release(self, key: str, *, holder: str) -> None:
        """Frees the place, if `holder` still has it and has not filled it: the next to look it up gets it."""
        ...

    def delete(self, key: str, *, query_id: str) -> None:
        """Empties the place, and deletes whatever was kept of query `query_id`'s answer under this key.

        A `put` of that answer that is still on its way comes too late.
        """
        ...


class BodyStore(Protocol):
    """Bytes that are too many for an item. They live as long as a query does, or until they are deleted."""

    def put(self, key: str, body: bytes) -> None:
        """Stores `body` whole, in place of what was there."""
        ...

    def get(self, key: str) -> bytes | None: ...

    def delete(self, key: str) -> None:
        """Deletes what is there; nothing there is no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message as a queue handed it out: `receipt` stands for this one delivery, the `count`th, by the queue at `queue_arn`.

    `is_paid`: a provider was paid for the query before, and what came of that could not be stored.
    """

    query_id: str
    receipt: str
    queue_arn: str
    count: int
    is_paid: bool = False

    @property
    def is_of_a_run(self) -> bool:
        """Whether it stands for a run of a prompt's tests, and not for a query."""
        from llm_gateway.domain.identifiers import RUN_PREFIX

        return self.query_id.startswith(RUN_PREFIX)

    @property
    def is_of_an_erasure(self) -> bool:
        from llm_gateway.domain.identifiers import ERASURE_PREFIX

        return self.query_id.startswith(ERASURE_PREFIX)


class QueryQueue(Protocol):
    """The queue that feeds the workers, at least once each; it carries ids alone, bodies are in the store."""

    def send(self, query_id: str, *, delay_s: float = 0, priority: Priority = "normal", is_paid: bool = False) -> None:
        """Hands the query to a worker, not before `delay_s` (900 at most; a longer one is cut to that)."""
        ...

    def hold(self, delivery: Delivery, *, duration_s: float) -> None:
        """Keeps the message from everybody else for `duration_s` from now; then it is delivered again, if it is still there."""
        ...


class Journal(Protocol):
    """What operators read: figures, and not a word of what was asked or answered unless the query `logs_bodies`."""

    def ended(self, query: QuerySummary, *, calls: Sequence[Attempt] = ()) -> None:
        """Writes down that a query came to its end: once, in the process that ended it, with the calls that were made for it.

        The words are in it only where the query is given whole. Never raises.
        """
        ...

    def rolled_back(self, news: CanaryNews) -> None:
        """Writes down that a prompt's version lost its weight by itself. Never raises."""
        ...

    def circuit_turned(self, provider_id: str, state: CircuitState) -> None:
        """Writes down that a provider is left alone, or is asked again. Never raises."""
        ...

    def budget_reached(self, news: BudgetReached) -> None:
        """Writes down that a key has spent most or all of its budget. Never raises."""
        ...

    def gate_judged(self, prompt_id: str, versions: frozenset[int], *, passed: bool) -> None:
        """Writes down whether versions of a prompt have passed the tests that a label asks for. Never raises."""
        ...

    def personal_data(self, counts: Mapping[str, int], *, key_id: str, rules: Sequence[PiiRule]) -> None:
        """Writes down how much personal data of each kind a request held, and what was done with it. Never raises."""
        ...

    def spent(self, query: Query, *, calls: Sequence[Attempt]) -> None:
        """Writes down what calls cost that did not end their query, if it is anything: it is tried again, others had
        ended it, or it is erased. `query` is as it would have ended. Never raises."""
        ...
