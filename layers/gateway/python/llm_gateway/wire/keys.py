"""API keys over HTTP."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer

from llm_gateway.domain.key_patches import Patch, patched
from llm_gateway.domain.keys import LONGEST_OVERLAP_S, KeySpec, KeyStatus, Period, Role
from llm_gateway.domain.pii import PiiRule
from llm_gateway.endpoints import BASE_PATH
from llm_gateway.ports.system import Page
from llm_gateway.services.keys.administration import Issued, KeyView
from llm_gateway.wire.schema import (
    Flag,
    Incoming,
    Moment,
    Name,
    Outgoing,
    PageOf,
    PositiveInt,
    Revised,
    Slug,
    Timestamp,
    Usd,
)

_MOST_LISTED: Final = 200
_MONEY: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_MOST_TAGS: Final = 10
_REPLAYED: Final = (
    "This is the answer to the first request with this Idempotency-Key. Secrets are shown once and stored nowhere: if that"
    " answer was lost, POST /keys/{key_id}/rotate gives the key new ones."
)


def _each_once(listed: list[str]) -> list[str]:
    twice = next((one for number, one in enumerate(listed) if one in listed[:number]), None)
    if twice is not None:
        raise ValueError(f"{str(twice)!r} is there twice")
    return listed


def _printable(text: str) -> str:
    if not text.isprintable() or text != text.strip():
        raise ValueError("must be printable, without white space around it")
    return text


def _pattern(text: str) -> str:
    if "*" in text[:-1]:
        raise ValueError("may end in *, and have none elsewhere")
    return text


def _plain(amount: Decimal) -> str:
    """As it was said: `25.00` stays `25.00`."""
    return f"{amount:f}"


def _in_digits(said: object) -> object:
    """As a text it is written as answers write it: `1_000`, or digits of another script, are numbers to Python alone."""
    if isinstance(said, str) and _MONEY.fullmatch(said) is None:
        raise ValueError("must be a number in plain digits, such as 25.00")
    return said


Amount = Annotated[
    Decimal,
    Field(ge=0, max_digits=18, decimal_places=9),
    BeforeValidator(_in_digits),
    AfterValidator(abs),  # Of zero alone, which may come with a sign.
    PlainSerializer(_plain, return_type=str, when_used="json"),
]
Tag = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_printable)]
Tags = Annotated[list[Tag], Field(max_length=_MOST_TAGS), AfterValidator(_each_once)]
Providers = Annotated[list[Slug], Field(max_length=_MOST_LISTED)]
ModelPattern = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_pattern)]
Models = Annotated[list[ModelPattern], Field(max_length=_MOST_LISTED)]
PiiRules = Annotated[list[PiiRule], Field(max_length=len(PiiRule)), AfterValidator(_each_once)]
Days = Annotated[int, Field(strict=True, ge=1, le=3650)]
Share = Annotated[float, Field(strict=True, ge=0, le=1)]


class KeyLimits(Incoming):
    """Never more than so many in any 60 seconds, at most `burst` requests at once (a fifth of them where it is null). Null is
    no limit."""

    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    burst: PositiveInt | None = None


class KeyBudget(Incoming):
    """US dollars that may be spent in each day or month, in UTC. Models without a known price are refused unless
    `allow_unpriced` (false where it is absent)."""

    amount: Amount
    period: Period
    allow_unpriced: Flag | None = None


class KeyBudgetPatch(Incoming):
    """What changes of a budget; a key without one needs `amount` and `period`."""

    amount: Amount | None = None
    period: Period | None = None
    allow_unpriced: Flag | None = None


class KeyAllowed(Incoming):
    """What the key may ask for; null is everything, an empty list nothing. A model may end in `*`."""

    providers: Providers | None = None
    models: Models | None = None


class _Settings(Incoming):
    """What may be said of a key when it is made and later. Null is the same as what holds where nothing was ever said."""

    limits: KeyLimits | None = None
    allow: KeyAllowed | None = None
    pii: PiiRules | None = None
    retention_days: Days | None = None
    log_bodies: Share | None = None
    tags: Tags | None = None
    expires_at: Moment | None = None
    require_signature: Flag | None = None

    def said(self) -> Patch:
        """What was said, as a merge patch of the key."""
        said: Patch = _tuples(self.model_dump(exclude_unset=True))
        return said


class KeyBody(_Settings):
    """A key as an administrator describes it."""

    name: Name
    role: Role
    budget_usd: KeyBudget | None = None

    def to_domain(self) -> KeySpec:
        return patched(KeySpec(name=self.name, role=self.role), self.said())


class KeyPatch(_Settings):
    """What changes of a key: what is absent stays, null clears, and the members of an object are merged one by one."""

    name: Name | None = None
    role: Role | None = None
    budget_usd: KeyBudgetPatch | None = None


class KeyRotation(Incoming):
    """How long the secrets of now stay valid beside the new ones: a day at most, 0 where it is absent."""

    overlap_s: Annotated[int, Field(strict=True, ge=0, le=LONGEST_OVERLAP_S)] = 0

    def to_domain(self) -> timedelta:
        return timedelta(seconds=self.overlap_s)


class KeyBudgetShown(Outgoing):
    """A key's budget."""

    amount: Amount
    period: Period
    allow_unpriced: bool


class KeyShown(Revised):
    """A key. `last_used_at` may lag by five minutes; `hint` is the end of its secret."""

    collection = f"{BASE_PATH}/keys"

    name: str
    role: Role
    limits: KeyLimits
    budget_usd: KeyBudgetShown | None
    allow: KeyAllowed
    pii: list[PiiRule]
    retention_days: int | None
    log_bodies: float
    tags: list[str]
    expires_at: Timestamp | None
    require_signature: bool
    status: KeyStatus
    hint: str
    last_used_at: Timestamp | None

    @classmethod
    def of(cls, view: KeyView, **more: Any) -> Self:
        key = view.key
        return cls(
            **key.said(),
            id=key.id,
            status=view.status,
            hint=key.secrets[0].hint,
            last_used_at=view.last_used_at,
            revision=key.revision,
            created_at=key.created_at,
            updated_at=key.updated_at,
            **more,
        )


def as_auditors_see(view: KeyView) -> dict[str, Any]:
    """The key as JSON, as the audit log tells of it."""
    return KeyShown.of(view).model_dump(mode="json")


class KeyPage(PageOf[KeyShown]):
    """Some of the keys, the oldest first. Where keys were revoked long ago, a page may be short and have a next one."""

    @classmethod
    def of(cls, page: Page[KeyView]) -> "KeyPage":
        return cls(items=[KeyShown.of(view) for view in page.items], next_cursor=page.next_cursor)


class BudgetShown(Outgoing):
    """Where a budget stands in the period that ends at `resets_at`; reserved is what queries that still run may cost."""

    spent_usd: Usd
    reserved_usd: Usd
    remaining_usd: Usd
    resets_at: Timestamp


class OwnKeyShown(KeyShown):
    """The caller's own key; `budget` is null for a key without one."""

    budget: BudgetShown | None

    @classmethod
    def of_own(cls, view: KeyView) -> "OwnKeyShown":
        return cls.of(view, budget=view.budget)


class KeyIssued(KeyShown):
    """A key with its secrets, which are shown this once: a replay under the same Idempotency-Key has null in their place, and
    says so in `warnings`."""

    secret: str | None
    signing_secret: str | None
    warnings: list[str]

    @classmethod
    def of_issued(cls, issued: Issued) -> "KeyIssued":
        return cls.of(issued.view, secret=issued.secret, signing_secret=issued.signing_secret, warnings=[])

    def as_replayed(self) -> Self:
        return self.model_copy(update={"secret": None, "signing_secret": None, "warnings": [_REPLAYED]})


def _tuples(said: Any) -> Any:
    match said:
        case dict():
            return {name: _tuples(value) for name, value in said.items()}
        case list():
            return tuple(said)
        case _:
            return said
