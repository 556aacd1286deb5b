"""Providers that embed as scripted, each by its own script: a vector tells the length of its text."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.embeddings import EmbeddingRequest, Embeddings
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials, Timeouts
from llm_gateway.ports.providers import Provider, Providers
from llm_gateway.ports.system import Cancelled, never

from tests.adapters.clock import FakeClock

Behavior = Callable[[], Exception | Usage | None]
"""What a call meets: an exception, or a usage that is told, or None for an answer whose every word is a token."""


@dataclass(slots=True, kw_only=True)
class EmbeddingProviders(Providers):
    """`takes_s` is how long each call takes. `asked` lists who was asked what."""

    clock: FakeClock
    scripts: dict[str, list[Behavior]] = field(default_factory=dict)
    asked: list[tuple[str, EmbeddingRequest]] = field(default_factory=list)
    credentials: list[ProviderCredentials | None] = field(default_factory=list)
    takes_s: float = 0
    dimensions: dict[str, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def script(self, provider_id: str, *behaviors: Behavior) -> None:
        self.scripts.setdefault(provider_id, []).extend(behaviors)

    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        return _Embedding(self, config, credentials)

    @property
    def order(self) -> list[str]:
        return [provider for provider, _ in self.asked]


@dataclass(frozen=True, slots=True)
class _Embedding(Provider):
    providers: EmbeddingProviders
    config: ProviderConfig
    credentials: ProviderCredentials | None

    def embed(self, request: EmbeddingRequest, *, timeouts: Timeouts, cancelled: Cancelled = never) -> Embeddings:
        providers, name = self.providers, self.config.id
        with providers._lock:
            providers.asked.append((name, request))
            providers.credentials.append(self.credentials)
            script = providers.scripts.get(name)
            behave = script.pop(0) if script else None
        met = behave() if behave else None
        with providers._lock:
            providers.clock.advance(providers.takes_s)
        if isinstance(met, Exception):
            raise met
        words = sum(len(text.split()) for text in request.texts)
        length = request.dimensions or providers.dimensions.get(name, 2)
        return Embeddings(
            vectors=tuple((float(len(text)), *([0.5] * (length - 1))) for text in request.texts),
            model=request.model,
            usage=met or Usage(input_tokens=words),
        )
