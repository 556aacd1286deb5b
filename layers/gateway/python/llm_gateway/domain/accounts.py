"""A key's account: its limits of requests and tokens and its budget, kept in one item, taken for a query in one write.

Nothing here waits or stores, as with providers' gates: these rules say, for an item as it was last seen, which conditional write
takes what a query needs, settles it, or gives it back. A key with high limits and no budget has several items, each with its
share.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from llm_gateway.domain import budgets
from llm_gateway.domain.budgets import Hold
from llm_gateway.domain.keys import Budget, KeyLimits
from llm_gateway.domain.limits import NS_PER_S, Level, Limit, Reservation, in_seconds
from llm_gateway.domain.money import usd as written
from llm_gateway.domain.passing import Reason, Refusal, longest, taking, waits
from llm_gateway.domain.periods import period_at
from llm_gateway.domain.shards import MOST_SHARDS, Share, shares_of
from llm_gateway.domain.writes import Item, Put, Write
from llm_gateway.errors import BudgetExceeded, RateLimited, TooManyRequests, ValidationFailed
from llm_gateway.values import dataclass

KEPT_S: Final = 70 * 86_400
"""Longer than any budget's period: a key may rest from a month's first day to its last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What is kept for a key."""

    key_id: str
    limits: KeyLimits
    budget: Budget | None

    @property
    def keeps_nothing(self) -> bool:
        limits = self.limits
        return limits.requests_per_minute is None and limits.tokens_per_minute is None and self.budget is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One item of an account, and what it allows."""

    scope: str
    share: Share
    budget: Budget | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a query takes: a request, so many tokens, and US dollars at most. It is over by `until_ns` whatever happens."""

    query_id: str
    tokens: int
    usd: Decimal
    now_ns: int
    until_ns: int

    @property
    def entry(self) -> str:
        return budgets.entry_of(self.query_id, until_ns=self.until_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a query has taken, and how full the buckets were right after: enough for any process to settle it."""

    key_id: str
    scope: str
    share: Share
    budget: Budget | None
    tokens: int
    requests_level: Level
    tokens_level: Level
    hold: Hold | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a query really used. One that was `refused` after it had taken counts as no request."""

    tokens: int
    usd: Decimal
    refused: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is left of a limit in a minute: how many may come at once now, and how long until the whole burst may."""

    limit: int
    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a key's limits of requests and of tokens leave; None for one that it has not."""

    requests: Left | None
    tokens: Left | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What became of an attempt to take: it is `taken`, or there is a `refusal`. `room` is of a key with limits."""

    taken: Taken | None = None
    refusal: TooManyRequests | None = None
    room: Room | None = None


def places_of(account: Account) -> tuple[Place, ...]:
    """The items of an account. Changed limits may change their number; they then start out empty.

    A budget is kept in one place, and the limits beside it: so that a query takes all of it in one write.
    """
    shares = shares_of(account.limits, most=1 if account.budget else MOST_SHARDS)
    return tuple(
        Place(scope=scope_of(account.key_id, shard), share=share, budget=account.budget)
        for shard, share in enumerate(shares)
    )


def scope_of(key_id: str, shard: int = 0) -> str:
    """The item's key. A budget is in the first."""
    return f"account#{key_id}#{shard}"


def unseen(account: Account, *, now_ns: int) -> Item:
    return {} if account.budget is None else budgets.unseen(account.budget, now_ns=now_ns)


def check_size(account: Account, *, tokens: int) -> None:
    """Raises `ValidationFailed` for a query that needs more tokens than may ever pass."""
    most = account.limits.tokens_per_minute
    if most is not None and tokens > most:
        raise ValidationFailed.of(
            "messages",
            f"take up to {tokens} tokens with their answer, and the key allows {most} in a minute:"
            " shorten them, or set a smaller parameters.max_output_tokens",
        )


def plan(place: Place, item: Item, need: Need) -> Write | Refusal:
    """The write that takes what a query needs, or why that may not be."""
    found = waits(place.share, item, tokens=need.tokens, now_ns=need.now_ns)
    reserved: Write | Refusal = Write()
    if place.budget and need.usd:
        reserved = budgets.reserving(place.budget, item, entry=need.entry, usd=need.usd, now_ns=need.now_ns)
    if isinstance(reserved, Refusal):
        return longest([*found, reserved]) or reserved
    refusal = longest(found)
    if refusal:
        return refusal
    return taking(place.share, item, tokens=need.tokens, now_ns=need.now_ns) + reserved + _kept(need.now_ns)


def has_taken(item: Item, need: Need) -> bool:
    """Whether the item holds the query's reservation already: the write went through, and only its answer was lost."""
    return budgets.hold_in(item, entry=need.entry) is not None


def taken_from(account: Account, place: Place, item: Item, need: Need) -> Taken:
    """What a query has taken that left the item like this."""
    return Taken(
        key_id=account.key_id,
        scope=place.scope,
        share=place.share,
        budget=place.budget,
        tokens=need.tokens,
        requests_level=Level.of(item, "requests"),
        tokens_level=Level.of(item, "tokens"),
        hold=budgets.hold_in(item, entry=need.entry),
    )


def guess(taken: Taken) -> Item:
    """What an item is taken for by a process that never saw it, and settles what another took from it."""
    kept: dict[str, int | str | dict[str, Decimal]] = {
        "requests_tat": taken.requests_level.tat_ns,
        "requests_since": taken.requests_level.since_ns,
        "tokens_tat": taken.tokens_level.tat_ns,
        "tokens_since": taken.tokens_level.since_ns,
    }
    if taken.hold:
        kept |= {"period": taken.hold.period, "held": {taken.hold.entry: taken.hold.amount}}
    return kept


def settlement(taken: Taken, use: Use, item: Item, *, now_ns: int) -> Write:
    """The write that puts what was used in the place of what was taken."""
    share, write = taken.share, Write()
    if share.tokens:
        reserved = Reservation(amount=taken.tokens, level=taken.tokens_level)
        level = Level.of(item, "tokens")
        write += share.tokens.settle("tokens", level, reserved=reserved, used=use.tokens, now_ns=now_ns)
    if share.requests and use.refused:
        reserved = Reservation(amount=1, level=taken.requests_level)
        level = Level.of(item, "requests")
        write += share.requests.settle("requests", level, reserved=reserved, used=0, now_ns=now_ns)
    if taken.hold:
        write += budgets.settling(item, taken.hold, usd=use.usd)
    elif taken.budget:
        period = period_at(taken.budget.period, now_ns)
        write += budgets.spending(item, period=period, usd=use.usd)
    return write + _kept(now_ns) if write.changes else Write()


def used_meanwhile(taken: Taken, use: Use, item: Item, *, now_ns: int) -> Write:
    """The write that notes what a query has used so far whose end is still to come, beside what it has taken."""
    write = Write()
    if taken.share.tokens and use.tokens:
        nothing = Reservation(amount=0, level=taken.tokens_level)
        level = Level.of(item, "tokens")
        write += taken.share.tokens.settle("tokens", level, reserved=nothing, used=use.tokens, now_ns=now_ns)
    if taken.budget:
        period = taken.hold.period if taken.hold else period_at(taken.budget.period, now_ns)
        write += budgets.spending(item, period=period, usd=use.usd)
    return write


def room_of(account: Account, places: Sequence[Place], items: Mapping[str, Item], *, now_ns: int) -> Room | None:
    """What the items tell of the limits; None for a key without any."""
    limits = account.limits
    if limits.requests_per_minute is None and limits.tokens_per_minute is None:
        return None

    def left(of_minute: int | None, shares: Sequence[Limit | None], name: str) -> Left | None:
        if of_minute is None:
            return None
        known = [(share, Level.of(items[place.scope], name)) for place, share in zip(places, shares, strict=True)]
        return Left(
            limit=of_minute,
            remaining=sum(limit.remaining(level, now_ns=now_ns) for limit, level in known if limit),
            reset_s=in_seconds(max(limit.reset_ns(level, now_ns=now_ns) for limit, level in known if limit)),
        )

    return Room(
        requests=left(limits.requests_per_minute, [place.share.requests for place in places], "requests"),
        tokens=left(limits.tokens_per_minute, [place.share.tokens for place in places], "tokens"),
    )


def error_of(account: Account, refusal: Refusal, need: Need) -> TooManyRequests:
    """What a caller is told, with the time after which it will pass unless others were quicker."""
    wait_s, limits = in_seconds(refusal.wait_ns), account.limits
    match refusal.reason:
        case Reason.BUDGET if account.budget:
            return over_budget(account.budget, refusal, usd=need.usd)
        case Reason.TOKENS:
            detail = (
                f"The key allows {limits.tokens_per_minute} tokens in a minute, and the query may take {need.tokens}."
            )
            return RateLimited(detail, retry_after_s=wait_s)
        case _:
            return RateLimited(_told_of_requests(limits), retry_after_s=wait_s)


def _told_of_requests(limits: KeyLimits) -> str:
    most = Limit.of(limits.requests_per_minute or 1, burst=limits.burst)
    at_once = "" if most.burst == most.per_minute else f", at most {most.burst} at once"
    return f"The key allows {most.per_minute} requests in a minute{at_once}."


def over_budget(budget: Budget, refusal: Refusal, *, usd: Decimal) -> BudgetExceeded:
    """What a caller is told of a query that may cost `usd`."""
    costs, whole = f"The query may cost up to ${written(usd)}", f"${written(budget.amount)} a {budget.period}"
    detail = f"{costs}, and that is more than is left of the key's budget of {whole}."
    if usd > budget.amount:
        detail = f"{costs}, more than the key's whole budget of {whole}: a smaller max_output_tokens lowers that."
    return BudgetExceeded(detail, retry_after_s=in_seconds(refusal.wait_ns))


def _kept(now_ns: int) -> Write:
    return Write((), (Put("expires_at", now_ns // NS_PER_S + KEPT_S),))
