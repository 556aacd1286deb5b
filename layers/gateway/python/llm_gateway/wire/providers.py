"""Providers over HTTP."""

from dataclasses import fields
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from llm_gateway.domain.keys import Caller, Role
from llm_gateway.domain.providers import (
    LONGEST_CALL_S,
    Api,
    Capability,
    CircuitPolicy,
    Location,
    ModelConfig,
    ProviderConfig,
    ProviderCredentials,
    ProviderDraft,
    ProviderKind,
    ProviderLimits,
    ProviderSpec,
    RetryPolicy,
    Timeouts,
)
from llm_gateway.endpoints import BASE_PATH
from llm_gateway.ports.system import Page
from llm_gateway.wire.schema import Flag, Incoming, Name, Outgoing, PageOf, PositiveInt, Revised, Slug, Timestamp, Usd

ModelName = Annotated[str, Field(min_length=1, max_length=200)]
UsdPerMtok = Annotated[Decimal, Field(ge=0, max_digits=18)]
Seconds = Annotated[float, Field(strict=True, gt=0, le=LONGEST_CALL_S)]
Region = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", max_length=30)]
Revision = Annotated[int, Field(strict=True, ge=1)]


class Model(Incoming):
    """A model that the provider offers; null takes the figure from the gateway's own tables."""

    name: ModelName
    context_window: PositiveInt | None = None
    max_output_tokens: PositiveInt | None = None
    aliases: Annotated[list[ModelName], Field(fail_fast=True, max_length=20)] = []
    capabilities: Annotated[list[Capability], Field(fail_fast=True, max_length=20)] | None = None
    input_usd_per_mtok: UsdPerMtok | None = None
    cached_input_usd_per_mtok: UsdPerMtok | None = None
    cache_write_usd_per_mtok: UsdPerMtok | None = None
    output_usd_per_mtok: UsdPerMtok | None = None

    def to_domain(self) -> ModelConfig:
        values = self.model_dump(exclude={"aliases", "capabilities"})
        able = None if self.capabilities is None else frozenset(self.capabilities)
        return ModelConfig(**values, aliases=tuple(self.aliases), capabilities=able)


class Limits(Incoming):
    """Never more than N in any 60 seconds, at most `burst` at once (default a fifth of N); null is no limit."""

    requests_per_minute: PositiveInt | None = None
    tokens_per_minute: PositiveInt | None = None
    burst: PositiveInt | None = None
    max_concurrent: PositiveInt | None = None

    def to_domain(self) -> ProviderLimits:
        return ProviderLimits(**self.model_dump())


class TimeoutsBody(Incoming):
    """How long to wait for the connection, for a stream's first content and between its events, and in all.

    null is bounded by the query's own `timeout_s` alone.
    """

    connect_s: Seconds = 5
    first_token_s: Seconds | None = None
    total_s: Seconds | None = None

    def to_domain(self) -> Timeouts:
        return Timeouts(**self.model_dump())


class Retry(Incoming):
    """`max_attempts` counts the first try."""

    max_attempts: Annotated[int, Field(strict=True, ge=1, le=6)] = 3

    def to_domain(self) -> RetryPolicy:
        return RetryPolicy(**self.model_dump())


class Circuit(Incoming):
    """After so many failures in a row the provider is left alone for the cooldown."""

    failure_threshold: Annotated[int, Field(strict=True, ge=1, le=1000)] = 5
    cooldown_s: Seconds = 30

    def to_domain(self) -> CircuitPolicy:
        return CircuitPolicy(**self.model_dump())


class Credentials(Incoming):
    """The vendor's API key, never shown again. The form in which answers show credentials keeps the stored ones."""

    api_key: Annotated[SecretStr, Field(min_length=1, max_length=4096)] | None = None
    configured: Flag | None = None
    hint: Annotated[str, Field(max_length=100)] | None = None
    updated_at: Annotated[str, Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Credentials":
        if (self.api_key is None) == (self.configured is None):
            raise ValueError("send the vendor's key as api_key, or leave credentials out to keep the stored ones")
        return self

    def to_domain(self) -> ProviderCredentials | None:
        return ProviderCredentials(api_key=self.api_key.get_secret_value()) if self.api_key else None


class ProviderBody(Incoming):
    """A provider as an operator describes it."""

    id: Slug | None = None
    name: Name
    kind: ProviderKind
    base_url: Annotated[str, Field(max_length=2000)] | None = None
    default_model: ModelName
    models: Annotated[list[Model], Field(max_length=200)] = []
    enabled: Flag = True
    priority: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = 10
    weight: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] = 1
    limits: Limits | None = None
    timeouts: TimeoutsBody = TimeoutsBody()
    retry: Retry = Retry()
    circuit: Circuit = Circuit()
    location: Location | None = None
    api: Api = Api.AUTO
    region: Region | None = None
    credentials: Credentials | None = None

    def to_draft(self) -> ProviderDraft:
        said = {field.name: _to_domain(getattr(self, field.name)) for field in fields(ProviderSpec)}
        said["limits"] = (self.limits or Limits()).to_domain()
        credentials = self.credentials.to_domain() if self.credentials else None
        return ProviderDraft(**said, id=self.id, credentials=credentials, revision=self._expected())

    def _expected(self) -> int | None:
        return None


class ProviderUpdate(ProviderBody):
    """The body of a `PUT`: what a `GET` answers is accepted; `revision` must match if present, the times are ignored."""

    revision: Revision | None = None
    created_at: Any = None
    updated_at: Any = None

    def _expected(self) -> int | None:
        return self.revision


def _in_order(capabilities: Any) -> Any:
    """A set has another order in each process, and equal providers read the same in all of them."""
    return sorted(capabilities) if isinstance(capabilities, frozenset) else capabilities


class ModelShown(Outgoing):
    """A model as it is configured."""

    name: str
    aliases: list[str]
    context_window: int | None
    max_output_tokens: int | None
    capabilities: Annotated[list[Capability] | None, BeforeValidator(_in_order)]
    input_usd_per_mtok: Usd | None
    cached_input_usd_per_mtok: Usd | None
    cache_write_usd_per_mtok: Usd | None
    output_usd_per_mtok: Usd | None


class CredentialsShown(Outgoing):
    """All that is ever told of credentials."""

    configured: bool
    hint: str | None = None
    updated_at: Timestamp | None = None


class ProviderShown(Revised):
    """A provider. `limits` and the credentials' hint are null to those who only ask queries."""

    collection = f"{BASE_PATH}/providers"

    name: str
    kind: ProviderKind
    base_url: str | None
    default_model: str
    models: list[ModelShown]
    enabled: bool
    priority: int
    weight: int
    limits: Limits | None
    timeouts: TimeoutsBody
    retry: Retry
    circuit: Circuit
    location: Location | None
    api: Api
    region: str | None
    credentials: CredentialsShown

    @classmethod
    def of(cls, config: ProviderConfig, *, to: Caller) -> "ProviderShown":
        whole = to.role in _SEE_ALL
        shown = config.said() | {"limits": config.limits if whole else None}
        return cls(
            **shown,
            id=config.id,
            credentials=_credentials(config, whole=whole),
            revision=config.revision,
            created_at=config.created_at,
            updated_at=config.updated_at,
        )


class ProviderPage(PageOf[ProviderShown]):
    """Some of the providers."""

    @classmethod
    def of(cls, page: Page[ProviderConfig], *, to: Caller) -> "ProviderPage":
        return cls(items=[ProviderShown.of(config, to=to) for config in page.items], next_cursor=page.next_cursor)


def _to_domain(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_to_domain, value))
    return value.to_domain() if isinstance(value, Model | Limits | TimeoutsBody | Retry | Circuit) else value


_SEE_ALL = frozenset({Role.ADMIN, Role.OPERATOR, Role.AUDITOR})


def _credentials(config: ProviderConfig, *, whole: bool) -> CredentialsShown:
    note = config.credentials
    if note is None or not whole:
        return CredentialsShown(configured=note is not None)
    return CredentialsShown(configured=True, hint=note.hint, updated_at=note.updated_at)


def as_auditors_see(config: ProviderConfig) -> dict[str, Any]:
    """The provider as JSON, as the audit log tells of it."""
    return ProviderShown.of(config, to=Caller(key_id="", role=Role.AUDITOR)).model_dump(mode="json")
