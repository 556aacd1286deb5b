"""API keys in memory."""

from llm_gateway.domain.keys import ApiKey
from llm_gateway.errors import KeyNotFound
from llm_gateway.ports.keys import KeyStore

from tests.adapters.collection import InMemoryCollection


class InMemoryKeyStore(InMemoryCollection[ApiKey], KeyStore):
    def __init__(self) -> None:
        super().__init__(name="key", not_found=KeyNotFound)

    def put(self, key: ApiKey) -> None:
        """In place of what is there: what revoking a key will do."""
        with self._writing:
            self._documents[key.id] = key
