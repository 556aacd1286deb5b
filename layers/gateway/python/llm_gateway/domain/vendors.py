"""Vendors: what the models of each kind of provider can take, and how they are priced; one row each.

Where a vendor is reached stands in `domain.providers`; its wire is a row of `providers.registry`, which alone knows adapters.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from decimal import Decimal
from typing import Final

from llm_gateway.domain.model_table import (
    ANTHROPIC_FAMILIES,
    ANTHROPIC_UNLISTED,
    COMPATIBLE_UNLISTED,
    LOCAL_UNLISTED,
    OPENAI_FAMILIES,
    OPENAI_UNLISTED,
    ModelProfile,
)
from llm_gateway.domain.money import AT_FULL_PRICE, CacheRatios
from llm_gateway.domain.providers import ProviderKind
from llm_gateway.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """`families` are profiles by the prefix of a model's name, `unlisted` is what every other model is taken for.

    `price_table` names the vendor in the published prices; None where nothing is published, since another server under a
    vendor's model name bills as its operator likes. `by_id` knows the profile of a model whose id says more than a prefix.
    `tiers` are the ways to be served that have a price, as multiples of the usual one. One that `caches_unasked` may write any
    prompt to its cache, which costs more where that has a price of its own.
    """

    unlisted: ModelProfile
    families: Mapping[str, ModelProfile] = field(default_factory=dict)
    by_id: Callable[[str], ModelProfile] | None = None
    price_table: str | None = None
    cache_ratios: CacheRatios = AT_FULL_PRICE
    tiers: Mapping[str, Decimal] = field(default_factory=dict)
    caches_unasked: bool = False

    def profile(self, model: str) -> ModelProfile:
        """By the longest prefix that has a row."""
        if self.by_id is not None:
            return self.by_id(model)
        prefix = max((prefix for prefix in self.families if model.startswith(prefix)), key=len, default=None)
        return self.unlisted if prefix is None else self.families[prefix]


def _of_bedrock(model: str) -> ModelProfile:
    """Imported late: nobody else pays for its table."""
    from llm_gateway.domain.bedrock_models import bedrock_profile

    return bedrock_profile(model)


# https://platform.claude.com/docs/en/about-claude/pricing: the multipliers of every model that has none of its own.
_ANTHROPIC_CACHE: Final = CacheRatios(
    cached_input=Decimal("0.1"), cache_write=Decimal("1.25"), cache_write_1h=Decimal(2)
)

VENDORS: Final[Mapping[ProviderKind, Vendor]] = {
    ProviderKind.OPENAI: Vendor(
        families=OPENAI_FAMILIES,
        unlisted=OPENAI_UNLISTED,
        price_table="openai",
        # https://developers.openai.com/api/docs/guides/flex-processing: at the rates of batches, which are half.
        tiers={"flex": Decimal("0.5")},
        # https://developers.openai.com/api/docs/guides/prompt-caching: since GPT-5.6 a write costs a quarter more than input.
        caches_unasked=True,
    ),
    ProviderKind.ANTHROPIC: Vendor(
        families=ANTHROPIC_FAMILIES,
        unlisted=ANTHROPIC_UNLISTED,
        price_table="anthropic",
        cache_ratios=_ANTHROPIC_CACHE,
    ),
    ProviderKind.LLAMA_CPP: Vendor(unlisted=LOCAL_UNLISTED),
    ProviderKind.OPENAI_COMPATIBLE: Vendor(unlisted=COMPATIBLE_UNLISTED, caches_unasked=True),
    ProviderKind.BEDROCK: Vendor(by_id=_of_bedrock, unlisted=COMPATIBLE_UNLISTED, price_table="aws"),
}
