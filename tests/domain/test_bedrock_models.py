"""What ids of Bedrock stand for, and what the models behind them take."""

from dataclasses import replace

import pytest
from llm_gateway.domain.bedrock_models import bare, bedrock_profile, cache_lifetime
from llm_gateway.domain.capabilities import capabilities_of
from llm_gateway.domain.model_table import ANTHROPIC_FAMILIES, ANTHROPIC_UNLISTED
from llm_gateway.domain.providers import Capability, ModelConfig, ProviderKind

MESSAGES = {Capability.TOOLS, Capability.IMAGES, Capability.JSON_SCHEMA}


@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        ("amazon.nova-lite-v1:0", "amazon.nova-lite"),
        ("amazon.nova-lite-v1:0:300k", "amazon.nova-lite"),
        ("us.amazon.nova-2-lite-v1:0", "amazon.nova-2-lite"),
        ("eu.anthropic.claude-3-7-sonnet-20250219-v1:0", "anthropic.claude-3-7-sonnet-20250219"),
        ("global.anthropic.claude-opus-5-5", "anthropic.claude-opus-5-5"),
        ("us-gov.anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-3-haiku-20240307"),
        ("openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b"),
        ("mistral.mistral-7b-instruct-v0:2", "mistral.mistral-7b-instruct"),
        ("arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "amazon.nova-pro"),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0", "amazon.nova-pro"),
    ],
)
def test_an_id_without_its_place_and_its_version(id_: str, expected: str) -> None:
    assert bare(id_) == expected


def without_levels(profile):
    """As Converse is spoken here: it is told no effort, and given no thought back."""
    able = profile.capabilities - {Capability.REASONING}
    return replace(profile, capabilities=able, thinking=None, thoughts=None)


@pytest.mark.parametrize(
    ("id_", "family"),
    [
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5"),
        ("anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1"),
        ("global.anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ("apac.anthropic.claude-3-5-sonnet-20240620-v1:0", "claude-3-5-"),
    ],
)
def test_a_claude_is_what_it_is_at_anthropic(id_: str, family: str) -> None:
    assert bedrock_profile(id_) == without_levels(ANTHROPIC_FAMILIES[family])


def test_a_claude_that_nobody_knows_yet_is_taken_for_the_newest() -> None:
    assert bedrock_profile("us.anthropic.claude-haiku-9-v1:0") == without_levels(ANTHROPIC_UNLISTED)


@pytest.mark.parametrize(
    ("id_", "able"),
    [
        ("amazon.nova-micro-v1:0", {Capability.TOOLS}),
        ("amazon.nova-pro-v1:0", {Capability.TOOLS, Capability.IMAGES}),
        ("us.meta.llama3-2-90b-instruct-v1:0", {Capability.TOOLS, Capability.IMAGES}),
        ("us.meta.llama3-2-3b-instruct-v1:0", set()),
        ("qwen.qwen3-32b-v1:0", {Capability.TOOLS, Capability.JSON_SCHEMA}),
        ("openai.gpt-oss-20b-1:0", {Capability.TOOLS, Capability.JSON_SCHEMA}),
        ("us.deepseek.r1-v1:0", set()),
        (
            "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc",
            {Capability.TOOLS, Capability.IMAGES},
        ),
    ],
)
def test_what_a_family_takes(id_: str, able: set[Capability]) -> None:
    assert bedrock_profile(id_).capabilities & MESSAGES == able


def test_no_model_takes_a_seed() -> None:
    assert Capability.SEED not in bedrock_profile("amazon.nova-pro-v1:0").capabilities
    assert Capability.SEED not in bedrock_profile("anything.else").capabilities


def test_an_operator_knows_better() -> None:
    model = ModelConfig(name="us.amazon.nova-pro-v1:0", context_window=1_000, max_output_tokens=10)
    profile = capabilities_of(ProviderKind.BEDROCK, model)
    assert (profile.context_window, profile.max_output_tokens) == (1_000, 10)


@pytest.mark.parametrize(
    ("id_", "wanted", "expected"),
    [
        ("anthropic.claude-opus-4-7-v1:0", "1h", "1h"),
        ("anthropic.claude-opus-4-1-20250805-v1:0", "1h", "5m"),
        ("us.amazon.nova-2-lite-v1:0", "5m", "5m"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "5m", None),
        ("qwen.qwen3-32b-v1:0", "5m", None),
    ],
)
def test_how_long_a_prompt_is_cached(id_: str, wanted, expected) -> None:
    assert cache_lifetime(id_, wanted) == expected
