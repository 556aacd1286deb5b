"""Selection: which passages are sent where not all of them fit, by the strategy that the query asks for."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import field
from functools import cached_property
from typing import Final, assert_never

from llm_gateway.domain.context.cutting import Measure, Pieces, head, tail
from llm_gateway.domain.context.layout import GAP, Block, Piece, block_of, closing, opening, preamble, tag_of
from llm_gateway.domain.context.pool import Pool
from llm_gateway.domain.query_context import ContextItem, Strategy
from llm_gateway.values import dataclass

SPARE_PARTS: Final = 20
"""One part in so many of a budget may stay unused for a better border."""

_MOST_ROUNDS: Final = 8
# After so many in a row that there is no room for, hardly any will find some.
_MOST_FAILURES: Final = 8


class PinnedTooLong(Exception):
    """The pinned items alone take `tokens`, more than there is room for."""

    def __init__(self, tokens: int) -> None:
        super().__init__(tokens)
        self.tokens = tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The pieces that are sent, the block that they make, and its tokens."""

    pieces: tuple[Piece, ...]
    block: Block
    tokens: int


@dataclass(frozen=True)
class Selector:
    """Chooses from a pool, by `measure` in tokens, with cuts at the borders that `pieces` finds."""

    pool: Pool
    strategy: Strategy
    measure: Measure
    pieces: Pieces

    def select(self, budget: int | None) -> Selection:
        """The pieces whose block takes at most `budget` tokens. Raises `PinnedTooLong`."""
        everything = self._made(self.pool.passages) if budget is None or self._may_fit(budget) else None
        if everything is not None and (budget is None or everything.tokens <= budget):
            return everything
        assert budget is not None  # noqa: S101
        best = self._made(self._pinned)
        if best.tokens > budget:
            raise PinnedTooLong(best.tokens)
        # A block takes a few tokens more, or fewer, than its parts: what was kept for them too much is given out too. A better
        # border for the last cut is looked for at first, and given up where it costs too much.
        spare, allowance, too_much = budget // SPARE_PARTS, budget, 2 * budget
        for turn in range(_MOST_ROUNDS):
            found = self._made(self._chosen(allowance, spare=0 if turn else spare))
            if best.tokens < found.tokens <= budget:
                best = found
            if budget - best.tokens <= spare:
                break
            if found.tokens > budget:
                too_much = allowance
            if turn or found.tokens > budget:
                allowance = min(allowance + budget - found.tokens, (allowance + too_much) // 2)
        return best

    @cached_property
    def tag(self) -> str:
        return tag_of(self.pool.items)

    def marks(self, item: int) -> int:
        """The tokens of an item's own marks."""
        if item not in self._marks:
            self._marks[item] = self.measure(opening(self.pool.items[item], self.tag)) + self._closing
        return self._marks[item]

    @cached_property
    def gap(self) -> int:
        return self.measure(f"\n{GAP}\n")

    @cached_property
    def _closing(self) -> int:
        return self.measure(closing(self.tag))

    @cached_property
    def _marks(self) -> dict[int, int]:
        return {}

    @cached_property
    def _pinned(self) -> Sequence[Piece]:
        return [piece for piece in self.pool.passages if self.pool.items[piece.item].pinned]

    def _may_fit(self, budget: int) -> bool:
        """Whether it is worth counting everything: real text has more tokens than one for twelve characters."""
        return sum(piece.end - piece.start for piece in self.pool.passages) // 12 <= budget

    def _made(self, pieces: Sequence[Piece]) -> Selection:
        block = block_of(self.pool.items, pieces, self.tag)
        return Selection(pieces=tuple(pieces), block=block, tokens=self.measure(block.text) if pieces else 0)

    def _chosen(self, room: int, *, spare: int) -> Sequence[Piece]:
        filling = _Filling(selector=self, room=room - self.measure(preamble(self.tag)), spare=spare)
        for piece in self._pinned:
            filling.take(piece)
        others = [piece for piece in self.pool.passages if not self.pool.items[piece.item].pinned]
        match self.strategy:
            case "relevance":
                filling.fill(self._by_score(others), cut=filling.head)
            case "recent":
                filling.fill_whole(others)
            case "head":
                filling.fill(others, cut=filling.head, stops=True)
            case "tail":
                filling.fill(reversed(others), cut=filling.tail, stops=True)
            case "middle_out":
                filling.fill_both_ends(others)
            case _:
                assert_never(self.strategy)
        return filling.taken

    def _by_score(self, pieces: Sequence[Piece]) -> Iterable[Piece]:
        scores = dict(zip(self.pool.passages, self.pool.scores or [0.0] * len(self.pool.passages), strict=True))
        return sorted(pieces, key=lambda piece: -scores[piece])


@dataclass(slots=True, kw_only=True)
class _Filling:
    """Takes pieces as long as there is `room`, of which a part of `spare` need not be used."""

    selector: Selector
    room: int
    spare: int
    taken: list[Piece] = field(default_factory=list)
    opened: set[int] = field(default_factory=set)
    starts: set[tuple[int, int]] = field(default_factory=set)
    ends: set[tuple[int, int]] = field(default_factory=set)

    def take(self, piece: Piece) -> None:
        self.room -= self._frame(piece) + self._size(piece)
        self.opened.add(piece.item)
        self.starts.add((piece.item, piece.start))
        self.ends.add((piece.item, piece.end))
        self.taken.append(piece)

    def fill(self, pieces: Iterable[Piece], *, cut: "Callable[[Piece], Piece | None]", stops: bool = False) -> None:
        """Takes pieces in their order; of one that does not fit, what `cut` leaves. One that `stops` ends there."""
        failures = 0
        for piece in pieces:
            frame = self._frame(piece)
            if self.room <= 0 or failures >= _MOST_FAILURES or (stops and self.room <= frame):
                return
            if self.room <= frame:
                continue
            if frame + self._size(piece) <= self.room:
                self.take(piece)
                continue
            part = cut(piece)
            if part is None:
                failures += 1
            else:
                self.take(part)
            if stops or self.room <= self.spare:
                return

    def fill_whole(self, pieces: Sequence[Piece]) -> None:
        """Takes items from the last one on, those that fit whole."""
        by_item: dict[int, list[Piece]] = defaultdict(list)
        for piece in pieces:
            by_item[piece.item].append(piece)
        for parts in reversed(by_item.values()):
            if self._fits(parts):
                for piece in parts:
                    self.take(piece)

    def fill_both_ends(self, pieces: Sequence[Piece]) -> None:
        """Takes from the beginning until half of the room is used, then from the end."""
        kept = self.room // 2
        self.room -= kept
        self.fill(pieces, cut=self.head, stops=True)
        self.room += kept
        if not self.taken:
            # Half of the room is not even enough for an item's marks.
            self.fill(pieces, cut=self.head, stops=True)
        self.fill(reversed(list(self._rest(pieces))), cut=self.tail, stops=True)

    def head(self, piece: Piece) -> Piece | None:
        text = self.selector.pool.text(piece)
        kept = len(
            head(text, self.room - self._frame(piece), self.selector.measure, self.selector.pieces, spare=self.spare)
        )
        return Piece(item=piece.item, start=piece.start, end=piece.start + kept) if kept else None

    def tail(self, piece: Piece) -> Piece | None:
        text = self.selector.pool.text(piece)
        kept = len(
            tail(text, self.room - self._frame(piece), self.selector.measure, self.selector.pieces, spare=self.spare)
        )
        return Piece(item=piece.item, start=piece.end - kept, end=piece.end) if kept else None

    def _rest(self, pieces: Sequence[Piece]) -> Iterator[Piece]:
        """What was not taken, of a piece that was cut its other end."""
        ends = {(piece.item, piece.start): piece.end for piece in self.taken}
        for piece in pieces:
            start = ends.get((piece.item, piece.start), piece.start)
            if start < piece.end:
                yield Piece(item=piece.item, start=start, end=piece.end)

    def _fits(self, parts: Sequence[Piece]) -> bool:
        left = self.room - self._frame(parts[0])
        for piece in parts:
            left -= self._size(piece)
            if left < 0:
                return False
        return True

    def _size(self, piece: Piece) -> int:
        return self.selector.measure(self.selector.pool.text(piece))

    def _frame(self, piece: Piece) -> int:
        """What stands around it: marks of what is left out, and the item's own marks where it is its first piece."""
        item = self.selector.pool.items[piece.item]
        gaps = self._change_in_gaps(piece, item) * self.selector.gap
        return gaps if piece.item in self.opened else gaps + self.selector.marks(piece.item)

    def _change_in_gaps(self, piece: Piece, item: ContextItem) -> int:
        """How many marks of what is left out come with it; it takes away those of neighbours that it joins."""
        before = 0 if piece.start == 0 else -1 if (piece.item, piece.start) in self.ends else 1
        after = 0 if piece.end == len(item.text) else -1 if (piece.item, piece.end) in self.starts else 1
        return before + after
