"""What a call may cost, before it is made: what a budget reserves, and what it believes afterwards."""

from collections.abc import Callable
from decimal import Decimal

from llm_gateway.domain.chat import UNTOLD_TIER, ChatRequest, Usage
from llm_gateway.domain.model_table import ModelProfile
from llm_gateway.domain.tokens import Count, estimate, upper_bound
from llm_gateway.values import dataclass

Cost = Callable[[Usage], Decimal | None]
"""What a usage of a model costs in US dollars; None where the model has no price."""

# A reservation this small a part of the budget may be a generous one: it is not worth loading a tokenizer for.
_SMALL_PART = 20
_CHEAPER_TIERS = ("flex", "batch")
# Of a model whose window is not known.
_LARGEST_WINDOW = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPrice:
    """`upper_usd` is the most that the call should cost as it is asked, `most_usd` more than its model could ever bill."""

    upper_usd: Decimal
    most_usd: Decimal

    def believed(self, cost_usd: Decimal) -> Decimal:
        """`cost_usd`, or the upper price where no call can have cost that: a provider's figures are data to check."""
        return cost_usd if 0 <= cost_usd <= self.most_usd else self.upper_usd


def call_price(
    request: ChatRequest,
    profile: ModelProfile,
    count: Count,
    cost: Cost,
    *,
    output_tokens: int,
    budget_usd: Decimal,
    caches_unasked: bool = False,
) -> CallPrice | None:
    """What `request` may cost with so many `output_tokens` under a budget; None where the model has no price.

    A vendor that `caches_unasked` may bill the whole prompt as written to its cache.
    """
    window = profile.context_window or profile.max_input_tokens or _LARGEST_WINDOW
    most_output = profile.max_output_tokens or window
    ever = cost(Usage(input_tokens=window, output_tokens=most_output, service_tier=_tier(request)))
    upper = cost(_usage(request, upper_bound(request, profile), output_tokens, caches_unasked=caches_unasked))
    if ever is None or upper is None:
        return None
    if upper * _SMALL_PART > budget_usd:
        most = estimate(request, profile, count).most
        upper = cost(_usage(request, most, output_tokens, caches_unasked=caches_unasked)) or upper
    # Twice, because what is written to a cache costs more than other input.
    return CallPrice(upper_usd=upper, most_usd=max(2 * ever, upper))


def dearest(
    request: ChatRequest, profile: ModelProfile, count: Count, cost: Cost, *, caches_unasked: bool = False
) -> Decimal | None:
    """What the call costs with the longest answer that it may get; None where the model has no price."""
    longest = request.parameters.max_output_tokens or profile.max_output_tokens or profile.context_window
    if not longest:
        return None
    return cost(_usage(request, estimate(request, profile, count).most, longest, caches_unasked=caches_unasked))


def _usage(request: ChatRequest, input_tokens: int, output_tokens: int, *, caches_unasked: bool) -> Usage:
    """The dearest that a provider may count: all of the input is written to a cache for an hour, where that may be."""
    parts = (part for message in request.messages for part in message.content)
    by_vendor = request.vendor.get("cache_control") is not None
    asks_to_write = request.cached_system_chars or by_vendor or any(part.cache_control for part in parts)
    written = input_tokens if caches_unasked or asks_to_write else 0
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_write_tokens=written,
        cache_write_1h_tokens=written,
        service_tier=_tier(request),
    )


def _tier(request: ChatRequest) -> str | None:
    """The usual price is enough for a tier that is cheaper; of the others nobody knows how much more they cost."""
    asked = request.vendor.get("service_tier")
    return UNTOLD_TIER if request.may_change_its_price and asked not in _CHEAPER_TIERS else None
