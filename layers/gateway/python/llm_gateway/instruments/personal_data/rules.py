"""Rules: what a kind of personal data looks like, what proves it, and which words must stand near it where little does.

A pattern begins with the characters that it may begin with, so that `re` skips all others at once, and repeats nothing without a
bound: time grows with the text alone. A class says what may stand before and behind it, because letters of a script without
spaces (番号4111…) are no part of a number.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any, Final

from llm_gateway.domain.pii import Found

LETTER: Final = r"0-9A-Za-z_\u00c0-\u024f"
"""What joins a number, so that it is none: for use in a class."""
END: Final = rf"(?![{LETTER}])(?![.\-]\d)"
"""Behind a number: nothing that goes on with it."""

BEFORE: Final = 60
BEHIND: Final = 30
"""How near a word has to stand, in characters."""
_SEPARATORS: Final = str.maketrans("", "", " \t\n.-/+")

Proof = Callable[[str], bool]
"""Whether a candidate, without its separators, is one."""


class Nearby:
    """Where words stand in a stretch of text: looked for once, when it is first asked."""

    def __init__(self, words: re.Pattern[str], text: str, start: int, end: int) -> None:
        found = [each.span() for each in words.finditer(text, max(0, start - BEFORE), end)]
        self._starts = [begin for begin, _ in found]
        self._ends = [behind for _, behind in found]

    def has(self, start: int, end: int, *, before: int = BEFORE, behind: int = BEHIND) -> bool:
        """Whether a word stands so near before `start`, or so near behind `end`."""
        last = bisect_right(self._ends, start) - 1
        if last >= 0 and self._ends[last] >= start - before:
            return True
        following = bisect_left(self._starts, end)
        return following < len(self._starts) and self._starts[following] <= end + behind


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """`words` None: it is known by itself. The `proof` is shown it `compacted`, without separators, unless those say something.

    A proof by checksum lets one in ten at most through by chance.
    """

    kind: str
    pattern: re.Pattern[str]
    proof: Proof
    words: re.Pattern[str] | None = None
    compacted: bool = True

    def find(self, text: str, start: int, until: int, end: int) -> Iterator[Found]:
        """What begins from `start` up to `until` in a folded text, and ends before `end`."""
        nearby: Nearby | None = None
        from_here = start
        while (found := self.pattern.search(text, start, end)) and found.start() < until:
            if self.words is not None:
                nearby = nearby or Nearby(self.words, text, from_here, end)
            is_near = nearby is None or nearby.has(found.start(), found.end())
            if is_near and self._is_proved(found[0]):
                yield Found(self.kind, found.start(), found.end())
                start = found.end()
            else:
                # Another may begin inside it.
                start = found.start() + 1

    def _is_proved(self, candidate: str) -> bool:
        return self.proof(candidate.translate(_SEPARATORS) if self.compacted else candidate)


def digits(shape: str) -> re.Pattern[str]:
    """A pattern that begins with a digit, and no digit or letter before it. `shape` says what follows the first one."""
    return re.compile(rf"[0-9](?<![{LETTER}].)(?<!\d[.\-].){shape}{END}")


def letters(first: str, shape: str) -> re.Pattern[str]:
    """A pattern that begins with one of the `first` characters."""
    return re.compile(rf"[{first}](?<![{LETTER}].){shape}{END}")


def words(*any_case: str, capitals: str = "") -> re.Pattern[str]:
    """Words in any case, also inside a name like `taxId`; and abbreviations that stand alone, in `capitals`."""
    parts = [f"(?i:{'|'.join(any_case)})"] if any_case else []
    parts += [rf"(?<![A-Za-z])(?:{capitals})(?![A-Za-z])"] if capitals else []
    return re.compile("|".join(parts))


def by(module: str) -> Proof:
    """A proof by `stdnum`'s module, which is imported for the first candidate."""
    return lambda number: bool(_module(module).is_valid(number))


@cache
def _module(name: str) -> Any:
    return import_module(f"stdnum.{name}")
