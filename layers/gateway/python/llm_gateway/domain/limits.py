"""Limits that hold with any number of writers: GCRA, a leaky bucket that is one timestamp moved by conditional writes.

The timestamp ("theoretical arrival time", TAT) is when all that was taken so far has drained. With N a minute and a burst b, a
unit drains in T = 60 s/(N-b+1), and n units may be taken at `now` if TAT <= now + (b-n)*T; then TAT becomes max(now, TAT) + n*T.
Why never more than N pass in any 60 s: what passes from time s to time e moves TAT from at least s to at most e + b*T, so it is
at most (e-s)/T + b < (N-b+1) + b units. The rule takes n > b too, once the bucket has been empty for (n-b)*T: a call as large as
N passes after less than 60 s of silence. Times are whole nanoseconds: every sum is exact, a unit costs at most 1 ns too much.
The times are those that the callers' clocks show: what these differ by, a window may be shorter.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from llm_gateway.domain.writes import Above, Add, AtMost, Equal, Item, Put, Write, number
from llm_gateway.values import dataclass

NS_PER_S: Final = 1_000_000_000
WINDOW_NS: Final = 60 * NS_PER_S

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How full a bucket is: when it will have drained (`tat_ns`) and when it was last empty (`since_ns`), in ns since 1970."""

    tat_ns: int = 0
    since_ns: int = 0

    @classmethod
    def of(cls, item: Item, name: str) -> "Level":
        """The level of the bucket `name` that is kept in `item`; one that nobody has used yet is empty."""
        return cls(tat_ns=number(item, _tat(name)) or 0, since_ns=number(item, _since(name)) or 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """What was taken before its true amount was known, and the level right after."""

    amount: int
    level: Level


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Never more than `per_minute` units in any 60 s, at most `burst` of them at once."""

    per_minute: int
    burst: int

    @classmethod
    def of(cls, per_minute: int, *, burst: int | None = None) -> "Limit":
        """With the default burst, a fifth of `per_minute` and at least 1; a larger burst than `per_minute` means that."""
        return cls(per_minute=per_minute, burst=min(burst or max(1, per_minute // 5), per_minute))

    @property
    def interval_ns(self) -> int:
        """How long one unit drains: just over 60/(N-b+1) s, so that both ends of a window of 60 s may be counted in."""
        return WINDOW_NS // (self.per_minute - self.burst + 1) + 1

    def wait_ns(self, level: Level, *, now_ns: int, amount: int = 1) -> int:
        """How long until `amount` may be taken, if nobody else takes any; 0 means now. `amount` is at most `per_minute`."""
        return max(0, level.tat_ns - self._latest_ns(now_ns, amount))

    def take(self, name: str, level: Level, *, now_ns: int, amount: int = 1) -> Write:
        """The write that takes `amount` from the bucket `name`, for a bucket at `level` or on the same side of `now_ns`.

        A store has no max(): an empty bucket starts at `now_ns`, a filled one is added to. The conditions make sure that the
        right one of the two is done, and that the limit holds; writers that meet a filled bucket do not disturb each other.
        """
        latest_ns, cost_ns = self._latest_ns(now_ns, amount), amount * self.interval_ns
        if level.tat_ns <= now_ns:
            return Write(
                (AtMost(_tat(name), min(now_ns, latest_ns)),),
                (Put(_tat(name), now_ns + cost_ns), Put(_since(name), now_ns)),
            )
        return Write((Above(_tat(name), now_ns), AtMost(_tat(name), latest_ns)), (Add(_tat(name), cost_ns),))

    def settle(self, name: str, level: Level, *, reserved: Reservation, used: int, now_ns: int) -> Write:
        """The write that makes a reservation of what was really `used`, as if that had been taken at first.

        Only a bucket that has not been empty since the reservation gives back: in one that has, the reservation has drained
        by itself, and giving it back would let others take it twice. Where it is due to have drained by now, giving back
        would help nobody, so it is not tried. Nobody need settle: an orphan drains like everything else.
        """
        difference = Add(_tat(name), (used - reserved.amount) * self.interval_ns)
        if used > reserved.amount:
            return Write((), (difference,))
        since_ns = reserved.level.since_ns
        if used == reserved.amount or reserved.level.tat_ns <= now_ns or level.since_ns != since_ns:
            return Write()
        return Write((Equal(_since(name), since_ns),), (difference,))

    def remaining(self, level: Level, *, now_ns: int) -> int:
        """How much may be taken at once now."""
        return max(0, self.burst - -(-max(0, level.tat_ns - now_ns) // self.interval_ns))

    def reset_ns(self, level: Level, *, now_ns: int) -> int:
        """How long until the whole burst may be taken again."""
        return max(0, level.tat_ns - now_ns)

    def _latest_ns(self, now_ns: int, amount: int) -> int:
        return now_ns + (self.burst - amount) * self.interval_ns


def to_ns(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1000


def from_ns(moment_ns: int) -> datetime:
    """The first microsecond that is not before `moment_ns`."""
    return _EPOCH + timedelta(microseconds=_up_to_microseconds(moment_ns))


def in_seconds(duration_ns: int) -> float:
    """Rounded up to whole microseconds, so that a caller that waits so long has waited long enough."""
    return _up_to_microseconds(duration_ns) / 1_000_000


def duration_ns(duration_s: float) -> int:
    return round(duration_s * NS_PER_S)


def _up_to_microseconds(ns: int) -> int:
    return -(-ns // 1000)


def _tat(name: str) -> str:
    return f"{name}_tat"


def _since(name: str) -> str:
    return f"{name}_since"
