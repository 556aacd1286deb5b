"""Prices by `genai-prices`, a table inside a package: pinned, so that a price changes by a reviewed update and not overnight."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.money import EXACT, Rates, cost_usd, overridden
from llm_gateway.domain.providers import ModelConfig, ProviderKind
from llm_gateway.domain.vendors import VENDORS

if TYPE_CHECKING:
    from genai_prices.types import TieredPrices


_USUAL: Final = Decimal(1)


class PublishedPrices:
    """The `Prices` port. The table costs 200 ms to load: the first call does, so ask after the answer is known."""

    def cost(
        self, kind: ProviderKind, model: ModelConfig, *, answered_model: str, usage: Usage, at: datetime
    ) -> Decimal | None:
        """What `usage` costs, or None. The provider's own name for what answered is looked up first: it names the snapshot."""
        if usage.input_tokens and not usage.output_tokens and model.output_usd_per_mtok is None:
            # What writes nothing, as embeddings do, needs no price for it.
            model = replace(model, output_usd_per_mtok=Decimal(0))
        published = None if _overrides_all(model) else _published(kind, (answered_model, model.name), usage, at)
        rates = overridden(model, published=published, ratios=VENDORS[kind].cache_ratios)
        ratio = _ratio(kind, usage)
        return None if rates is None or ratio is None else EXACT.multiply(cost_usd(usage, rates), ratio)


def _ratio(kind: ProviderKind, usage: Usage) -> Decimal | None:
    """What the tier that served the call costs as a multiple of the usual one; None where nobody publishes that."""
    vendor = VENDORS[kind]
    if usage.service_tier is None or vendor.price_table is None:
        return _USUAL
    return vendor.tiers.get(usage.service_tier)


def _overrides_all(model: ModelConfig) -> bool:
    return None not in (
        model.input_usd_per_mtok,
        model.cached_input_usd_per_mtok,
        model.cache_write_usd_per_mtok,
        model.output_usd_per_mtok,
    )


def _published(kind: ProviderKind, names: tuple[str, ...], usage: Usage, at: datetime) -> Rates | None:
    vendor = VENDORS[kind].price_table
    if vendor is None:
        return None
    from genai_prices.data_snapshot import get_snapshot

    snapshot = get_snapshot()
    for name in names:
        try:
            _, found = snapshot.find_provider_model(name, None, vendor, None)
        except LookupError:
            continue
        prices = found.get_prices(at)
        plain, output = _at_tier(prices.input_mtok, usage), _at_tier(prices.output_mtok, usage)
        if usage.input_tokens and not usage.output_tokens:
            output = output or Decimal(0)
        if plain is None or output is None:
            continue
        write = _first(_at_tier(prices.cache_write_mtok, usage), plain)
        return Rates(
            input=plain,
            cached_input=_first(_at_tier(prices.cache_read_mtok, usage), plain),
            cache_write=write,
            cache_write_1h=_first(_at_tier(prices.cache_write_1h_mtok, usage), write),
            output=output,
            input_audio=_at_tier(prices.input_audio_mtok, usage),
            output_audio=_at_tier(prices.output_audio_mtok, usage),
        )
    return None


def _at_tier(price: "Decimal | TieredPrices | None", usage: Usage) -> Decimal | None:
    """The price that holds for every token of a call of this size: past a tier's start, vendors bill the whole call by it."""
    if price is None or isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if usage.input_tokens > tier.start]
    return reached[-1] if reached else price.base


def _first(price: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if price is None else price
