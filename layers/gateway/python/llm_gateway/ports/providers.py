"""Providers: their wires, their book, their credentials, their gates, and what a call costs."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.ports.collections import Collection
from llm_gateway.ports.system import never

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime
    from decimal import Decimal

    from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Delta, Usage
    from llm_gateway.domain.embeddings import EmbeddingRequest, Embeddings
    from llm_gateway.domain.gates import Admission
    from llm_gateway.domain.health import GateState
    from llm_gateway.domain.metrics import CallResult
    from llm_gateway.domain.providers import ModelConfig, ProviderCredentials, ProviderKind, Timeouts
    from llm_gateway.domain.tokens import TokenRange
    from llm_gateway.ports.system import Cancelled


class Provider(Protocol):
    """One provider's wire. Its methods raise `ProviderFault`s only, and make exactly one call: retries are the core's."""

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

    def count_tokens(self, request: ChatRequest, *, timeouts: Timeouts) -> int | None:
        """The input tokens of `request` as the provider counts them; None where it counts for nobody. Makes one call."""
        ...

    def embed(self, request: EmbeddingRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> Embeddings:
        """A vector for each text. Raises `UnsupportedParameter` where the vendor has no embeddings."""
        ...


class Providers(Protocol):
    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        """The adapter for `config`, ready to call; clients are reused between calls with equal arguments.

        Raises `ProviderAuthFailed` for credentials that were given for another server.
        """
        ...


class ProviderStore(Collection["ProviderConfig"], Protocol):
    """Providers, which every query reads."""

    def all(self, *, fresh: bool = False) -> tuple[ProviderConfig, ...]:
        """Every provider, by id. At most 5 s old, and read anew where it has to be `fresh`."""
        ...


class CredentialStore(Protocol):
    """Providers' secrets, by the names that their configurations tell (`ProviderConfig.secret`)."""

    def get(
        self, secret: str, *, changed_at: datetime | None = None, fresh: bool = False
    ) -> ProviderCredentials | None:
        """What is stored: at most a minute old, not from before `changed_at`, and read anew where it has to be `fresh`.

        While the store cannot be reached, what was read before will do, unless it has to be fresh.
        """
        ...

    def put(self, secret: str, credentials: ProviderCredentials) -> None: ...

    def delete(self, secret: str) -> None:
        """Deletes what is there; nothing there is no error."""
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
