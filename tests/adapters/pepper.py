"""A pepper that a test knows."""

from llm_gateway.ports.keys import Pepper


class FixedPepper(Pepper):
    def __init__(self, value: bytes = b"a pepper for tests") -> None:
        self._value = value

    def value(self) -> bytes:
        return self._value
