"""Rows of a table: figures measured side by side, and their aims."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

_WIDTH: Final = 66
_MET: Final = {None: "", True: "   met", False: "   not met"}
_HEAD: Final = ("direct", "floor", "gateway", "of the floor", "wanted", "LiteLLM, of its floor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A bound on the gateway's figure, or on its ratio to the floor's."""

    sign: Literal["≤", "≥"]
    bound: float
    of_floor: bool = True

    def __str__(self) -> str:
        return f"{self.sign} {self.bound:g}{' x' if self.of_floor else ''}"

    def holds(self, figure: float) -> bool:
        return figure <= self.bound if self.sign == "≤" else figure >= self.bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of each server; None where it has none."""

    name: str
    gateway: float
    floor: float | None = None
    direct: float | None = None
    wanted: Wanted | None = None
    litellm: float | None = None
    """LiteLLM's ratio to the floor of the day on which it was measured."""
    digits: int = 1

    @property
    def ratio(self) -> float | None:
        return self.gateway / self.floor if self.floor else None

    @property
    def is_met(self) -> bool | None:
        """Whether it is as is wanted; None where nothing is."""
        if self.wanted is None:
            return None
        figure = self.ratio if self.wanted.of_floor else self.gateway
        return None if figure is None else self.wanted.holds(figure)

    def cells(self) -> tuple[str, ...]:
        """Its figures as texts, in the order of the head."""
        figures = (_text(figure, self.digits) for figure in (self.direct, self.floor, self.gateway))
        ratios = (_text(self.ratio, 2, " x"), str(self.wanted or ""), _text(self.litellm, 2, " x"))
        return *figures, *ratios


def lines(rows: Sequence[Row]) -> Iterator[str]:
    """For a terminal. A column is there where a row has something in it."""
    head, cells = _columns(rows)
    widths = [max(9, *map(len, column)) + 2 for column in zip(head, *cells, strict=True)]
    for name, texts, met in zip(
        ("", *(row.name for row in rows)), (head, *cells), (None, *(row.is_met for row in rows)), strict=True
    ):
        aligned = "".join(f"{text:>{width}}" for text, width in zip(texts, widths, strict=True))
        yield f"{name:<{_WIDTH}}{aligned}{_MET[met]}"


def markdown(rows: Sequence[Row]) -> Iterator[str]:
    """For a page."""
    head, cells = _columns(rows)
    yield f"| | {' | '.join(head)} |"
    yield "|---" * (len(head) + 1) + "|"
    for row, texts in zip(rows, cells, strict=True):
        yield f"| {row.name} | {' | '.join(texts)} |"


def _columns(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    cells = [row.cells() for row in rows]
    used = [number for number in range(len(_HEAD)) if any(texts[number] for texts in cells)]
    return tuple(_HEAD[number] for number in used), [tuple(texts[number] for number in used) for texts in cells]


def _text(figure: float | None, digits: int, unit: str = "") -> str:
    return "" if figure is None else f"{figure:,.{digits}f}{unit}"
