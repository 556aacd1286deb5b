"""What is told of a context: which items were sent, which were cut, which were not sent, and why."""

from collections import defaultdict
from collections.abc import Iterator

from llm_gateway.domain.context.cutting import Measure
from llm_gateway.domain.context.layout import Piece
from llm_gateway.domain.context.pool import Pool, is_blank
from llm_gateway.domain.context.selection import Selection
from llm_gateway.domain.query_context import ContextReport, ItemReport


def report_of(pool: Pool, selection: Selection, measure: Measure) -> ContextReport:
    sent: dict[int, list[Piece]] = defaultdict(list)
    for piece in selection.pieces:
        sent[piece.item].append(piece)
    return ContextReport(items=tuple(_items(pool, sent, measure)), tokens=selection.tokens)


def _items(pool: Pool, sent: dict[int, list[Piece]], measure: Measure) -> Iterator[ItemReport]:
    scores = _scores(pool)
    for number, item in enumerate(pool.items):
        pieces, score = sent.get(number, []), scores.get(number)
        if number in pool.repeats:
            original = pool.items[pool.repeats[number]].id
            yield ItemReport(id=item.id, outcome="dropped", reason="duplicate", duplicate_of=original)
        elif not pieces:
            yield ItemReport(
                id=item.id, outcome="dropped", score=score, reason="empty" if is_blank(item) else "no_room"
            )
        else:
            is_whole = sum(piece.end - piece.start for piece in pieces) == len(item.text)
            yield ItemReport(
                id=item.id,
                outcome="included" if is_whole else "truncated",
                score=score,
                tokens=sum(measure(pool.text(piece)) for piece in pieces),
                reason=None if is_whole else "no_room",
            )


def _scores(pool: Pool) -> dict[int, float]:
    """For each item the best of its passages' scores."""
    best: dict[int, float] = {}
    for piece, score in zip(pool.passages, pool.scores or (), strict=pool.scores is not None):
        best[piece.item] = max(score, best.get(piece.item, 0.0))
    return best
