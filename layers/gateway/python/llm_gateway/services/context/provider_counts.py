"""Counts by the provider itself, for a query that asks for exact ones."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from llm_gateway.domain.chat import ChatRequest
from llm_gateway.domain.providers import ProviderConfig, ProviderCredentials, Timeouts
from llm_gateway.domain.routing import Candidate
from llm_gateway.errors import GatewayError
from llm_gateway.ports.providers import CredentialStore, Providers

_log = logging.getLogger(__name__)
_TIMEOUTS = Timeouts(connect_s=2, total_s=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCounts:
    """Asks providers to count. A few seconds have to be enough: the estimate is there already."""

    providers: Providers
    credentials: CredentialStore

    def of(self, candidate: Candidate) -> Callable[[ChatRequest], int | None]:
        """What counts a request as `candidate` counts it; None comes where it cannot be asked, or counts for nobody."""

        def count(chat: ChatRequest) -> int | None:
            config = candidate.provider
            try:
                provider = self.providers.open(config, self._credentials(config))
                return provider.count_tokens(chat, timeouts=_TIMEOUTS)
            except GatewayError as error:
                _log.warning("Provider %s did not count the tokens of a request: %s.", config.id, error.code)
                return None

        return count

    def _credentials(self, config: ProviderConfig) -> ProviderCredentials | None:
        note, secret = config.credentials, config.secret
        return self.credentials.get(secret, changed_at=note.updated_at) if note and secret else None
