"""Shares of a limit: together exactly the limit, and only as many as its size asks for."""

from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.limits import Limit
from llm_gateway.domain.providers import ProviderLimits
from llm_gateway.domain.shards import (
    LEAST_TOKENS_PER_SHARD,
    MOST_SHARDS,
    PLACES_PER_SHARD,
    REQUESTS_PER_SHARD,
    shares_of,
)

some = st.none() | st.integers(1, 20) | st.integers(1, 20_000_000)
provider_limits = st.builds(
    ProviderLimits, requests_per_minute=some, tokens_per_minute=some, burst=some, max_concurrent=some
)


@given(provider_limits)
def test_shares_add_up_to_the_limits(limits: ProviderLimits) -> None:
    shares = shares_of(limits)
    assert 1 <= len(shares) <= MOST_SHARDS
    assert sum(share.places or 0 for share in shares) == (limits.max_concurrent or 0)
    for whole, parts in (
        (limits.requests_per_minute and Limit.of(limits.requests_per_minute, burst=limits.burst), "requests"),
        (limits.tokens_per_minute and Limit.of(limits.tokens_per_minute), "tokens"),
    ):
        kept = [getattr(share, parts) for share in shares]
        if not whole:
            assert kept == [None] * len(shares)
            continue
        assert sum(part.per_minute for part in kept) == whole.per_minute
        assert sum(part.burst for part in kept) == whole.burst
        assert all(1 <= part.burst <= part.per_minute for part in kept)


@given(provider_limits)
def test_a_call_that_passes_the_whole_limit_passes_every_share(limits: ProviderLimits) -> None:
    tokens = [share.tokens.per_minute for share in shares_of(limits) if share.tokens]
    assert len(tokens) <= 1 or min(tokens) >= LEAST_TOKENS_PER_SHARD


def test_limits_of_a_usual_size_are_kept_in_one_item() -> None:
    assert len(shares_of(ProviderLimits())) == 1
    limits = ProviderLimits(
        requests_per_minute=REQUESTS_PER_SHARD, tokens_per_minute=2_000_000, max_concurrent=PLACES_PER_SHARD
    )
    assert len(shares_of(limits)) == 1


def test_hot_limits_are_split_until_an_item_can_take_its_share() -> None:
    by_requests = shares_of(ProviderLimits(requests_per_minute=60_000))
    assert [share.requests.per_minute for share in by_requests if share.requests] == [6_000] * 10
    assert len(shares_of(ProviderLimits(tokens_per_minute=30_000_000))) == 10
    assert len(shares_of(ProviderLimits(max_concurrent=500))) == 10


def test_a_small_burst_is_kept_whole() -> None:
    assert len(shares_of(ProviderLimits(requests_per_minute=60_000, burst=3))) == 3
