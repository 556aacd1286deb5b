"""Models as Amazon Bedrock calls them: what an id says of the family behind it, and what that family takes in Converse.

Sources, November 2026: of Bedrock's user guide "Supported models and model features" (of Converse), "Get validated JSON results
from models", "Prompt caching" and "Inference profiles"; the cards of Amazon's models; Anthropic's own rows for its models.
A window that no page states is None: Bedrock is asked, which knows. Imported when a provider of this kind is asked.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Literal

from llm_gateway.domain.model_table import (
    ANTHROPIC_FAMILIES,
    ANTHROPIC_UNLISTED,
    BYTES,
    O200K,
    ModelProfile,
)
from llm_gateway.domain.providers import Capability

# A profile that several regions stand behind is called as the model, after where they are.
_PLACES: Final = re.compile(r"^(us|us-gov|eu|apac|jp|au|ca|global)\.(?=[a-z0-9-]+\.)")
# An ARN ends in the model's or the profile's id.
_ARN: Final = re.compile(r"^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)/")
# The version of Bedrock's offer: `-v1:0`, `-v2`, `-1:0`, and the window that a provisioned one has, `:200k`.
_VERSION: Final = re.compile(r"(-v\d+|-\d+(?=:))(:[a-z0-9]+)*$")

_TEXT: Final = frozenset(
    {Capability.STREAMING, Capability.TEMPERATURE, Capability.TOP_P, Capability.STOP, Capability.JSON}
)
_TOOLS: Final = _TEXT | {Capability.TOOLS}
_SEEING: Final = _TOOLS | {Capability.IMAGES}
_READING: Final = _SEEING | {Capability.FILES}
_SCHEMA: Final = _TOOLS | {Capability.JSON_SCHEMA}
# What reasons takes sampling parameters no more than it does at its vendor's.
_REASONING: Final = frozenset(
    {Capability.STREAMING, Capability.JSON, Capability.JSON_SCHEMA, Capability.TOOLS, Capability.IMAGES}
)


def _model(window: int | None, output: int | None, can: frozenset[Capability], *, image: int = 0) -> ModelProfile:
    return ModelProfile(
        context_window=window, max_output_tokens=output, capabilities=can, tokenizer=BYTES, image_tokens=image
    )


_FAMILIES: Final[Mapping[str, ModelProfile]] = {
    "amazon.nova-micro": _model(128_000, 10_000, _TOOLS),
    "amazon.nova-lite": _model(300_000, 10_000, _READING, image=2_600),
    "amazon.nova-pro": _model(300_000, 10_000, _READING, image=2_600),
    "amazon.nova-premier": _model(1_000_000, None, _READING, image=2_600),
    "amazon.nova-2-lite": _model(1_000_000, 65_535, _READING, image=2_600),
    "amazon.titan-text": _model(None, None, _TEXT),
    "ai21.jamba-1-5": _model(256_000, 4_096, _TOOLS),
    "cohere.command-r": _model(128_000, 4_096, _TOOLS),
    "deepseek.r1": _model(128_000, 32_768, _TEXT),
    "deepseek.v3": _model(None, None, _SCHEMA),
    "google.gemma-3": _model(128_000, None, _SEEING | _SCHEMA, image=2_600),
    "meta.llama3": _model(8_192, None, _TEXT),
    "meta.llama3-1": _model(128_000, None, _TOOLS),
    "meta.llama3-2": _model(128_000, None, _TEXT),
    "meta.llama3-2-11b": _model(128_000, None, _SEEING, image=6_500),
    "meta.llama3-2-90b": _model(128_000, None, _SEEING, image=6_500),
    "meta.llama3-3": _model(128_000, None, _TOOLS),
    "meta.llama4": _model(None, None, _SEEING, image=6_500),
    "minimax.": _model(None, None, _SCHEMA),
    "mistral.mistral-7b": _model(32_000, None, _TEXT),
    "mistral.mixtral-8x7b": _model(32_000, None, _TEXT),
    "mistral.mistral-large": _model(None, None, _TOOLS),
    "mistral.mistral-large-3": _model(None, None, _SEEING | _SCHEMA, image=2_600),
    "mistral.mistral-small": _model(32_000, None, _TOOLS),
    "mistral.ministral-3": _model(None, None, _SEEING | _SCHEMA, image=2_600),
    "mistral.magistral": _model(None, None, _SEEING | _SCHEMA, image=2_600),
    "mistral.pixtral-large": _model(128_000, None, _SEEING, image=2_600),
    "moonshotai.kimi": _model(None, None, _SEEING | _SCHEMA, image=2_600),
    "nvidia.nemotron": _model(None, None, _SCHEMA),
    "openai.gpt-oss": replace(_model(128_000, None, _SCHEMA), tokenizer=O200K),
    "openai.gpt-5": replace(_model(None, 128_000, _REASONING, image=10_000), tokenizer=O200K),
    "openai.gpt-6": replace(_model(None, 128_000, _REASONING, image=10_000), tokenizer=O200K),
    "qwen.qwen3": _model(None, None, _SCHEMA),
    "qwen.qwen3-vl": _model(None, None, _SEEING | _SCHEMA, image=2_600),
    "writer.palmyra": _model(None, None, _TOOLS),
    "zai.glm": _model(None, None, _SCHEMA),
}
# A model, an import or a profile of the account's own: Bedrock is asked, which knows it.
_UNLISTED: Final = _model(None, None, _READING, image=4_784)

# Who takes a mark that says "cache up to here"; others cache of their own accord or not at all, and refuse it.
_CACHES: Final = (
    *("anthropic.claude-3-5-haiku", "anthropic.claude-3-5-sonnet-20241022", "anthropic.claude-3-7"),
    *("anthropic.claude-haiku-", "anthropic.claude-sonnet-", "anthropic.claude-opus-"),
    *("anthropic.claude-fable-", "anthropic.claude-mythos-", "amazon.nova-"),
)
# Of those, who keeps nothing for an hour.
_FIVE_MINUTES_ONLY: Final = (
    *("anthropic.claude-3-", "anthropic.claude-sonnet-4-2025", "anthropic.claude-opus-4-2025"),
    *("anthropic.claude-opus-4-1", "amazon."),
)

_CLAUDE: Final = "anthropic."


def bare(model: str) -> str:
    """The model that an id, a profile or the ARN of either stands for: `us.amazon.nova-lite-v1:0` is `amazon.nova-lite`."""
    return _VERSION.sub("", placeless(model))


def placeless(model: str) -> str:
    """The same with its version."""
    return _PLACES.sub("", _ARN.sub("", model))


def bedrock_profile(model: str) -> ModelProfile:
    """What the model behind an id takes, as far as it is known."""
    name = bare(model)
    if name.startswith(_CLAUDE):
        return _claude(name.removeprefix(_CLAUDE))
    return _longest(name, _FAMILIES) or _UNLISTED


def cache_lifetime(model: str, wanted: Literal["5m", "1h"]) -> Literal["5m", "1h"] | None:
    """For how long the model would cache a prompt on request; None where it takes no mark for it."""
    name = bare(model)
    if not name.startswith(_CACHES):
        return None
    return "5m" if name.startswith(_FIVE_MINUTES_ONLY) else wanted


def _claude(name: str) -> ModelProfile:
    """Converse has no word for an effort, and no thought of a model goes back through it yet."""
    profile = _longest(name, ANTHROPIC_FAMILIES) or ANTHROPIC_UNLISTED
    able = profile.capabilities - {Capability.REASONING}
    return replace(profile, capabilities=able, thinking=None, thoughts=None)


def _longest(name: str, families: Mapping[str, ModelProfile]) -> ModelProfile | None:
    prefix = max((prefix for prefix in families if name.startswith(prefix)), key=len, default=None)
    return None if prefix is None else families[prefix]
