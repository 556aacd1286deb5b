"""Shares of a limit: the limits of a provider or a key, split over so many items that no one of them is written too often.

A DynamoDB item takes about 1,000 writes a second. A call costs two, refused and repeated ones come on top, and bursts are short:
so an item is planned to take 100 calls a second.
"""

from typing import Final

from llm_gateway.domain.keys import KeyLimits
from llm_gateway.domain.limits import Limit
from llm_gateway.domain.providers import ProviderLimits
from llm_gateway.values import dataclass

REQUESTS_PER_SHARD: Final = 6_000
# Where only tokens are limited: 500 to a call.
TOKENS_PER_SHARD: Final = 3_000_000
# Each running call takes 25 bytes of the item, and a write is billed by the started KB.
PLACES_PER_SHARD: Final = 50
# More than one call to any model takes, so that no call fits the whole limit and none of its shares.
LEAST_TOKENS_PER_SHARD: Final = 1 << 20
MOST_SHARDS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The part of some limits that one item keeps; None is no limit."""

    requests: Limit | None
    tokens: Limit | None
    places: int | None = None


def shares_of(limits: ProviderLimits | KeyLimits, *, most: int = MOST_SHARDS) -> tuple[Share, ...]:
    """The shares of `limits`, `most` of them, whose rates, bursts and places add up to exactly those of the whole.

    `burst` is that of requests; that of tokens is a fifth of the limit, as they are not counted in the same unit.
    """
    requests = _limit(limits.requests_per_minute, burst=limits.burst)
    tokens = _limit(limits.tokens_per_minute)
    places = limits.max_concurrent if isinstance(limits, ProviderLimits) else None
    shards = min(_shards(requests, tokens, places), most)
    return tuple(
        Share(
            requests=_share_of_limit(requests, shards, shard),
            tokens=_share_of_limit(tokens, shards, shard),
            places=None if places is None else _share(places, shards, shard),
        )
        for shard in range(shards)
    )


def _limit(per_minute: int | None, *, burst: int | None = None) -> Limit | None:
    return None if per_minute is None else Limit.of(per_minute, burst=burst)


def _shards(requests: Limit | None, tokens: Limit | None, places: int | None) -> int:
    wanted, most = [1], [MOST_SHARDS]
    if requests:
        wanted.append(-(-requests.per_minute // REQUESTS_PER_SHARD))
        most.append(requests.burst)
    if tokens:
        wanted.append(-(-tokens.per_minute // TOKENS_PER_SHARD) if requests is None else 1)
        most.append(max(1, tokens.per_minute // LEAST_TOKENS_PER_SHARD))
    if places is not None:
        wanted.append(-(-places // PLACES_PER_SHARD))
        most.append(places)
    return min(max(wanted), *most)


def _share_of_limit(limit: Limit | None, shards: int, shard: int) -> Limit | None:
    if limit is None:
        return None
    return Limit(per_minute=_share(limit.per_minute, shards, shard), burst=_share(limit.burst, shards, shard))


def _share(whole: int, shards: int, shard: int) -> int:
    return whole // shards + (shard < whole % shards)
