"""Prices by `genai-prices`, a table inside a package: pinned, so that a price changes by a reviewed update and not overnight."""

from bisect import bisect_left
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.money import EXACT, Rates, cost_usd, overridden
from llm_gateway.domain.providers import ModelConfig, ProviderKind
from llm_gateway.domain.vendors import VENDORS

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices


_USUAL: Final = Decimal(1)
_MOST_NAMES: Final = 512


class PublishedPrices:
    """The `Prices` port. The table costs 200 ms to load: the first call does, so ask after the answer is known."""

    def cost(
        self, kind: ProviderKind, model: ModelConfig, *, answered_model: str, usage: Usage, at: datetime
    ) -> Decimal | None:
        """What `usage` costs, or None. The provider's own name for what answered is looked up first: it names the snapshot."""
        if _writes_nothing(usage) and model.output_usd_per_mtok is None:
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
    for name in names:
        listed = _listed(vendor, name)
        rates = listed.rates(usage, at) if listed else None
        if rates is not None:
            return rates
    return None


class _Listed:
    """A model of the table. Its rates are put together once for each of its prices and tiers."""

    def __init__(self, model: "ModelInfo") -> None:
        self._model = model
        self._starts = _starts(model)
        self._rates: dict[tuple[int, int, bool], Rates | None] = {}

    def rates(self, usage: Usage, at: datetime) -> Rates | None:
        prices = self._model.get_prices(at)
        # The prices are the table's own objects, which stay where they are.
        key = id(prices), bisect_left(self._starts, usage.input_tokens), _writes_nothing(usage)
        if key not in self._rates:
            self._rates[key] = _rates(prices, usage)
        return self._rates[key]


@lru_cache(_MOST_NAMES)
def _listed(vendor: str, name: str) -> _Listed | None:
    """Callers and providers write `name`: the table's own lookup would remember every one of them, for good."""
    from genai_prices.data_snapshot import get_snapshot

    found = _vendor(vendor).find_model(name, all_providers=get_snapshot().providers)
    return None if found is None else _Listed(found)


@cache
def _vendor(vendor: str) -> "Provider":
    from genai_prices.data_snapshot import find_provider_by_id, get_snapshot

    found = find_provider_by_id(get_snapshot().providers, vendor)
    if found is None:
        raise LookupError(f"The published prices have no vendor {vendor}.")
    return found


def _starts(model: "ModelInfo") -> list[int]:
    """Where any tier of any price of `model` begins, in input tokens."""
    prices = model.prices if isinstance(model.prices, list) else [model]
    figures = [figure for each in prices for figure in vars(each.prices).values()]
    return sorted({tier.start for figure in figures for tier in getattr(figure, "tiers", ())})


def _rates(prices: "ModelPrice", usage: Usage) -> Rates | None:
    plain, output = _at_tier(prices.input_mtok, usage), _at_tier(prices.output_mtok, usage)
    if _writes_nothing(usage):
        output = output or Decimal(0)
    if plain is None or output is None:
        return None
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


def _writes_nothing(usage: Usage) -> bool:
    return bool(usage.input_tokens and not usage.output_tokens)


def _at_tier(price: "Decimal | TieredPrices | None", usage: Usage) -> Decimal | None:
    """The price that holds for every token of a call of this size: past a tier's start, vendors bill the whole call by it."""
    if price is None or isinstance(price, Decimal):
        return price
    reached = [tier.price for tier in price.tiers if usage.input_tokens > tier.start]
    return reached[-1] if reached else price.base


def _first(price: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if price is None else price
