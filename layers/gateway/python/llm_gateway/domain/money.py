"""Money: what a call costs, exactly, in US dollars."""

from collections.abc import Iterable
from decimal import Context, Decimal, localcontext
from functools import reduce
from typing import TYPE_CHECKING

from llm_gateway.values import dataclass

if TYPE_CHECKING:
    from llm_gateway.domain.chat import Usage
    from llm_gateway.domain.providers import ModelConfig

_TOKENS_PER_MTOK = 1_000_000
# Far more digits than prices times tokens have: nothing is ever rounded.
EXACT = Context(prec=60)
# A sum reaches from the first digit of the greatest amount to the last one of the smallest.
_WIDE = Context(prec=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """US dollars per million tokens; `cache_write` for those kept five minutes, `cache_write_1h` for an hour.

    Sound costs what text does where it has no price of its own.
    """

    input: Decimal
    cached_input: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal
    output: Decimal
    input_audio: Decimal | None = None
    output_audio: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRatios:
    """What cached tokens cost as a multiple of plain input, as a vendor publishes it."""

    cached_input: Decimal
    cache_write: Decimal
    cache_write_1h: Decimal


AT_FULL_PRICE = CacheRatios(cached_input=Decimal(1), cache_write=Decimal(1), cache_write_1h=Decimal(1))
"""Where nothing is published, nothing is taken off."""


def overridden(model: "ModelConfig", *, published: Rates | None, ratios: CacheRatios = AT_FULL_PRICE) -> Rates | None:
    """The rates that hold for `model`: its own figures over the `published` ones; None where input or output has no price.

    The prices of cached tokens that are not overridden follow an overridden input price in the vendor's ratio: that of
    `published`, else `ratios`. Tokens written for an hour follow those written for five minutes.
    """
    input_price = model.input_usd_per_mtok if published is None else _own(model.input_usd_per_mtok, published.input)
    output_price = model.output_usd_per_mtok if published is None else _own(model.output_usd_per_mtok, published.output)
    if input_price is None or output_price is None:
        return None
    with localcontext(EXACT):
        # Multiplied before divided: a published price comes out as it went in, whatever its ratio looks like in decimals.
        base, known = (published.input, published) if published and published.input else (Decimal(1), ratios)
        cache_write = _own(model.cache_write_usd_per_mtok, input_price * known.cache_write / base)
        hour = cache_write * known.cache_write_1h / known.cache_write if known.cache_write else cache_write
        return Rates(
            input=input_price,
            cached_input=_own(model.cached_input_usd_per_mtok, input_price * known.cached_input / base),
            cache_write=cache_write,
            cache_write_1h=hour,
            output=output_price,
            input_audio=published.input_audio if published else None,
            output_audio=published.output_audio if published else None,
        )


def _own(figure: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if figure is None else figure


def cost_usd(usage: "Usage", rates: Rates) -> Decimal:
    """What `usage` costs: every input token once, as plain, sound, read from a cache, or written to one; reasoning as output."""
    short_writes = usage.cache_write_tokens - usage.cache_write_1h_tokens
    plain = max(0, usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens)
    heard, spoken = min(usage.audio_input_tokens, plain), min(usage.audio_output_tokens, usage.output_tokens)
    with localcontext(EXACT):
        return (
            (plain - heard) * rates.input
            + heard * _own(rates.input_audio, rates.input)
            + usage.cached_input_tokens * rates.cached_input
            + short_writes * rates.cache_write
            + usage.cache_write_1h_tokens * rates.cache_write_1h
            + (usage.output_tokens - spoken) * rates.output
            + spoken * _own(rates.output_audio, rates.output)
        ) / _TOKENS_PER_MTOK


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Their sum, exactly."""
    return reduce(_WIDE.add, amounts, Decimal(0))


def squared(amount: Decimal) -> Decimal:
    """The square of `amount`, of which a billionth of a dollar is the last digit that counts."""
    rounded = round(amount, 9)
    return _WIDE.multiply(rounded, rounded)


def usd(amount: Decimal) -> str:
    """`amount` as the API writes money, digits only: `Decimal("3.120E-4")` is `"0.000312"`, zero is `"0"`."""
    text = f"{amount:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("", "-0") else text
