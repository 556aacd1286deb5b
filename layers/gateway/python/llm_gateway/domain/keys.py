"""API keys: what each may do and ask for, for how long, and with which secrets."""

from dataclasses import field, fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from llm_gateway.access import Permission
from llm_gateway.domain.pii import PiiRule
from llm_gateway.domain.roles import MAY
from llm_gateway.domain.roles import Role as Role
from llm_gateway.values import dataclass

READABLE_AFTER_REVOCATION: Final = timedelta(days=90)
"""For so long a revoked key can be read, so that usage and audit have a name for it."""
LONGEST_OVERLAP_S: Final = 86_400


class KeyStatus(StrEnum):
    ACTIVE = "active"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Period(StrEnum):
    """Of a budget, in UTC."""

    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """Never more than so many in any 60 s, at most `burst` requests at once; None is no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    burst: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be spent in each period; models without a price only where `allow_unpriced`."""

    amount: Decimal
    period: Period
    allow_unpriced: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """Which providers and models a key may ask for; None is all of them, an empty tuple is none. A model may end in `*`."""

    providers: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None

    def provider(self, provider_id: str) -> bool:
        return self.providers is None or provider_id in self.providers

    def model(self, name: str) -> bool:
        return self.models is None or any(_matches(pattern, name) for pattern in self.models)


def _matches(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySpec:
    """What an administrator says of a key.

    `log_bodies` is the share of its queries (0 to 1) whose words go to the log; `retention_days` None keeps them as long as the
    deployment does; each of `tags` gets its queries' usage; with `require_signature` its bare secret opens nothing.
    """

    name: str
    role: Role
    limits: KeyLimits = KeyLimits()
    budget_usd: Budget | None = None
    allow: Allowed = Allowed()
    pii: tuple[PiiRule, ...] = ()
    retention_days: int | None = None
    log_bodies: float = 0
    tags: tuple[str, ...] = ()
    expires_at: datetime | None = None
    require_signature: bool = False

    def said(self) -> dict[str, Any]:
        """The fields of the specification alone, by name, whatever a subclass adds to them."""
        return {each.name: getattr(self, each.name) for each in fields(KeySpec)}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySecret:
    """A secret as it is stored: its HMAC-SHA256 (hex) under the deployment's pepper, and how it ends.

    `generation` counts rotations and leads to the signing secret that was shown with it; `until` is the end of its overlap.
    """

    hash: str = field(repr=False)
    hint: str
    generation: int
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey(KeySpec):
    """A key as it is stored: `secrets` has the newest first; `revision` counts changes, from 1."""

    id: str
    secrets: tuple[KeySecret, ...]
    created_at: datetime
    updated_at: datetime
    revoked_at: datetime | None = None
    revision: int = 1

    def status(self, now: datetime) -> KeyStatus:
        if self.revoked_at is not None:
            return KeyStatus.REVOKED
        return KeyStatus.ACTIVE if self.expires_at is None or now < self.expires_at else KeyStatus.EXPIRED

    def readable(self, now: datetime) -> bool:
        """Whether it is shown at all: a key that was revoked long ago is not."""
        return self.revoked_at is None or now < self.revoked_at + READABLE_AFTER_REVOCATION

    def valid_secrets(self, now: datetime) -> tuple[KeySecret, ...]:
        """Those that open the door: one, two while a rotation's overlap lasts, none of a key that is not active."""
        if self.status(now) is not KeyStatus.ACTIVE:
            return ()
        return tuple(secret for secret in self.secrets if secret.until is None or now < secret.until)

    @property
    def generation(self) -> int:
        return self.secrets[0].generation

    def changed(self, now: datetime, **changes: Any) -> "ApiKey":
        """The key's next revision."""
        return replace(self, **changes, revision=self.revision + 1, updated_at=now)

    def rotated(self, secret: KeySecret, *, overlap: timedelta, now: datetime) -> "ApiKey":
        """With `secret` in the place of the one before, which lives on for `overlap`. Older ones end now."""
        kept = (replace(self.secrets[0], until=now + overlap),) if overlap else ()
        return self.changed(now, secrets=(secret, *kept))

    def caller(self) -> "Caller":
        return Caller(
            key_id=self.id,
            role=self.role,
            limits=self.limits,
            budget_usd=self.budget_usd,
            allow=self.allow,
            pii=self.pii,
            retention_days=self.retention_days,
            log_bodies=self.log_bodies,
            tags=self.tags,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The holder of a key, once it was checked, with what the key says of its requests."""

    key_id: str
    role: Role
    limits: KeyLimits = KeyLimits()
    budget_usd: Budget | None = None
    allow: Allowed = Allowed()
    pii: tuple[PiiRule, ...] = ()
    retention_days: int | None = None
    log_bodies: float = 0
    tags: tuple[str, ...] = ()

    def may(self, permission: Permission) -> bool:
        return permission in MAY[self.role]

    def sees_everybodys_queries(self, *, content: bool) -> bool:
        """Admins see every query, auditors every status; all others see their own."""
        return self.role is Role.ADMIN or (self.role is Role.AUDITOR and not content)


def kept_for(caller: Caller, most: timedelta) -> timedelta:
    """How long the caller's queries are kept: as its key says, and never longer than `most`."""
    days = caller.retention_days
    return most if days is None else min(most, timedelta(days=days))


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetState:
    """Where a key's budget stands in the period that ends at `resets_at`; `reserved_usd` is for queries that still run."""

    spent_usd: Decimal
    reserved_usd: Decimal
    remaining_usd: Decimal
    resets_at: datetime
