"""Nonces in memory."""

from datetime import datetime
from threading import Lock

from llm_gateway.ports.keys import NonceStore


class InMemoryNonceStore(NonceStore):
    """`taken` has each nonce with its key and how long it is kept; `fault`, where it is set, is what taking one meets."""

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.taken: dict[tuple[str, str], datetime] = {}
        self._writing = Lock()

    def take(self, key_id: str, nonce: str, *, until: datetime) -> bool:
        if self.fault is not None:
            raise self.fault
        with self._writing:
            new = (key_id, nonce) not in self.taken
            self.taken.setdefault((key_id, nonce), until)
            return new
