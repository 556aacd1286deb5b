"""Items that say the same: of two that share nearly all runs of three words, one is enough.

Comparing every item with every other would take the square of the time. An item is compared with few that have one of its longest
sentences or words too: near-identical texts hardly ever differ in all of them.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import field
from typing import Final
from zlib import crc32

from llm_gateway.domain.context.scripts import SENTENCE_ENDS, folded, runs
from llm_gateway.values import dataclass

SAME_FROM: Final = 0.9
"""The part of all their shingles (runs of three words) that two near-identical items have in common, at least."""

_SHINGLE: Final = 3
_SIGNS: Final = 6
_SHORT: Final = 600
_MOST_COMPARED: Final = 4
_LONG: Final = 65_536
_NO_DIGITS: Final = re.compile(r"\D+")
_ENDS: Final = str.maketrans(dict.fromkeys(SENTENCE_ENDS, "\n"))


@dataclass(slots=True)
class _Originals:
    """The items that are kept, and where each sign of theirs was seen first."""

    texts: Sequence[str]
    seen: dict[str, list[int]] = field(default_factory=dict)

    def find(self, number: int) -> int | None:
        text = self.texts[number]
        signs = _signs(text)
        shared = Counter(other for sign in signs for other in self.seen.get(sign, ()))
        for other, _ in shared.most_common(_MOST_COMPARED):
            if are_same(self.texts[other], text):
                return other
        for sign in signs:
            places = self.seen.setdefault(sign, [])
            if len(places) < _MOST_COMPARED:
                places.append(number)
        return None


def duplicates(texts: Sequence[str], *, pinned: Sequence[bool]) -> dict[int, int]:
    """The numbers of texts that need not be sent, each with the earlier (or pinned) one that says the same."""
    originals, found = _Originals(texts), {}
    for number in sorted(range(len(texts)), key=lambda number: not pinned[number]):
        original = originals.find(number)
        if original is not None and not pinned[number]:
            found[number] = original
    return found


def are_same(one: str, other: str) -> bool:
    """Whether two texts are near-identical. Those that differ in a number are not: an invoice is not the next one."""
    if one == other:
        return True
    if not 0.8 <= len(one) / max(1, len(other)) <= 1.25 or _numbers(one) != _numbers(other):
        return False
    mine, theirs = _shingles(one), _shingles(other)
    both = len(mine | theirs)
    return both > 0 and len(mine & theirs) / both >= SAME_FROM


def _signs(text: str) -> list[str]:
    """What a near-identical text probably has too: the longest sentences, and of a short text the longest words."""
    signs = sorted(dict.fromkeys(text.translate(_ENDS).split("\n")), key=len)[-_SIGNS:]
    if len(text) <= _SHORT:
        signs += sorted(dict.fromkeys(folded(text).split()), key=len)[-_SIGNS:]
    return [sign for sign in map(str.strip, signs) if sign] or [sign for sign in (text.strip(),) if sign]


def _numbers(text: str) -> str:
    return _NO_DIGITS.sub(" ", text)


def _shingles(text: str) -> set[int]:
    """Hashes of the runs of three words; of a long text, of its sentences."""
    if len(text) > _LONG:
        return {crc32(part.strip().encode(errors="replace")) for part in text.translate(_ENDS).split("\n")}
    words = list(_words(text))
    texts = ("\0".join(words[at : at + _SHINGLE]) for at in range(max(1, len(words) - _SHINGLE + 1)))
    return {crc32(shingle.encode()) for shingle in texts}


def _words(text: str) -> Iterator[str]:
    for run, is_unspaced in runs(folded(text)):
        yield from run if is_unspaced else (run,)
