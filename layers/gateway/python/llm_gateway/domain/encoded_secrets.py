"""Credentials behind escapes: letters written as `\\u0073` or `%73`, once or several times over. They are found in the text as it
reads decoded, and told by their places in the text as it is.
"""

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable
from typing import Final

MOST_LAYERS: Final = 3

_ESCAPE: Final = re.compile(
    r"\\+(?:u(?P<u>[0-9a-fA-F]{4})|x(?P<x>[0-9a-fA-F]{2})|(?P<c>[nrtbf\"'/]))|%(?P<p>[0-9a-fA-F]{2})"
)
_CHARACTERS: Final = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}

Place = tuple[int, int]


def encoded_places(text: str, *, shows: Callable[[str], list[Place]]) -> list[Place]:
    """Where in `text` something is that `shows` finds in it once it is decoded, layer by layer."""
    layer, origin = text, None
    places: list[Place] = []
    for _ in range(MOST_LAYERS):
        decoded = _Decoded(layer, origin)
        if decoded.text == layer:
            break
        places += [decoded.place(*place) for place in shows(decoded.text)]
        layer, origin = decoded.text, decoded
    return places


class _Decoded:
    """A text with its escapes read, and where each part of it comes from: in `origin`'s own text, where there is one."""

    def __init__(self, text: str, origin: "_Decoded | None") -> None:
        self._origin = origin
        # Where a piece begins here, and there. Behind an escape the two differ.
        self._here, self._there = array("L", [0]), array("L", [0])
        pieces, at, length = [], 0, 0
        for found in _ESCAPE.finditer(text):
            pieces += [text[at : found.start()], _read(found)]
            escape_at = length + found.start() - at
            length = escape_at + 1
            at = found.end()
            self._here.extend((escape_at, length))
            self._there.extend((found.start(), at))
        self.text = "".join([*pieces, text[at:]])

    def place(self, start: int, end: int) -> Place:
        start, end = self._back(start), self._back_to_end(end)
        return (start, end) if self._origin is None else self._origin.place(start, end)

    def _back(self, at: int) -> int:
        piece = bisect_right(self._here, at) - 1
        return self._there[piece] + at - self._here[piece]

    def _back_to_end(self, end: int) -> int:
        """Behind the whole of the last character, which may be an escape."""
        last = end - 1
        piece = bisect_right(self._here, last) - 1
        here, there = self._here[piece], self._there[piece]
        is_escape = piece % 2 == 1
        return self._there[piece + 1] if is_escape and last == here else there + last - here + 1


def _read(found: re.Match[str]) -> str:
    if found["c"]:
        return _CHARACTERS.get(found["c"], found["c"])
    return chr(int(found["u"] or found["x"] or found["p"], 16))
