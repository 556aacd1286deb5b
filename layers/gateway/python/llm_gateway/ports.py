"""What the core asks of the outside. Every store raises `DependencyUnavailable` when it cannot be reached."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, Literal, Protocol, TypeVar

from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Delta, Usage
from llm_gateway.domain.gates import Admission
from llm_gateway.domain.health import GateState
from llm_gateway.domain.keys import ApiKey
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import ModelConfig, ProviderConfig, ProviderCredentials, ProviderKind, Timeouts
from llm_gateway.domain.queries import Query, QuerySummary
from llm_gateway.domain.tokens import TokenRange

T = TypeVar("T")

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


class Provider(Protocol):
    """One provider's wire. Both methods raise `ProviderFault`s only, and make exactly one call: retries are the core's."""

    def complete(self, request: ChatRequest, *, timeouts: Timeouts) -> ChatAnswer:
        """The whole answer, or a fault; `timeouts.total_s` bounds the call."""
        ...

    def stream(self, request: ChatRequest, *, timeouts: Timeouts) -> Iterator[Delta | ChatAnswer]:
        """Deltas as they come, then the whole answer once; closing the iterator stops the provider's work."""
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

    def all(self) -> tuple[ProviderConfig, ...]:
        """Every provider, by id. At most 5 s old."""
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
    """Providers' secrets. Reading may be up to a minute behind unless `fresh`."""

    def get(self, provider_id: str, *, fresh: bool = False) -> ProviderCredentials | None: ...

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
    """Queries and their bodies; what an item cannot hold is kept beside it, and nobody sees the difference."""

    def add(self, query: Query) -> None:
        """Raises `AlreadyExists` where the id is taken."""
        ...

    def get(self, query_id: str) -> Query | None:
        """The whole query, or None where there is none (any more)."""
        ...

    def summary(self, query_id: str) -> QuerySummary | None:
        """Where the query stands: one small read, however large the query is."""
        ...

    def finish(self, query: Query) -> bool:
        """Stores the end of a query; False (and nothing is written) where it had already ended."""
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


class QueryQueue(Protocol):
    """The queue that feeds the workers, at least once each; it carries ids alone, bodies are in the store."""

    def send(self, query_id: str, *, delay_s: float = 0, priority: Priority = "normal") -> None:
        """Hands the query to a worker, not before `delay_s` (900 at most; a longer one is cut to that)."""
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


class ProviderGates(Protocol):
    """Each provider's circuit, limits and counters, shared by every process."""

    def admit(self, provider: ProviderConfig, *, tokens: int, timeout_s: float) -> Admission:
        """Lets one call pass that may use `tokens` and is over within `timeout_s`; whatever happens then, call `settle`.

        Raises `CircuitOpen`, `ProviderRateLimited` (`ProviderBusy` where all places are taken), each with the time after which
        a call will pass unless others were quicker; `CallTooLarge` for one that never can.
        """
        ...

    def settle(self, admission: Admission, result: CallResult) -> None:
        """Notes how the call ended. Never raises: what cannot be noted frees itself, and the answer still goes out."""
        ...

    def state(self, provider: ProviderConfig) -> GateState: ...
