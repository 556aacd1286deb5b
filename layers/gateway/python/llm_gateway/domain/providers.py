"""Providers: where models are asked, what each can do, and how far it may be trusted."""

from dataclasses import field, fields, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from llm_gateway.domain.addresses import server_of
from llm_gateway.values import dataclass

LONGEST_CALL_S: Final = 900
"""As long as AWS lets a function run."""

USUAL_PATIENCE_S: Final = 20


class ProviderKind(StrEnum):
    """By which wire, and whose; `domain.vendors` has a row for each."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    LLAMA_CPP = "llama_cpp"
    BEDROCK = "bedrock"
    OPENAI_COMPATIBLE = "openai_compatible"

    @property
    def own_base_url(self) -> str | None:
        """The vendor's public address; None where an operator has to say where the server is, or the region does."""
        return _OWN_BASE_URLS.get(self)

    @property
    def needs_base_url(self) -> bool:
        return self in (ProviderKind.LLAMA_CPP, ProviderKind.OPENAI_COMPATIBLE)

    @property
    def needs_credentials(self) -> bool:
        return self in (ProviderKind.OPENAI, ProviderKind.ANTHROPIC)

    @property
    def is_of_account(self) -> bool:
        """Whether it is a service of the AWS account, asked by the function's own role: it takes no credentials, and is found
        by its region."""
        return self is ProviderKind.BEDROCK


_OWN_BASE_URLS: Final = {
    ProviderKind.OPENAI: "https://api.openai.com/v1",
    ProviderKind.ANTHROPIC: "https://api.anthropic.com",
}
# What an SDK adds to a base URL, each after whatever may precede it.
_ENDPOINTS: Final = ("/chat/completions", "/completions", "/responses", "/embeddings", "/messages")


class Location(StrEnum):
    """Whether words that are sent to a provider stay in the deployment's account; not said, `llama_cpp` and `bedrock` do."""

    ACCOUNT = "account"
    VENDOR = "vendor"


class Api(StrEnum):
    """By which of OpenAI's APIs a provider is asked; `auto` is what the capability table says of the model."""

    AUTO = "auto"
    RESPONSES = "responses"
    CHAT_COMPLETIONS = "chat_completions"


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
    FILES = "files"
    AUDIO = "audio"
    REASONING = "reasoning"
    LOGPROBS = "logprobs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """A model that a provider lists. None means: as the capability and price tables say.

    It can be asked for by each of its `aliases`, too; the provider is asked for `name`.
    """

    name: str
    aliases: tuple[str, ...] = ()
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
    """How long calls may take; None is no bound but the query's own time.

    `first_token_s` bounds the wait for a stream's first content and between two of its events. An answer that comes whole
    does not know it.
    """

    connect_s: float = 5
    first_token_s: float | None = None
    total_s: float | None = None

    @property
    def longest_s(self) -> float:
        """The most that a call may take, with or without a query around it."""
        return LONGEST_CALL_S if self.total_s is None else self.total_s

    @property
    def silence_s(self) -> float:
        """The most that a stream may wait for its next event."""
        return self.longest_s if self.first_token_s is None else min(self.first_token_s, self.longest_s)

    def patience_s(self, *, streams: bool) -> float:
        """How long a provider may be silent before that is its failure: a caller who breaks off sooner was in a hurry.

        Where the operator says nothing, it is what a provider usually takes: a short `timeout_s` of one caller must not
        close a provider for everybody, and one that hangs must not stay open for ever.
        """
        configured = (self.first_token_s if streams else None, self.total_s)
        return min((bound for bound in configured if bound is not None), default=USUAL_PATIENCE_S)

    def within(self, left_s: float, *, streams: bool) -> "Timeouts":
        """The timeouts of one call of a query that has `left_s` left."""
        first_token_s = self.first_token_s if streams else None
        return replace(self, first_token_s=first_token_s, total_s=min(self.longest_s, left_s))


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
    """What a provider asks for to let the gateway in. Never printed, never stored outside the secrets' store.

    `given_for` is the `server` of the provider that an operator gave them for: no other is ever sent them.
    """

    api_key: str = field(repr=False)
    given_for: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsNote:
    """What may be told of stored credentials: that they are there, how they end, and since when.

    `secret` names the secret that holds them, None the one that is named as the provider is.
    """

    hint: str
    updated_at: datetime
    secret: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    """What an operator says of a provider, but for its credentials. `region` None is the deployment's own."""

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
    location: Location | None = None
    api: Api = Api.AUTO
    region: str | None = None

    @property
    def server(self) -> str:
        """Who is handed the credentials: the kind, and the address's scheme, host and port."""
        return f"{self.kind} {server_of(self.base_url or self.kind.own_base_url or '')}"

    @property
    def is_in_account(self) -> bool:
        """Whether words that it is sent stay in the deployment's account."""
        if self.location is None:
            return self.kind in (ProviderKind.LLAMA_CPP, ProviderKind.BEDROCK)
        return self.location is Location.ACCOUNT

    def model(self, name: str) -> ModelConfig:
        """The listed model of that name or alias, or one with nothing overridden where the provider lists none."""
        named = next((model for model in self.models if model.name == name), None)
        return named or next((model for model in self.models if name in model.aliases), ModelConfig(name=name))

    def lists(self, name: str) -> bool:
        """Whether the model can be asked for by `name`, its own or an alias."""
        return name == self.default_model or any(name == model.name or name in model.aliases for model in self.models)

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

    @property
    def secret(self) -> str | None:
        """The name of the secret with its credentials; None where it has none."""
        return None if self.credentials is None else self.credentials.secret or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderDraft(ProviderSpec):
    """A provider as an operator describes it; `id` None takes one from the name, `credentials` None keeps what is stored.

    `revision` is the one that the draft was made from, where it says so.
    """

    id: str | None
    credentials: ProviderCredentials | None
    revision: int | None = None


def fault_in_path(kind: ProviderKind, base_url: str) -> str | None:
    """What a `base_url` must not end in, as a sentence: the gateway adds it. None where the end is right."""
    path = urlsplit(base_url).path.rstrip("/").lower()
    for endpoint in _ENDPOINTS:
        if path.endswith(endpoint):
            return f"must end before {endpoint}: the gateway adds that"
    if kind is ProviderKind.ANTHROPIC and path.endswith("/v1"):
        return "must end before /v1 for a provider of kind anthropic: the gateway adds that"
    return None


def fault_in_api_key(api_key: str) -> str | None:
    """Why no header can carry `api_key`, as a sentence that does not show it; None where one can."""
    if any(character.isspace() for character in api_key):
        return "has white space: copy the key again, without a space or a line break"
    if not api_key.isascii():
        return "has a character that is not ASCII, such as the … of an example: copy the whole key again"
    if not api_key.isprintable():
        return "has a control character: copy the key again"
    return None


def hint_of(api_key: str) -> str:
    """The end of a secret, for recognising it: four characters of a long one, none of a short one."""
    return f"…{api_key[-4:]}" if len(api_key) >= 16 else "…"
