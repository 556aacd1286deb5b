"""Ids that come in order and are the same on every run: ULIDs of the clock's time with a counter, numbered secrets."""

from itertools import count

from llm_gateway.ports.system import Clock, Ids

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class FakeIds(Ids):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._numbers = count(1)

    def ulid(self) -> str:
        milliseconds = int(self._clock.now().timestamp() * 1000)
        return _in_crockford(milliseconds, length=10) + _in_crockford(next(self._numbers), length=16)

    def secret(self) -> str:
        return f"secret-{next(self._numbers):036d}"


def _in_crockford(number: int, *, length: int) -> str:
    return "".join(_CROCKFORD[number >> (5 * place) & 31] for place in reversed(range(length)))
