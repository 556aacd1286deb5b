"""Waiting for a query's end (long polls, resumed streams): a key does so at most ten times at once."""

from typing import Final

from llm_gateway.domain.concurrency import joining, leases_of, room_in_ns
from llm_gateway.domain.limits import NS_PER_S, duration_ns, in_seconds
from llm_gateway.domain.writes import Item, Put, Write
from llm_gateway.errors import RateLimited

MOST_WAITS: Final = 10
UNSEEN: Final[Item] = {"leases": {}}
"""What an item is taken for until it has been seen: one that is there and has room."""
_GRACE_S: Final = 10
"""What comes around a wait: reading the query, and answering it."""
_KEPT_S: Final = 3600
"""Longer than any wait: an item that nobody has entered for so long is empty."""


def scope_of(key_id: str) -> str:
    return f"waits#{key_id}"


def entering(item: Item, wait_id: str, *, lasting_s: float, now_ns: int) -> Write | RateLimited:
    """The write that notes one more wait, or what the caller is told of a key that waits as often as it may."""
    wait_ns = room_in_ns(item, most=MOST_WAITS, now_ns=now_ns)
    if wait_ns is not None:
        detail = f"The key waits for {MOST_WAITS} queries at once, as many as it may: ask without wait_s, or later."
        return RateLimited(detail, retry_after_s=in_seconds(wait_ns))
    until_ns = now_ns + duration_ns(lasting_s + _GRACE_S)
    kept = Write((), (Put("expires_at", now_ns // NS_PER_S + _KEPT_S),))
    return joining(item, wait_id, until_ns=until_ns, most=MOST_WAITS, now_ns=now_ns) + kept


def has_entered(item: Item, wait_id: str) -> bool:
    """Whether the item has the wait already: its write went through, and only the answer was lost."""
    return wait_id in leases_of(item)
