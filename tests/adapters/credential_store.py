"""Providers' credentials in memory."""

from datetime import datetime

from llm_gateway.domain.providers import ProviderCredentials
from llm_gateway.ports.providers import CredentialStore


class InMemoryCredentialStore(CredentialStore):
    def __init__(self) -> None:
        self._credentials: dict[str, ProviderCredentials] = {}

    def get(
        self, secret: str, *, changed_at: datetime | None = None, fresh: bool = False
    ) -> ProviderCredentials | None:
        return self._credentials.get(secret)

    def put(self, secret: str, credentials: ProviderCredentials) -> None:
        self._credentials[secret] = credentials

    def names(self) -> list[str]:
        return list(self._credentials)

    def delete(self, secret: str) -> None:
        self._credentials.pop(secret, None)
