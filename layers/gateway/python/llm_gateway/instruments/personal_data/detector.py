"""The detector: all rules over a text, a stretch at a time."""

from collections.abc import Iterable, Iterator
from typing import Final

from llm_gateway.domain.pii import Found
from llm_gateway.instruments.personal_data.accounts import CARDS, ibans
from llm_gateway.instruments.personal_data.addresses import emails, ip_addresses
from llm_gateway.instruments.personal_data.dates import births
from llm_gateway.instruments.personal_data.folding import fold
from llm_gateway.instruments.personal_data.numbers import RULES
from llm_gateway.instruments.personal_data.phones import Phones

STRETCH: Final = 8_192
LONGEST: Final = 512
"""No finding is longer."""


class PatternDetector:
    """The `Detector` port. Memory beyond the text, folded, is that of a stretch's findings."""

    def find(self, text: str) -> Iterator[Found]:
        folded = fold(text)
        phones = Phones()
        # The strongest proof first: where two kinds claim the same place, it has the word.
        finders = (emails, ibans, *(rule.find for rule in (*CARDS, *RULES)), births, ip_addresses, phones.find)
        start, size = 0, len(folded.text)
        while start < size:
            until = start + STRETCH
            end = until + LONGEST
            claims = [
                (found.start, rank, found.end, found.kind)
                for rank, find in enumerate(finders)
                for found in find(folded.text, start, until, end)
            ]
            for found in _apart(claims):
                yield Found(found.kind, folded.original(found.start), folded.original(found.end))
                start = found.end
            start = max(start, until)


def _apart(claims: Iterable[tuple[int, int, int, str]]) -> Iterator[Found]:
    """Claims to one place become one, of all that any of them covers: the kind is that of the longest, or else the first rule."""
    kept: tuple[int, int, int, str] | None = None
    for claim in sorted(claims):
        if kept is None or claim[0] >= kept[2]:
            if kept is not None:
                yield Found(kept[3], kept[0], kept[2])
            kept = claim
            continue
        weight = (claim[2] - claim[0], -claim[1])
        best = claim if weight > (kept[2] - kept[0], -kept[1]) else kept
        kept = (kept[0], best[1], max(kept[2], claim[2]), best[3])
    if kept is not None:
        yield Found(kept[3], kept[0], kept[2])
