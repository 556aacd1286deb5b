"""What the core asks of the outside. Every store raises `DependencyUnavailable` when it cannot be reached."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, Literal, Protocol, TypeVar

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Delta, Usage
from llm_gateway.domain.gates import Admission
from llm_gateway.domain.health import GateState
from llm_gateway.domain.idempotency import IdempotencyRecord
from llm_gateway.domain.keys import ApiKey
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import ModelConfig, ProviderConfig, ProviderCredentials, ProviderKind, Timeouts
from llm_gateway.domain.queries import Attempt, Ending, Query, QueryProblem, QuerySummary
from llm_gateway.domain.tokens import TokenRange

T = TypeVar("T")

Cancelled = Callable[[], bool]
"""Whether the answer is no longer wanted."""

Priority = Literal["high", "normal"]


class Clock(Protocol):
    def now(self) -> datetime:
        """The time, in UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds from some fixed point, for measuring: never set back."""
        ...

    def sleep(self, duration_s: float) -> None: ...


class Ids(Protocol):
    def ulid(self) -> str:
        """A new ULID: 26 characters that sort by time."""
        ...

    def secret(self) -> str:
        """A new random text of at least 256 bits, URL-safe."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[T]):
    """Some items of a list, and where the next ones start (None after the last)."""

    items: tuple[T, ...]
    next_cursor: str | None = None


def never() -> bool:
    """What tells a call that its answer is wanted to the end."""
    return False


class Provider(Protocol):
    """One provider's wire. Both methods raise `ProviderFault`s only, and make exactly one call: retries are the core's."""

    def complete(self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> ChatAnswer:
        """The whole answer, or a fault; `timeouts.total_s` bounds the call.

        Breaks the call off with `CallCancelled` soon after `cancelled` says so: it is asked a few times a second.
        """
        ...

    def stream(
        self, request: ChatRequest, *, timeouts: Timeouts, cancelled: Cancelled = never
    ) -> Generator[Delta | ChatAnswer, None, None]:
        """Deltas as they come, then the whole answer once. Closing the generator ends the provider's work."""
        ...


class Providers(Protocol):
    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        """The adapter for `config`, ready to call; clients are reused between calls with equal arguments."""
        ...


class ProviderStore(Protocol):
    def add(self, config: ProviderConfig) -> None:
        """Raises `AlreadyExists` where the id is taken."""
        ...

    def get(self, provider_id: str) -> ProviderConfig:
        """Raises `ProviderNotFound`."""
        ...

    def all(self, *, fresh: bool = False) -> tuple[ProviderConfig, ...]:
        """Every provider, by id. At most 5 s old, and read anew where it has to be `fresh`."""
        ...

    def page(self, *, limit: int, cursor: str | None) -> Page[ProviderConfig]:
        """Providers by id. Raises `MalformedRequest` for a cursor that is not one of this list's."""
        ...

    def replace(self, config: ProviderConfig, *, expected_revision: int) -> None:
        """Raises `RevisionConflict` where the stored revision is another, `ProviderNotFound` where there is none."""
        ...

    def delete(self, provider_id: str, *, expected_revision: int | None) -> None:
        """Raises `ProviderNotFound`, or `RevisionConflict` where a revision is expected and the stored one is another."""
        ...


class CredentialStore(Protocol):
    """Providers' secrets."""

    def get(
        self, provider_id: str, *, changed_at: datetime | None = None, fresh: bool = False
    ) -> ProviderCredentials | None:
        """What is stored: at most a minute old, not from before `changed_at`, and read anew where it has to be `fresh`.

        While the store cannot be reached, what was read before will do, unless it has to be fresh.
        """
        ...

    def put(self, provider_id: str, credentials: ProviderCredentials) -> None: ...

    def delete(self, provider_id: str) -> None:
        """Deletes what is there; nothing there is no error."""
        ...


class KeyStore(Protocol):
    def add(self, key: ApiKey) -> None:
        """Raises `AlreadyExists` where the id is taken."""
        ...

    def get(self, key_id: str) -> ApiKey | None: ...


class Pepper(Protocol):
    def value(self) -> bytes:
        """The deployment's secret under which API keys are hashed."""
        ...


class QueryStore(Protocol):
    """Queries and their bodies; what an item cannot hold is kept beside it, and nobody sees the difference.

    A query is queued, then running under a lease, then ended, once and for all. Whoever works on it shows its lease; where
    the lease is over, somebody else may take the query up. A running query that is not asynchronous is never taken up:
    `LOST_AFTER_S` after its lease it reads as failed (`internal_error`), unless its holder ends it after all.
    """

    def add(self, query: Query) -> None:
        """Stores a query as it is: queued, running with the lease of whom adds it, or already at its end.

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
        """Gives a running query back. `problem` is why; nobody sees it unless the query is buried.

        An attempt that is not `counted` (a provider's limit is no failure) is taken back. False where it was not queued, as
        with `renew`; its holder then does as there.
        """
        ...

    def finish(self, query: Query) -> bool:
        """Stores the end of a query; False (and nothing is written) where another had already ended it, or erased it.

        A holder that asks again, because it got no answer, is told the same again. A success counts from anybody, because the
        answer was paid for; another end only from the query's holder, if the given query has a lease. Whoever put the
        answer into the cache deletes it there after a False.
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

    def erase(self, query_id: str) -> QuerySummary | None:
        """Deletes the query and its bodies, whatever its state: whoever works on it finds it gone.

        The answer is where it stood, with the places that have to be erased too; None where there was none.
        """
        ...


class AnswerCache(Protocol):
    """Answers by the hash of all that they depend on; and for each such key one place, held by whom makes the answer.

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

    def put(self, key: str, answer: CachedAnswer) -> None:
        """Fills the place, whoever holds it, until `answer.expires_at`; not where it was emptied of that very query's answer."""
        ...

    def release(self, key: str, *, holder: str) -> None:
        """Frees the place, if `holder` still has it and has not filled it: the next to look it up gets it."""
        ...

    def delete(self, key: str, *, query_id: str) -> None:
        """Empties the place, and deletes whatever was kept of query `query_id`'s answer under this key.

        A `put` of that answer that is still on its way comes too late.
        """
        ...


class IdempotencyStore(Protocol):
    """What requests under an idempotency key came to. A `scope` is the hash of caller, route and key.

    Every method raises `DependencyUnavailable` where the store cannot be reached: the request is then refused, because
    carrying it out twice is what its caller wanted to rule out.
    """

    def claim(self, scope: str, *, fingerprint: str, reference: str, until: datetime) -> IdempotencyRecord | None:
        """What is known of the scope. None: nothing was (any more), and now it is `reference`'s, to be completed before `until`.

        One conditional write. Whose `until` is over without completion is taken for dead. A `reference` that claims again
        still has its scope.
        """
        ...

    def complete(self, scope: str, *, reference: str, expires_at: datetime, response: bytes | None = None) -> bool:
        """Keeps what the request came to until `expires_at`; False (and nothing is kept) where the scope is not `reference`'s."""
        ...

    def release(self, scope: str, *, reference: str) -> None:
        """Forgets a request that came to nothing, if the scope is still `reference`'s and not completed."""
        ...

    def delete(self, scope: str, *, reference: str) -> None:
        """Forgets the request and its response, if the scope is still `reference`'s."""
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
    """A message as a queue handed it out: `receipt` stands for this one delivery, the `count`th, by the queue at `queue_arn`."""

    query_id: str
    receipt: str
    queue_arn: str
    count: int


class QueryQueue(Protocol):
    """The queue that feeds the workers, at least once each; it carries ids alone, bodies are in the store."""

    def send(self, query_id: str, *, delay_s: float = 0, priority: Priority = "normal") -> None:
        """Hands the query to a worker, not before `delay_s` (900 at most; a longer one is cut to that)."""
        ...

    def hold(self, delivery: Delivery, *, duration_s: float) -> None:
        """Keeps the message from everybody else for `duration_s` from now; then it is delivered again, if it is still there."""
        ...


# Money and tokens: tables that come as packages.


class Prices(Protocol):
    def cost(
        self, kind: ProviderKind, model: ModelConfig, *, answered_model: str, usage: Usage, at: datetime
    ) -> Decimal | None:
        """US dollars, exact, that the provider bills for `usage` of a call made `at` a time; None where no price is known.

        `model` is what was asked, and its overrides hold; `answered_model` is the name that the provider gave. A budget reserves
        the cost of a usage that is estimated, and a model is priced if a `Usage()` costs something other than None.
        """
        ...


class TokenCounter(Protocol):
    def count(self, text: str, encoding: str) -> TokenRange:
        """The tokens of `text` in a public encoding (`o200k_base`, `cl100k_base`); never asks the network."""
        ...


class Journal(Protocol):
    """What operators read: figures, and not a word of what was asked or answered unless the query `logs_bodies`."""

    def ended(self, query: QuerySummary, *, calls: Sequence[Attempt] = ()) -> None:
        """Writes down that a query came to its end: once, by whoever ended it, with the calls it made to that end.

        The words are in it only where the query is given whole. Never raises.
        """
        ...

    def spent(self, query: Query, *, calls: Sequence[Attempt]) -> None:
        """Writes down what calls cost that did not end their query, if it is anything: it is tried again, others had
        ended it, or it is erased. `query` is as it would have ended. Never raises."""
        ...


class ProviderGates(Protocol):
    """Each provider's circuit, limits and counters, shared by every process."""

    def admit(self, provider: ProviderConfig, *, tokens: int, timeout_s: float) -> Admission:
        """Lets one call pass that may use `tokens` and is over within `timeout_s`; whatever happens then, call `settle`.

        Raises `CircuitOpen`, `ProviderRateLimited` (`ProviderBusy` where all places are taken), each with the time after which
        a call will pass unless others were quicker; `CallTooLarge` for one that never can.
        """
        ...

    def withdraw(self, admission: Admission) -> None:
        """Gives back all that `admit` took, for a call that is not made. Never raises, as `settle`."""
        ...

    def settle(self, admission: Admission, result: CallResult) -> None:
        """Notes how the call ended. Never raises: what cannot be noted frees itself, and the answer still goes out."""
        ...

    def state(self, provider: ProviderConfig) -> GateState: ...
