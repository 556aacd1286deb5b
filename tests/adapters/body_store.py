"""Large bodies in memory."""

from llm_gateway.ports.queries import BodyStore


class InMemoryBodyStore(BodyStore):
    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}

    def put(self, key: str, body: bytes) -> None:
        self._bodies[key] = body

    def get(self, key: str) -> bytes | None:
        return self._bodies.get(key)

    def delete(self, key: str) -> None:
        self._bodies.pop(key, None)
