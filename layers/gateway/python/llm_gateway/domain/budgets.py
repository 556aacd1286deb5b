"""Budgets that hold with any number of writers: what was spent and what is reserved, in one item, moved by conditional writes.

A query reserves what it may cost at most, and at its end its cost takes the reservation's place. `committed` is all that was
spent and all that is reserved: a reservation passes while `committed` stays within the budget. Writers add to it, and so do not
disturb each other; the conditions fail only where the budget is used up, or where a period has begun since the item was seen.

A reservation is an entry of a map, named by its end and its query. One whose end is over was left by a process that died: the
next that reserves takes it away. A period begins with the write that starts the item anew; what is settled later for the one
before changes nothing, because its sums are gone. Amounts are exact US dollars, kept to 24 decimals.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from llm_gateway.domain.keys import Budget, BudgetState
from llm_gateway.domain.limits import NS_PER_S, to_ns
from llm_gateway.domain.money import EXACT, total
from llm_gateway.domain.passing import Reason, Refusal
from llm_gateway.domain.periods import begins, end_of, is_alike, period_at
from llm_gateway.domain.writes import (
    Absent,
    Add,
    AtMost,
    EntryEqual,
    Equal,
    Item,
    Lacks,
    Put,
    PutEntry,
    RemoveEntry,
    SmallerThan,
    Write,
    amount,
    amounts,
    number,
    text,
)
from llm_gateway.values import dataclass

MOST_HELD: Final = 4_000
"""Open reservations of a key: each takes 30 bytes of the item, and an item has 400 KB."""
MOST_SWEPT: Final = 10
MOST_USD: Final = Decimal(10) ** 12

_FINEST: Final = Decimal("1e-24")  # DynamoDB keeps 38 digits, and 14 of them are before the point at most.
_ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What a query has reserved: its entry of the map, its amount, and the period that it counts in."""

    entry: str
    amount: Decimal
    period: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A budget as an item keeps it. `told` is the highest percentage that was told of."""

    period: str | None
    spent: Decimal
    committed: Decimal
    held: Mapping[str, Decimal]
    told: int

    @classmethod
    def of(cls, item: Item) -> "Standing":
        return cls(
            period=text(item, "period"),
            spent=amount(item, "spent"),
            committed=amount(item, "committed"),
            held=amounts(item, "held") or {},
            told=number(item, "told") or 0,
        )

    def is_over(self, period: str) -> bool:
        """Whether `period` is still to begin here."""
        return self.period is None or begins(period, after=self.period)

    def expired(self, now_ns: int) -> dict[str, Decimal]:
        return {entry: usd for entry, usd in self.held.items() if until_ns(entry) <= now_ns}


def unseen(budget: Budget, *, now_ns: int) -> Item:
    """What an item is taken for until it has been seen: one that is there and has room."""
    return {"period": period_at(budget.period, now_ns), "held": dict[str, Decimal]()}


def entry_of(query_id: str, *, until_ns: int) -> str:
    """The name of a query's reservation that ends then, at a whole second."""
    return f"{-(-until_ns // NS_PER_S)}-{query_id}"


def reserving(budget: Budget, item: Item, *, entry: str, usd: Decimal, now_ns: int) -> Write | Refusal:
    """The write that reserves `usd`, or why that may not be."""
    standing, period = Standing.of(item), period_at(budget.period, now_ns)
    if usd > budget.amount:
        return _refusal(period, now_ns)
    if standing.is_over(period):
        before = Absent("period") if standing.period is None else Equal("period", standing.period)
        return Write((before,), _beginning(period, held={entry: usd}, spent=_ZERO))
    orphans = dict(list(standing.expired(now_ns).items())[:MOST_SWEPT])
    added = EXACT.subtract(usd, total(orphans.values()))
    room = EXACT.subtract(budget.amount, added)
    if standing.committed > room or len(standing.held) - len(orphans) >= MOST_HELD:
        return _refusal_until_room(standing, room=room, now_ns=now_ns)
    return Write(
        (
            Equal("period", standing.period or period),
            AtMost("committed", room),
            SmallerThan("held", MOST_HELD + len(orphans)),
            Lacks("held", entry),
            *(EntryEqual("held", orphan, left) for orphan, left in orphans.items()),
        ),
        (
            Add("committed", added),
            PutEntry("held", entry, usd),
            *(RemoveEntry("held", orphan) for orphan in orphans),
        ),
    )


def hold_in(item: Item, *, entry: str) -> Hold | None:
    """The reservation of that name, where the item has it."""
    standing = Standing.of(item)
    held = standing.held.get(entry)
    return None if held is None or standing.period is None else Hold(entry=entry, amount=held, period=standing.period)


def extending(budget: Budget, item: Item, hold: Hold, *, by: Decimal, now_ns: int) -> Write | Refusal:
    """The write that adds `by` to a reservation, or why that may not be.

    One that is gone is reserved again; one of an earlier period is left as it is.
    """
    standing = Standing.of(item)
    if standing.period != hold.period:
        return Write()
    held = standing.held.get(hold.entry)
    if held is None:
        return reserving(budget, item, entry=hold.entry, usd=EXACT.add(hold.amount, by), now_ns=now_ns)
    room = EXACT.subtract(budget.amount, by)
    if standing.committed > room:
        return _refusal_until_room(standing, room=room, now_ns=now_ns)
    return Write(
        (Equal("period", hold.period), AtMost("committed", room), EntryEqual("held", hold.entry, held)),
        (Add("committed", by), PutEntry("held", hold.entry, EXACT.add(held, by))),
    )


def settling(item: Item, hold: Hold, *, usd: Decimal) -> Write:
    """The write that puts a query's cost in the place of its reservation; where that has expired, it adds the cost."""
    standing = Standing.of(item)
    held = standing.held.get(hold.entry)
    if standing.period != hold.period or held is None:
        return spending(item, period=hold.period, usd=usd)
    return Write(
        (Equal("period", hold.period), EntryEqual("held", hold.entry, held)),
        (Add("committed", EXACT.subtract(usd, held)), Add("spent", usd), RemoveEntry("held", hold.entry)),
    )


def spending(item: Item, *, period: str, usd: Decimal) -> Write:
    """The write that adds to what was spent in `period`; nothing where that is over, or where there is nothing to add.

    Nothing too where the item keeps periods of another kind: only a query that reserves tells which kind holds now, and one that
    began before the kind was changed must not wipe what was spent since.
    """
    standing = Standing.of(item)
    if not usd:
        return Write()
    if standing.period == period:
        return Write((Equal("period", period),), (Add("committed", usd), Add("spent", usd)))
    if not standing.is_over(period) or not is_alike(period, standing.period or period):
        return Write()
    before = Absent("period") if standing.period is None else Equal("period", standing.period)
    return Write((before,), _beginning(period, held={}, spent=usd))


def is_used_up(budget: Budget, item: Item, *, usd: Decimal) -> bool:
    """Whether what was spent leaves no room for `usd`, whatever becomes of the reservations."""
    return EXACT.add(Standing.of(item).spent, usd) > budget.amount


def state_of(budget: Budget, item: Item, *, now_ns: int) -> BudgetState:
    """Where the budget stands. What was left by processes that died does not count."""
    standing, period = Standing.of(item), period_at(budget.period, now_ns)
    if standing.is_over(period):
        standing = Standing.of({"period": period})
    expired = standing.expired(now_ns)
    reserved = total(usd for entry, usd in standing.held.items() if entry not in expired)
    left = EXACT.subtract(budget.amount, EXACT.add(standing.spent, reserved))
    return BudgetState(
        spent_usd=standing.spent,
        reserved_usd=reserved,
        remaining_usd=max(_ZERO, left),
        resets_at=end_of(standing.period or period),
    )


def bounded(usd: Decimal) -> Decimal:
    """An amount as it is kept: never less than nothing, and with no more digits than a store has."""
    kept = min(max(usd, _ZERO), MOST_USD)
    exponent = kept.as_tuple().exponent
    fine = isinstance(exponent, int) and exponent >= -24
    return kept if fine else kept.quantize(_FINEST, ROUND_HALF_EVEN, EXACT)


def _beginning(period: str, *, held: Mapping[str, Decimal], spent: Decimal) -> tuple[Put, ...]:
    return (
        Put("period", period),
        Put("spent", spent),
        Put("committed", EXACT.add(spent, total(held.values()))),
        Put("held", held),
        Put("told", 0),
    )


def _refusal_until_room(standing: Standing, *, room: Decimal, now_ns: int) -> Refusal:
    """Until so many reservations have ended, if nothing else is spent, that there is room; else until the period has."""
    committed, open_ones = standing.committed, len(standing.held)
    for entry in sorted(standing.held, key=until_ns):
        committed, open_ones = EXACT.subtract(committed, standing.held[entry]), open_ones - 1
        if committed <= room and open_ones < MOST_HELD:
            ends_ns = min(until_ns(entry), to_ns(end_of(standing.period or "")))
            return Refusal(reason=Reason.BUDGET, wait_ns=max(ends_ns - now_ns, NS_PER_S))
    return _refusal(standing.period or "", now_ns)


def _refusal(period: str, now_ns: int) -> Refusal:
    return Refusal(reason=Reason.BUDGET, wait_ns=max(to_ns(end_of(period)) - now_ns, NS_PER_S))


def until_ns(entry: str) -> int:
    return int(entry.partition("-")[0]) * NS_PER_S
