"""API keys, the secret under which they are hashed, and the nonces that their holders have signed with."""

from datetime import datetime
from typing import Protocol

from llm_gateway.domain.keys import ApiKey
from llm_gateway.ports.collections import Collection


class KeyStore(Collection[ApiKey], Protocol):
    """API keys."""


class Pepper(Protocol):
    def value(self) -> bytes:
        """The deployment's secret under which API keys are hashed."""
        ...


class NonceStore(Protocol):
    def take(self, key_id: str, nonce: str, *, until: datetime) -> bool:
        """Whether `nonce` is new for the key, and now taken until that time at least. Of several at once one takes it.

        Raises `DependencyUnavailable`, and then the nonce may be taken or not.
        """
        ...
