"""Everything that could be sent: the items in passages, each with its score, without those that another one repeats."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from llm_gateway.domain.context.cutting import Pieces
from llm_gateway.domain.context.duplicates import duplicates
from llm_gateway.domain.context.layout import Piece
from llm_gateway.domain.query_context import ContextItem
from llm_gateway.values import dataclass

PASSAGE: Final = 1_200
"""The most characters of a passage: about 300 tokens of English."""

_WHOLE: Final = 1_500


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """`passages` are those of items that may be sent, in their order; `scores` (0 to 1) are theirs, where they were ranked.

    `repeats` names the item that says the same as one that is not sent for it, by their numbers.
    """

    items: Sequence[ContextItem]
    passages: Sequence[Piece]
    repeats: dict[int, int]
    scores: Sequence[float] | None = None

    @classmethod
    def of(cls, items: Sequence[ContextItem], pieces: Pieces) -> "Pool":
        repeats = duplicates([item.text for item in items], pinned=[item.pinned for item in items])
        passages = [
            piece
            for number, item in enumerate(items)
            if number not in repeats and not is_blank(item)
            for piece in _passages(number, item.text, pieces)
        ]
        return cls(items=items, passages=passages, repeats=repeats)

    def ranked(self, scores: Sequence[float]) -> "Pool":
        return replace(self, scores=scores)

    def text(self, piece: Piece) -> str:
        return self.items[piece.item].text[piece.start : piece.end]

    def texts(self) -> Iterator[str]:
        return map(self.text, self.passages)


def is_blank(item: ContextItem) -> bool:
    return not item.text.strip()


def _passages(number: int, text: str, pieces: Pieces) -> Iterator[Piece]:
    """A text that is little longer than a passage is one: whole, it makes more sense than in two."""
    if len(text) <= _WHOLE:
        yield Piece(item=number, start=0, end=len(text))
        return
    start = 0
    for piece in pieces(text, PASSAGE):
        yield Piece(item=number, start=start, end=start + len(piece))
        start += len(piece)
