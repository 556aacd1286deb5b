"""The `Providers` port: which adapter serves which kind, one row each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from llm_gateway.domain.faults import ProviderAuthFailed
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials, ProviderKind
from llm_gateway.ports.providers import Provider
from llm_gateway.ports.system import Clock
from llm_gateway.providers import llama_cpp, openai
from llm_gateway.providers.anthropic_messages import adapter as anthropic
from llm_gateway.providers.estimates import CountTokens, quarter_of_bytes
from llm_gateway.providers.upstream import Upstream

_MOST_ADAPTERS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    adapter: Callable[[Upstream, Clock, CountTokens], Provider]


_ROWS: Final[Mapping[ProviderKind, _Row]] = {
    ProviderKind.OPENAI: _Row(adapter=openai.openai_adapter),
    ProviderKind.OPENAI_COMPATIBLE: _Row(adapter=openai.openai_compatible_adapter),
    ProviderKind.LLAMA_CPP: _Row(adapter=llama_cpp.llama_cpp_adapter),
    ProviderKind.ANTHROPIC: _Row(adapter=anthropic.anthropic_adapter),
}


class ProviderRegistry:
    """Opens adapters. Equal addresses and credentials share one, and its connections; the least used is forgotten.

    Where a provider does not count tokens, `count_tokens` does, and the usage is marked as estimated.
    """

    def __init__(
        self, *, clock: Clock, private_addresses_allowed: bool, count_tokens: CountTokens = quarter_of_bytes
    ) -> None:
        def adapter(kind: ProviderKind, upstream: Upstream) -> Provider:
            return _ROWS[kind].adapter(upstream, clock, count_tokens)

        self._private_addresses_allowed = private_addresses_allowed
        self._adapter = lru_cache(maxsize=_MOST_ADAPTERS)(adapter)

    def open(self, config: ProviderConfig, credentials: ProviderCredentials | None) -> Provider:
        """Raises `ProviderAuthFailed` for credentials that were given for another server."""
        upstream = Upstream(
            base_url=config.base_url or config.kind.own_base_url or "",
            private_addresses_allowed=self._private_addresses_allowed,
            api_key=_api_key(config, credentials),
        )
        return self._adapter(config.kind, upstream)


def _api_key(config: ProviderConfig, credentials: ProviderCredentials | None) -> str | None:
    if credentials is None:
        return None
    if credentials.given_for not in (None, config.server):
        raise ProviderAuthFailed("The stored credentials were given for another kind or address: send them again.")
    return credentials.api_key
