"""Published prices against an independent calculation: fractions, and figures copied by hand from the vendors' price pages."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.domain.chat import UNTOLD_TIER, Usage
from llm_gateway.domain.providers import ModelConfig, ProviderKind
from llm_gateway.domain.vendors import VENDORS
from llm_gateway.instruments import prices
from llm_gateway.instruments.prices import PublishedPrices

OPENAI, ANTHROPIC = ProviderKind.OPENAI, ProviderKind.ANTHROPIC
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PRICES = PublishedPrices()


def cost(kind, asked, usage, *, answered=None, at=NOW, **overrides):
    model = ModelConfig(name=asked, **{f"{name}_usd_per_mtok": Decimal(price) for name, price in overrides.items()})
    return PRICES.cost(kind, model, answered_model=answered or asked, usage=usage, at=at)


def use(given, output, *, cached=0, write=0, hour=0, reasoning=0):
    return Usage(
        input_tokens=given,
        output_tokens=output,
        cached_input_tokens=cached,
        cache_write_tokens=write,
        cache_write_1h_tokens=hour,
        reasoning_tokens=reasoning,
    )


# kind, asked, answered, overrides, usage, then dollars per million: plain, cached, 5-minute write, 1-hour write, output
GPT, CLAUDE, AWS = OPENAI, ANTHROPIC, ProviderKind.BEDROCK
MIXED = use(99, 1, cached=9, write=80, hour=30)
CASES = [
    (GPT, "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", {}, use(812, 95), ".4 .1 0 0 1.6"),
    (GPT, "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", {}, use(5000, 700, cached=4096), ".4 .1 0 0 1.6"),
    (GPT, "gpt-4.1", "gpt-4.1-2025-04-14", {}, use(1, 1), "2 .5 0 0 8"),
    (GPT, "gpt-4.1-nano", "gpt-4.1-nano", {}, use(999_983, 32_768, cached=128), ".1 .025 0 0 .4"),
    (GPT, "gpt-4o", "gpt-4o-2024-08-06", {}, use(2048, 333, cached=1024), "2.5 1.25 0 0 10"),
    (GPT, "gpt-4o", "gpt-4o-2024-05-13", {}, use(2048, 333), "5 0 0 0 15"),
    (GPT, "gpt-4o-mini", "gpt-4o-mini-2024-07-18", {}, use(17, 3), ".15 .075 0 0 .6"),
    (GPT, "o3", "o3-2025-04-16", {}, use(900, 4_000, reasoning=3_900), "2 .5 0 0 8"),
    (GPT, "o4-mini", "o4-mini-2025-04-16", {}, use(900, 4_000, cached=512, reasoning=100), "1.1 .275 0 0 4.4"),
    (GPT, "gpt-5", "gpt-5-2025-08-07", {}, use(300_000, 9, cached=299_999), "1.25 .125 0 0 10"),
    (GPT, "gpt-5-nano", "gpt-5-nano-2025-08-07", {}, use(0, 0), ".05 .005 0 0 .4"),
    (GPT, "gpt-5.4", "gpt-5.4", {}, use(272_000, 1_000, cached=100_000), "2.5 .25 0 0 15"),
    (GPT, "gpt-5.4", "gpt-5.4", {}, use(272_001, 1_000, cached=100_000), "5 .5 0 0 22.5"),
    (GPT, "gpt-5.6-sol", "gpt-5.6-sol", {}, use(9_000, 77, cached=3_000, write=2_000), "4 .4 5 5 20"),
    (GPT, "gpt-6.1-terra", "gpt-6.1-terra", {}, use(600_000, 77, cached=3_000, write=2_000), "2 .1 2.5 2.5 7.5"),
    (GPT, "text-embedding-3-small", "text-embedding-3-small", {}, use(900, 0), ".02 0 0 0 0"),
    (AWS, "amazon.titan-embed-text-v2:0", "amazon.titan-embed-text-v2:0", {}, use(900, 0), ".02 0 0 0 0"),
    (AWS, "amazon.nova-micro-v1:0", "amazon.nova-micro-v1:0", {}, use(1_000, 50), ".035 .00875 0 0 .14"),
    (CLAUDE, "claude-haiku-4-5", "claude-haiku-4-5-20251001", {}, use(1_500, 210), "1 .1 1.25 2 5"),
    (CLAUDE, "claude-haiku-4-5", "claude-haiku-4-5-20251001", {}, use(9_000, 210, cached=8_000), "1 .1 1.25 2 5"),
    (CLAUDE, "claude-haiku-4-5", "claude-haiku-4-5-20251001", {}, use(9_000, 210, write=8_000), "1 .1 1.25 2 5"),
    (CLAUDE, "claude-haiku-4-5", "claude-haiku-4-5", {}, use(9_000, 1, write=8_000, hour=8_000), "1 .1 1.25 2 5"),
    (CLAUDE, "claude-opus-4-8", "claude-opus-4-8", {}, use(99, 7, cached=9, write=80, hour=31), "5 .5 6.25 10 25"),
    (CLAUDE, "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", {}, use(200_000, 50), "3 .3 3.75 6 15"),
    (CLAUDE, "claude-sonnet-4-5", "claude-sonnet-4-5-20250929", {}, use(200_001, 50), "6 .6 7.5 12 22.5"),
    (CLAUDE, "claude-haiku-5-5", "claude-haiku-5-5", {}, use(100_001, 50, cached=100_000), ".5 .05 .625 1 2.5"),
    (CLAUDE, "claude-opus-5-5", "claude-opus-5-5", {}, use(5_000, 50, cached=2_000, write=1_000), "4 .2 5 8 20"),
    # Overrides; what is not overridden follows in the vendor's ratio.
    (GPT, "gpt-4.1", "gpt-4.1", {"input": "1"}, use(1_000, 10, cached=900), "1 .25 0 0 8"),
    (GPT, "gpt-4.1", "gpt-4.1", {"input": "1", "cached_input": ".9"}, use(1_000, 10, cached=900), "1 .9 0 0 8"),
    (GPT, "gpt-4.1", "gpt-4.1", {"output": "3.33"}, use(1_000, 10, cached=900), "2 .5 0 0 3.33"),
    (CLAUDE, "claude-haiku-4-5", "claude-haiku-4-5", {"input": ".7"}, MIXED, ".7 .07 .875 1.4 5"),
    (CLAUDE, "claude-opus-5-5", "claude-opus-5-5", {"cache_write": "6"}, use(99, 1, write=80, hour=30), "4 .2 6 9.6 20"),
    (CLAUDE, "claude-next", "claude-next", {"input": "2", "output": "9"}, MIXED, "2 .2 2.5 4 9"),
    (GPT, "ft:mine", "ft:mine", {"input": "2", "output": "9"}, use(99, 1, cached=9, write=80), "2 2 2 2 9"),
    (ProviderKind.LLAMA_CPP, "smollm2", "smollm2", {"input": "0", "output": "0"}, use(99, 1, cached=9), "0 0 0 0 0"),
    (ProviderKind.OPENAI_COMPATIBLE, "gpt-4o", "gpt-4o", {"input": ".3", "output": ".9"}, use(99, 1), ".3 0 0 0 .9"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "asked", "answered", "overrides", "usage", "per_million"), CASES)
def test_a_cost_is_exact(kind, asked, answered, overrides, usage, per_million):
    plain, cached, write, hour, output = (Fraction(price) / 1_000_000 for price in per_million.split())
    expected = (
        (usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens) * plain
        + usage.cached_input_tokens * cached
        + (usage.cache_write_tokens - usage.cache_write_1h_tokens) * write
        + usage.cache_write_1h_tokens * hour
        + usage.output_tokens * output
    )
    found = cost(kind, asked, usage, answered=answered, **overrides)
    assert isinstance(found, Decimal)
    assert Fraction(found) == expected


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        (OPENAI, "gpt-17"),
        (ANTHROPIC, "gpt-4o"),
        (ProviderKind.LLAMA_CPP, "smollm2"),
        (ProviderKind.OPENAI_COMPATIBLE, "gpt-4o"),
    ],
)
def test_an_unknown_price_is_none_and_never_zero(kind, asked):
    assert cost(kind, asked, use(100, 100)) is None
    assert cost(kind, asked, Usage()) is None
    assert cost(kind, asked, use(100, 100), input="1") is None


def test_what_writes_nothing_needs_no_price_for_it():
    assert cost(OPENAI, "own-embedder", use(1_000_000, 0), input="0.5") == Decimal("0.5")
    assert cost(OPENAI, "own-embedder", use(1_000_000, 1), input="0.5") is None
    assert cost(OPENAI, "own-embedder", Usage(), input="0.5") is None


def test_the_asked_name_prices_an_answer_without_a_known_one():
    assert cost(OPENAI, "gpt-4o", use(100, 0), answered="fp_44709d6fcb") == Decimal("0.00025")


def test_a_price_is_that_of_its_day():
    usage = use(1_000_000, 0)
    before, after = datetime(2025, 6, 9, tzinfo=UTC), datetime(2025, 6, 11, tzinfo=UTC)
    assert (cost(OPENAI, "o3", usage, at=before), cost(OPENAI, "o3", usage, at=after)) == (10, 2)


def priced_models():
    from genai_prices.data_snapshot import get_snapshot

    kinds = {"openai": OPENAI, "anthropic": ANTHROPIC}
    found = [
        (kinds[vendor.id], model.id)
        for vendor in get_snapshot().providers
        for model in vendor.models
        if vendor.id in kinds
    ]
    return [(kind, name) for kind, name in found if cost(kind, name, Usage()) is not None]


@given(
    st.sampled_from(priced_models()),
    *(st.integers(0, 200_000) for _ in range(4)),
    st.integers(0, 50_000),
)
def test_without_overrides_the_table_itself_agrees(kind_and_name, plain, cached, write, hour, output):
    import genai_prices

    kind, name = kind_and_name
    usage = use(plain + cached + write + hour, output, cached=cached, write=write + hour, hour=hour)
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=usage.input_tokens,
            cache_read_tokens=cached,
            cache_write_tokens=write + hour,
            cache_write_1h_tokens=hour,
            output_tokens=output,
        ),
        name,
        provider_id=str(kind),
        genai_request_timestamp=NOW,
    )
    assert cost(kind, name, usage) == theirs.total_price


def test_the_table_is_loaded_by_the_first_price_alone():
    program = "import sys, llm_gateway.instruments.prices; sys.exit('genai_prices' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, env={"PYTHONPATH": ":".join(sys.path)}, timeout=60)


def test_a_call_is_priced_by_the_tier_that_served_it():
    usual = cost(OPENAI, "gpt-5.6-sol", use(1_000, 100))
    assert cost(OPENAI, "gpt-5.6-sol", replace(use(1_000, 100), service_tier="flex")) == usual / 2
    for tier in ("priority", "ultrafast", UNTOLD_TIER):
        assert cost(OPENAI, "gpt-5.6-sol", replace(use(1_000, 100), service_tier=tier)) is None
    assert cost(ANTHROPIC, "claude-haiku-4-5", replace(use(1_000, 100), service_tier="priority")) is None


def test_another_servers_tiers_are_its_operators():
    own = {"input": "1", "output": "1"}
    usage = replace(use(1_000_000, 0), service_tier="on_demand")
    assert cost(ProviderKind.OPENAI_COMPATIBLE, "any", usage, **own) == 1


def test_sound_has_a_price_of_its_own():
    # https://developers.openai.com/api/docs/pricing: gpt-audio-mini, a million tokens of text 0.60, of sound 10 dollars.
    heard = replace(use(1_000_000, 0), audio_input_tokens=400_000)
    assert cost(OPENAI, "gpt-audio-mini", heard) == Decimal("0.6") * Decimal("0.6") + Decimal("0.4") * 10
    assert cost(OPENAI, "gpt-4o", replace(use(1_000_000, 0), audio_input_tokens=400_000)) == Decimal("2.5")


def test_names_that_strangers_write_are_not_remembered_for_good() -> None:
    snapshot = get_snapshot()

    def remembered() -> int:
        return len(snapshot._lookup_cache) + len(snapshot._provider_cache) + len(snapshot._provider_misses)

    before = remembered()
    for number in range(1_500):
        assert cost(OPENAI, "gpt-4.1", use(10, 10), answered=f"gpt-4.1-2025-04-14-{number}-of-nobody") is not None
        assert cost(OPENAI, f"of-nobody-{number}", use(10, 10)) is None
    assert remembered() == before
    assert prices._listed.cache_info().currsize <= 512


LISTED = [
    (kind, model.id)
    for kind, vendor in ((OPENAI, "openai"), (ANTHROPIC, "anthropic"), (ProviderKind.BEDROCK, "aws"))
    for model in next(provider for provider in get_snapshot().providers if provider.id == vendor).models
]


@given(
    entry=st.sampled_from(LISTED),
    given_tokens=st.sampled_from([0, 1, 128_000, 128_001, 200_000, 200_001, 272_000, 272_001, 10_000_000]),
    output=st.integers(0, 2),
    at=st.datetimes(datetime(2024, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)
def test_what_is_put_together_once_is_what_the_table_says(entry, given_tokens: int, output: int, at: datetime) -> None:
    kind, name = entry
    usage = use(given_tokens, output)
    vendor = VENDORS[kind].price_table
    try:
        _, found = get_snapshot().find_provider_model(name, None, vendor, None)
    except LookupError:
        expected = None
    else:
        expected = prices._rates(found.get_prices(at), usage)
    assert prices._published(kind, (name,), usage, at) == expected
