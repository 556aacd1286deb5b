"""API keys in memory."""

from threading import Lock

from llm_gateway.domain.keys import ApiKey
from llm_gateway.errors import AlreadyExists
from llm_gateway.ports.keys import KeyStore


class InMemoryKeyStore(KeyStore):
    """`fault`, where it is set, is what whoever reads or adds meets."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self._keys: dict[str, ApiKey] = {}
        self._writing = Lock()

    def add(self, key: ApiKey) -> None:
        if self.fault is not None:
            raise self.fault
        with self._writing:
            if key.id in self._keys:
                raise AlreadyExists(f"The key id {key.id!r} is taken.")
            self._keys[key.id] = key

    def get(self, key_id: str) -> ApiKey | None:
        if self.fault is not None:
            raise self.fault
        return self._keys.get(key_id)

    def put(self, key: ApiKey) -> None:
        """In place of what is there: what revoking a key will do."""
        with self._writing:
            self._keys[key.id] = key
