"""Providers: where models are asked, what each can do, and how far it may be trusted."""

from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any


class ProviderKind(StrEnum):
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    LLAMA_CPP = "llama_cpp"
    OPENAI_COMPATIBLE = "openai_compatible"

    @property
    def needs_base_url(self) -> bool:
        return self in (ProviderKind.LLAMA_CPP, ProviderKind.OPENAI_COMPATIBLE)

    @property
    def needs_credentials(self) -> bool:
        return self in (ProviderKind.OPENAI, ProviderKind.ANTHROPIC)


class Capability(StrEnum):
    """What a model can take beyond plain text; `domain.capabilities` knows which model can what."""

    IMAGES = "images"
    TOOLS = "tools"
    JSON = "json"
    JSON_SCHEMA = "json_schema"
    STREAMING = "streaming"
    TEMPERATURE = "temperature"
    TOP_P = "top_p"
    STOP = "stop"
    SEED = "seed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """A model that a provider lists. None means: as the capability and price tables say."""

    name: str
    context_window: int | None = None
    max_output_tokens: int | None = None
    capabilities: frozenset[Capability] | None = None
    input_usd_per_mtok: Decimal | None = None
    cached_input_usd_per_mtok: Decimal | None = None
    cache_write_usd_per_mtok: Decimal | None = None
    output_usd_per_mtok: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLimits:
    """Never more than N in any 60 s, at most `burst` at once; None is no limit."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    burst: int | None = None
    max_concurrent: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """`first_token_s` bounds the wait for a stream's first content and between two of its events."""

    connect_s: float = 3
    first_token_s: float = 20
    total_s: float = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """`max_attempts` counts the first try."""

    max_attempts: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitPolicy:
    failure_threshold: int = 5
    cooldown_s: float = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCredentials:
    """What a provider asks for to let the gateway in. Never printed, never stored outside the secrets' store."""

    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsNote:
    """What may be told of stored credentials: that they are there, how they end, and since when."""

    hint: str
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """What an operator says of a provider, but for its credentials."""

    name: str
    kind: ProviderKind
    base_url: str | None
    default_model: str
    models: tuple[ModelConfig, ...]
    enabled: bool
    priority: int
    weight: int
    limits: ProviderLimits
    timeouts: Timeouts
    retry: RetryPolicy
    circuit: CircuitPolicy

    def model(self, name: str) -> ModelConfig:
        """The listed model `name`, or one with nothing overridden where the provider does not list it."""
        return next((model for model in self.models if model.name == name), ModelConfig(name=name))

    def lists(self, name: str) -> bool:
        return name == self.default_model or any(model.name == name for model in self.models)

    def said(self) -> dict[str, Any]:
        """The fields of the specification alone, by name, whatever a subclass adds to them."""
        return {field.name: getattr(self, field.name) for field in fields(ProviderSpec)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig(ProviderSpec):
    """A provider as it is configured; `revision` counts its changes, from 1."""

    id: str
    credentials: CredentialsNote | None
    revision: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDraft(ProviderSpec):
    """A provider as an operator describes it; `id` None takes one from the name, `credentials` None keeps what is stored.

    `revision` is the one that the draft was made from, where it says so.
    """

    id: str | None
    credentials: ProviderCredentials | None
    revision: int | None = None


def hint_of(api_key: str) -> str:
    """The end of a secret, for recognising it: four characters of a long one, none of a short one."""
    return f"…{api_key[-4:]}" if len(api_key) >= 16 else "…"
