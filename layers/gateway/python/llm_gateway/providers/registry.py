"""The `Providers` port: which wire a kind of provider speaks, one row each; `domain.vendors` has its models and prices."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property, partial
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.addresses import is_at
from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.faults import ProviderAuthFailed
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials, ProviderKind
from llm_gateway.domain.vendors import VENDORS, Vendor
from llm_gateway.ports.providers import Provider
from llm_gateway.ports.system import Clock
from llm_gateway.providers.anthropic_messages.adapter import AnthropicMessages
from llm_gateway.providers.chat_completions.adapter import ChatCompletions
from llm_gateway.providers.chat_completions.request import COMPATIBLE, LLAMA_CPP, OPENAI
from llm_gateway.providers.exchange import ChatWire, Wire, WiredProvider
from llm_gateway.providers.faults import FaultTable
from llm_gateway.providers.sse import Event
from llm_gateway.providers.upstream import Upstream
from llm_gateway.providers.writing import Joiner

if TYPE_CHECKING:
    import httpx2

    from llm_gateway.providers.embedding import EmbeddingWire

_MOST_ADAPTERS: Final = 64
_LONGEST_UNUSED_S: Final = 600.0


def _bedrock(**parts: Any) -> Wire:
    """Imported late: it brings botocore's decoder of streams."""
    from llm_gateway.providers.bedrock.adapter import Converse

    return Converse(**parts)


@dataclass(frozen=True, kw_only=True)
class _OpenAI:
    """A `Wire` that is one or the other of OpenAI's, as the request says. The second is imported where one asks by it."""

    upstream: Upstream
    vendor: Vendor
    clock: Clock

    def load(self) -> None:
        self._chat_completions.load()

    def faults(self, request: ChatRequest) -> FaultTable:
        return self._spoken(request).faults(request)

    def joiner(self, request: ChatRequest, faults: FaultTable) -> Joiner:
        return self._spoken(request).joiner(request, faults)

    def opened(
        self, request: ChatRequest, *, streamed: bool, timeout: "httpx2.Timeout"
    ) -> AbstractContextManager[Iterator[Event]]:
        return self._spoken(request).opened(request, streamed=streamed, timeout=timeout)

    def count_tokens(self, request: ChatRequest, *, timeout: "httpx2.Timeout") -> int | None:
        return self._chat_completions.count_tokens(request, timeout=timeout)

    def embeddings(self) -> "EmbeddingWire":
        return self._chat_completions.embeddings()

    def _spoken(self, request: ChatRequest) -> ChatWire:
        return self._responses if request.by_responses else self._chat_completions

    @cached_property
    def _chat_completions(self) -> Wire:
        return ChatCompletions(upstream=self.upstream, vendor=self.vendor, clock=self.clock, dialect=OPENAI)

    @cached_property
    def _responses(self) -> ChatWire:
        from llm_gateway.providers.responses.adapter import Responses

        return Responses(upstream=self.upstream, vendor=self.vendor, clock=self.clock)


_WIRES: Final[Mapping[ProviderKind, Callable[..., Wire]]] = {
    ProviderKind.OPENAI: _OpenAI,
    ProviderKind.OPENAI_COMPATIBLE: partial(ChatCompletions, dialect=COMPATIBLE),
    # The server in `container-local-model`, or any other that speaks llama.cpp's wire.
    ProviderKind.LLAMA_CPP: partial(ChatCompletions, dialect=LLAMA_CPP),
    ProviderKind.ANTHROPIC: AnthropicMessages,
    ProviderKind.BEDROCK: _bedrock,
}


class _Adapters:
    """Adapters that were used lately. A credential that is used no more leaves the memory with the adapter that holds it."""

    def __init__(self, make: Callable[[ProviderKind, Upstream], Provider], clock: Clock) -> None:
        self._make = make
        self._clock = clock
        self._lock = Lock()
        # In the order in which they were used.
        self._kept: dict[tuple[ProviderKind, Upstream], tuple[Provider, float]] = {}

    def get(self, kind: ProviderKind, upstream: Upstream) -> Provider:
        kept = self._kept.get((kind, upstream))
        # Making one imports an SDK: others are not kept waiting meanwhile.
        adapter = kept[0] if kept else self._make(kind, upstream)
        with self._lock:
            return self._use((kind, upstream), adapter)

    def _use(self, key: tuple[ProviderKind, Upstream], adapter: Provider) -> Provider:
        now_s = self._clock.monotonic_s()
        adapter, _ = self._kept.pop(key, (adapter, 0.0))
        self._kept[key] = adapter, now_s
        while len(self._kept) > _MOST_ADAPTERS or now_s - next(iter(self._kept.values()))[1] > _LONGEST_UNUSED_S:
            del self._kept[next(iter(self._kept))]
        return adapter


class ProviderRegistry:
    """Opens adapters. Equal addresses and credentials share one, and its connections; those that nobody uses are forgotten."""

    def __init__(self, *, clock: Clock, private_addresses_allowed: bool, own_model_url: str = "") -> None:
        def adapter(kind: ProviderKind, upstream: Upstream) -> Provider:
            wire = _WIRES[kind](upstream=upstream, vendor=VENDORS[kind], clock=clock)
            wire.load()
            return WiredProvider(wire=wire, clock=clock)

        self._private_addresses_allowed = private_addresses_allowed
        self._own_model_url = own_model_url
        self._adapters = _Adapters(adapter, clock)

    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        """Raises `ProviderAuthFailed` for credentials that were given for another server."""
        base_url = config.base_url or config.kind.own_base_url or ""
        own = is_at(base_url, self._own_model_url)
        upstream = Upstream(
            base_url=base_url,
            private_addresses_allowed=self._private_addresses_allowed or own,
            is_own=own,
            api_key=_api_key(config, credentials),
            region=config.region,
        )
        return self._adapters.get(config.kind, upstream)


def _api_key(config: ProviderConfig, credentials: ProviderCredentials | None) -> str | None:
    if credentials is None:
        return None
    if credentials.given_for not in (None, config.server):
        raise ProviderAuthFailed("The stored credentials were given for another kind or address: send them again.")
    return credentials.api_key
