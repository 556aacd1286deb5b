"""API keys, and the secret under which they are hashed."""

from typing import Protocol

from llm_gateway.domain.keys import ApiKey


class KeyStore(Protocol):
    def add(self, key: ApiKey) -> None:
        """Raises `AlreadyExists` where the id is taken."""
        ...

    def get(self, key_id: str) -> ApiKey | None: ...


class Pepper(Protocol):
    def value(self) -> bytes:
        """The deployment's secret under which API keys are hashed."""
        ...
