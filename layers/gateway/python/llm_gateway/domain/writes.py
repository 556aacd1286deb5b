"""A conditional write to one item, as data: what must hold and what then changes, so that a pure rule decides what a store does.

Every rule that many processes share (limits, circuits) is written as such a write, and every store carries it out in one step.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import cast

from llm_gateway.values import dataclass

Value = int | Decimal | str | Mapping[str, int] | Mapping[str, Decimal]
Item = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Absent:
    path: str


@dataclass(frozen=True, slots=True)
class Equal:
    path: str
    value: int | str


@dataclass(frozen=True, slots=True)
class AtMost:
    """Holds for an absent number too."""

    path: str
    value: int | Decimal


@dataclass(frozen=True, slots=True)
class Above:
    """Does not hold for an absent number."""

    path: str
    value: int


@dataclass(frozen=True, slots=True)
class Contains:
    """The map has an entry of that name."""

    path: str
    entry: str


@dataclass(frozen=True, slots=True)
class Lacks:
    """The map is there and has no entry of that name."""

    path: str
    entry: str


@dataclass(frozen=True, slots=True)
class EntryEqual:
    path: str
    entry: str
    value: int | Decimal


@dataclass(frozen=True, slots=True)
class SmallerThan:
    """The map is there and has fewer entries."""

    path: str
    entries: int


@dataclass(frozen=True, slots=True)
class Put:
    path: str
    value: Value


@dataclass(frozen=True, slots=True)
class Add:
    """Adds to a number; an absent one counts as zero. Additions by several writers commute: none has to be repeated."""

    path: str
    value: int | Decimal


@dataclass(frozen=True, slots=True)
class Remove:
    path: str


@dataclass(frozen=True, slots=True)
class PutEntry:
    path: str
    entry: str
    value: int | Decimal


@dataclass(frozen=True, slots=True)
class RemoveEntry:
    """Removes an entry of a map that is there; the entry itself may be gone already."""

    path: str
    entry: str


Condition = Absent | Equal | AtMost | Above | Contains | Lacks | EntryEqual | SmallerThan
Change = Put | Add | Remove | PutEntry | RemoveEntry


@dataclass(frozen=True, slots=True)
class Write:
    """All `changes` at once if all `conditions` hold, else nothing. No path or entry is changed twice."""

    conditions: tuple[Condition, ...] = ()
    changes: tuple[Change, ...] = ()

    def __add__(self, other: "Write") -> "Write":
        return Write(self.conditions + other.conditions, self.changes + other.changes)


def number(item: Item, path: str) -> int | None:
    """The whole number at `path`, or None where there is none."""
    value = item.get(path)
    return value if isinstance(value, int) else None


def text(item: Item, path: str) -> str | None:
    value = item.get(path)
    return value if isinstance(value, str) else None


def amount(item: Item, path: str) -> Decimal:
    """The number at `path`, whole or not; zero where there is none."""
    value = item.get(path)
    return Decimal(value) if isinstance(value, int | Decimal) else Decimal(0)


def entries(item: Item, path: str) -> Mapping[str, int] | None:
    """The map of whole numbers at `path`, or None where there is none."""
    value = item.get(path)
    return cast("Mapping[str, int]", value) if isinstance(value, Mapping) else None


def amounts(item: Item, path: str) -> Mapping[str, Decimal] | None:
    """The map of numbers at `path`, or None where there is none."""
    value = item.get(path)
    return {name: Decimal(entry) for name, entry in value.items()} if isinstance(value, Mapping) else None
