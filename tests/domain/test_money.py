"""Money: rates under overrides, and how amounts are written."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.money import CacheRatios, Rates, cost_usd, overridden, squared, usd
from llm_gateway.domain.providers import ModelConfig

D = Decimal
PUBLISHED = Rates(input=D(3), cached_input=D("0.3"), cache_write=D("3.75"), cache_write_1h=D(6), output=D(15))
RATIOS = CacheRatios(cached_input=D("0.1"), cache_write=D("1.25"), cache_write_1h=D(2))


def rates(published=PUBLISHED, ratios=RATIOS, **overrides):
    return overridden(ModelConfig(name="m", **overrides), published=published, ratios=ratios)


def test_without_overrides_the_published_rates_hold():
    assert rates() == PUBLISHED


def test_what_has_no_price_of_its_own_follows_an_overridden_input_price():
    assert rates(input_usd_per_mtok=D(1)) == Rates(
        input=D(1), cached_input=D("0.1"), cache_write=D("1.25"), cache_write_1h=D(2), output=D(15)
    )


def test_an_hours_write_follows_an_overridden_write():
    assert rates(cache_write_usd_per_mtok=D(5)).cache_write_1h == D(8)


def test_each_override_holds():
    found = rates(
        input_usd_per_mtok=D(7),
        cached_input_usd_per_mtok=D(2),
        cache_write_usd_per_mtok=D(5),
        output_usd_per_mtok=D(11),
    )
    assert found == Rates(input=D(7), cached_input=D(2), cache_write=D(5), cache_write_1h=D(8), output=D(11))


def test_an_unpublished_model_with_both_prices_takes_the_vendors_ratios():
    found = rates(published=None, input_usd_per_mtok=D(2), output_usd_per_mtok=D(4))
    assert found == Rates(input=D(2), cached_input=D("0.2"), cache_write=D("2.5"), cache_write_1h=D(4), output=D(4))


@pytest.mark.parametrize("one", [{"input_usd_per_mtok": D(2)}, {"output_usd_per_mtok": D(2)}, {}])
def test_half_a_price_is_none(one):
    assert rates(published=None, **one) is None


def test_zero_is_a_price():
    found = rates(published=None, input_usd_per_mtok=D(0), output_usd_per_mtok=D(0))
    assert cost_usd(Usage(input_tokens=9, output_tokens=9, cached_input_tokens=3, cache_write_tokens=2), found) == 0
    free = rates(input_usd_per_mtok=D(0))
    assert (free.input, free.cached_input, free.cache_write_1h, free.output) == (0, 0, 0, 15)


def test_more_cached_tokens_than_input_never_earn_money():
    assert cost_usd(Usage(input_tokens=1, cached_input_tokens=1_000_000), PUBLISHED) == D("0.3")


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (D("0.000312"), "0.000312"),
        (D("3.12E-4"), "0.000312"),
        (D("1E-12"), "0.000000000001"),
        (D("0.0003930000"), "0.000393"),
        (D("25.00"), "25"),
        (D("2E+3"), "2000"),
        (D("100"), "100"),
        (D(0), "0"),
        (D("0E-9"), "0"),
        (D("-0.0"), "0"),
        (D("-1.50"), "-1.5"),
    ],
)
def test_money_is_written_in_plain_digits(amount, text):
    assert usd(amount) == text


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**30), max_value=10**30, places=20))
def test_written_money_is_the_same_money(amount):
    text = usd(amount)
    assert Decimal(text) == amount
    assert "E" not in text.upper()


def test_a_square_is_exact_to_a_billionth_of_a_dollar() -> None:
    assert squared(D("0.001")) == D("0.000001")
    assert squared(D("1e-30")) == 0
    assert squared(D("123456.000000001")) == D("15241383936.000246912000000001")
