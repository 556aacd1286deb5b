"""What rendering may take, counted in steps and bytes: the same template with the same values always gets as far."""

from collections.abc import Iterable
from typing import Any, Final

MOST_STEPS: Final = 200_000
MOST_READ_BYTES: Final = 32 * 2**20
MOST_MADE_BYTES: Final = 8 * 2**20
MOST_OUTPUT_BYTES: Final = 4 * 2**20
_PLACE_BYTES: Final = 64
DEEPEST: Final = 100


class TemplateFault(Exception):
    """The message is a predicate without its subject ("uses include, …"): it says what is wrong with a template."""


class Meter:
    """What rendering a prompt and its roles has taken until now: steps of loops and filters, bytes read, made, and put out.

    A text counts by the memory that it takes at most: a byte for each character of ASCII, four for others.
    """

    __slots__ = ("_made", "_put_out", "_read", "_steps")

    def __init__(self) -> None:
        self._steps = self._read = self._made = self._put_out = 0

    def step(self, count: int) -> None:
        self._steps += count
        if self._steps > MOST_STEPS:
            raise TemplateFault(f"takes more than {MOST_STEPS} steps with these values: its loops are too long")

    def read(self, value: Any) -> None:
        """Counts `value` by itself, without those in it. Raises `TemplateFault` for what is no JSON value."""
        self._add_read(weight(value))

    def read_whole(self, *values: Any) -> None:
        """Counts `values` with all that they hold, each as often as it is found in them."""
        rest = [(value, 0) for value in values]
        while rest:
            value, depth = rest.pop()
            self.read(value)
            if depth > DEEPEST:
                raise TemplateFault(f"nests lists and objects in more than {DEEPEST} levels")
            rest += [(inner, depth + 1) for inner in _within(value)]

    def make(self, count: int) -> None:
        """Counts bytes that are about to be made."""
        self._made += count
        if self._made > MOST_MADE_BYTES:
            raise TemplateFault(f"makes values of more than {MOST_MADE_BYTES // 2**20} MiB in all")

    def put_out(self, text: str) -> None:
        self._put_out += size(text)
        if self._put_out > MOST_OUTPUT_BYTES:
            raise TemplateFault(f"makes more than {MOST_OUTPUT_BYTES // 2**20} MiB of text with these values")

    def _add_read(self, count: int) -> None:
        self._read += count
        if self._read > MOST_READ_BYTES:
            raise TemplateFault(f"reads more than {MOST_READ_BYTES // 2**20} MiB with these values")


def size(text: str) -> int:
    return len(text) if text.isascii() else 4 * len(text)


def size_joined(texts: Iterable[str], between: str) -> int:
    return sum(size(text) + size(between) for text in texts)


def weight(value: Any) -> int:
    """What a value takes by itself, without those in it. Raises `TemplateFault` for what is no JSON value."""
    if isinstance(value, str):
        return _PLACE_BYTES + size(value)
    if isinstance(value, list | tuple | dict):
        return _PLACE_BYTES * (1 + len(value))
    if value is None or isinstance(value, bool | int | float):
        return _PLACE_BYTES
    raise TemplateFault("uses something as a value that is none, such as `loop` itself")


def _within(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        if not all(isinstance(name, str) for name in value):
            raise TemplateFault("makes an object with a name that is no text")
        return (*value, *value.values())
    return value if isinstance(value, list | tuple) else ()
