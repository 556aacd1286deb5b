"""Providers' credentials in memory."""

from datetime import datetime

from llm_gateway.domain.providers import ProviderCredentials
from llm_gateway.ports.providers import CredentialStore


class InMemoryCredentialStore(CredentialStore):
    def __init__(self) -> None:
        self._credentials: dict[str, ProviderCredentials] = {}

    def get(
        self, provider_id: str, *, changed_at: datetime | None = None, fresh: bool = False
    ) -> ProviderCredentials | None:
        return self._credentials.get(provider_id)

    def put(self, provider_id: str, credentials: ProviderCredentials) -> None:
        self._credentials[provider_id] = credentials

    def delete(self, provider_id: str) -> None:
        self._credentials.pop(provider_id, None)
