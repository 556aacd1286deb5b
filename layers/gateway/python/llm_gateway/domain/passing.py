"""Passing a limit of requests and of tokens: one rule for what comes to a provider and for what a key asks.

Says for an item as it was last seen whether so much may pass, and which conditional write takes it.
"""

from collections.abc import Sequence
from enum import StrEnum

from llm_gateway.domain.limits import Level
from llm_gateway.domain.shards import Share
from llm_gateway.domain.writes import Item, Write
from llm_gateway.values import dataclass


class Reason(StrEnum):
    """Why something may not pass."""

    CIRCUIT = "circuit"
    HOLD = "hold"
    REQUESTS = "requests"
    TOKENS = "tokens"
    PLACES = "places"
    BUDGET = "budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """`lasts` where nothing can end it before `wait_ns` has passed, so that it need not be asked for again until then."""

    reason: Reason
    wait_ns: int
    lasts: bool = False


def longest(refusals: Sequence[Refusal]) -> Refusal | None:
    """The refusal after which the others are over too, or None where there is nothing to wait for."""
    last = max(refusals, key=lambda refusal: refusal.wait_ns, default=None)
    return last if last and last.wait_ns > 0 else None


def waits(share: Share, item: Item, *, tokens: int, now_ns: int) -> list[Refusal]:
    """How long a request for so many `tokens` would have to wait for either limit, 0 where it need not."""
    found: list[Refusal] = []
    if share.requests:
        wait_ns = share.requests.wait_ns(Level.of(item, "requests"), now_ns=now_ns)
        found.append(Refusal(reason=Reason.REQUESTS, wait_ns=wait_ns))
    if share.tokens:
        wait_ns = share.tokens.wait_ns(Level.of(item, "tokens"), now_ns=now_ns, amount=tokens)
        found.append(Refusal(reason=Reason.TOKENS, wait_ns=wait_ns))
    return found


def taking(share: Share, item: Item, *, tokens: int, now_ns: int) -> Write:
    """The write that takes a request and its `tokens` from both limits."""
    write = Write()
    if share.requests:
        write += share.requests.take("requests", Level.of(item, "requests"), now_ns=now_ns)
    if share.tokens:
        write += share.tokens.take("tokens", Level.of(item, "tokens"), now_ns=now_ns, amount=tokens)
    return write
