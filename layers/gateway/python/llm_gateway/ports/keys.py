"""API keys, what is known of their use, and the secret under which they are hashed."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llm_gateway.domain.keys import ApiKey
from llm_gateway.ports.collections import Collection

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from llm_gateway.domain.accounts import Account, Need, Taken, Taking, Use
    from llm_gateway.domain.admins import Admins
    from llm_gateway.domain.budget_news import BudgetReached
    from llm_gateway.domain.keys import BudgetState
    from llm_gateway.ports.audit import Change


class KeyStore(Collection[ApiKey], Protocol):
    """API keys, and the list of those that are admins', which changes in one transaction with them."""

    def admins(self) -> Admins: ...

    def saving(self, key: ApiKey, *, expected_revision: int | None, admins: Admins | None = None) -> Sequence[Change]:
        """Writes the key (`expected_revision` None: a new one), and with it who the admins are from now on: prepared, for the
        audit log to carry out.

        It raises `AlreadyExists`; `NotFound`; and `RevisionConflict` where the key's revision is another, or where `admins` is
        not the revision after the stored one.
        """
        ...


class Pepper(Protocol):
    def value(self) -> bytes:
        """The deployment's secret under which API keys are hashed."""
        ...


class NonceStore(Protocol):
    def take(self, key_id: str, nonce: str, *, until: datetime) -> bool:
        """Whether `nonce` is new for the key, and now taken until that time at least. Of several at once one takes it.

        Raises `DependencyUnavailable`, and then the nonce may be taken or not.
        """
        ...


class KeyUses(Protocol):
    """When keys were used last. Every method raises `DependencyUnavailable`."""

    def note(self, key_id: str, *, at: datetime) -> None:
        """The latest time of several stays."""
        ...

    def last(self, key_ids: Sequence[str]) -> Mapping[str, datetime]:
        """By key; without those that were never used."""
        ...


class FailedAttempts(Protocol):
    def count(self, origin: str, *, now: datetime) -> float | None:
        """Counts one more failure from `origin`. In seconds how long the next one has to wait, where this was one too many.

        Raises `DependencyUnavailable`.
        """
        ...


class Waits(Protocol):
    """How often keys wait for queries' ends, shared by every process."""

    def begin(self, key_id: str, *, lasting_s: float, now: datetime) -> str:
        """The id of a wait that has begun. Its place is free again once it ends, and without a word soon after `lasting_s`.

        Raises `RateLimited` where the key waits as often as it may, and `DependencyUnavailable`.
        """
        ...

    def end(self, key_id: str, wait_id: str) -> None:
        """Never raises: what cannot be ended ends by itself."""
        ...


class KeyAccounts(Protocol):
    def state(self, key: ApiKey) -> BudgetState | None:
        """Where the key's budget stands now; None for a key without one. Raises `DependencyUnavailable`."""
        ...


class QueryAccounts(KeyAccounts, Protocol):
    """What keys' queries take of their limits and budgets, shared by every process."""

    def take(self, account: Account, need: Need) -> Taking:
        """Takes all that a query needs, or nothing. One conditional write where the account is as this process last saw it.

        Raises `DependencyUnavailable`: nobody passes a limit that cannot be looked at.
        """
        ...

    def extend(self, taken: Taken, *, by: Decimal) -> Taking:
        """Reserves `by` more for a query that has a reservation. Raises `DependencyUnavailable`."""
        ...

    def note(self, taken: Taken, use: Use) -> None:
        """Notes what a query has used that is still to be answered; its reservation stays. Never raises."""
        ...

    def settle(self, taken: Taken, use: Use) -> None:
        """Puts what was used in the place of what was taken. Never raises: what cannot be settled frees itself at its end."""
        ...


class BudgetEvents(Protocol):
    def reached(self, news: BudgetReached) -> None:
        """Publishes `news` for operators who watch budgets. Never raises, and takes a few seconds at most."""
        ...
