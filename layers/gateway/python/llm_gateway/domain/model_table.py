"""What each vendor's models can take, as reviewed data: the price table's windows are wrong too often to route by.

Sources: the vendors' model pages and migration guides of November 2026. A name is matched by its longest prefix here, so that
dated snapshots follow their family, and a new member of a family is taken for its plainest one until it has its own row.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from llm_gateway.domain.chat import ReasoningEffort
from llm_gateway.domain.providers import Capability


class Quirk(StrEnum):
    """What a model refuses although it has the capability."""

    ONE_SAMPLING_PARAMETER = "one_sampling_parameter"  # temperature or top_p, not both
    NO_FORCED_TOOL = "no_forced_tool"  # tool_choice auto or none only
    NO_PREFILL = "no_prefill"  # the last message must not be the assistant's
    TOOLS_WITHOUT_REASONING = (
        "tools_without_reasoning"  # Chat Completions takes tools with reasoning_effort "none" only
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenizer:
    """How to estimate a model's tokens: those of a public encoding (None: by bytes), and how many per hundred to reserve."""

    encoding: str | None
    reserve_percent: int = 100
    tools_prompt_tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """What one model can take. None: not known, so not checked.

    `context_window` bounds input and output together, `max_input_tokens` the input alone. `default_output_tokens` is sent where a
    request names no maximum and the wire demands one. `image_tokens` is the most that one image may cost. `efforts` are the
    levels of reasoning that can be asked for, where the model has that capability.
    """

    context_window: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    default_output_tokens: int | None = None
    capabilities: frozenset[Capability]
    quirks: frozenset[Quirk] = frozenset()
    tokenizer: Tokenizer
    image_tokens: int = 0
    efforts: tuple[ReasoningEffort, ...] | None = None


O200K: Final = Tokenizer(encoding="o200k_base")
CL100K: Final = Tokenizer(encoding="cl100k_base")
# Anthropic publishes no tokenizer: a text takes up to half as many tokens again as in o200k, since Claude 4.7 up to nine tenths.
# With tools, it adds a prompt of its own.
CLAUDE: Final = Tokenizer(encoding="o200k_base", reserve_percent=150, tools_prompt_tokens=350)
CLAUDE_4_7: Final = Tokenizer(encoding="o200k_base", reserve_percent=190, tools_prompt_tokens=810)
BYTES: Final = Tokenizer(encoding=None)

_ALL: Final = frozenset(Capability)
_SAMPLING: Final = frozenset({Capability.TEMPERATURE, Capability.TOP_P})
_GPT: Final = _ALL - {Capability.AUDIO, Capability.REASONING}
_REASONING: Final = _ALL - _SAMPLING - {Capability.STOP, Capability.LOGPROBS, Capability.AUDIO}
_REASONING_NO_TOOLS: Final = _REASONING - {Capability.TOOLS}
_CLAUDE: Final = _ALL - {Capability.SEED, Capability.AUDIO, Capability.LOGPROBS}
_CLAUDE_NO_SCHEMA: Final = _CLAUDE - {Capability.JSON_SCHEMA}
_CLAUDE_4_7: Final = _CLAUDE - _SAMPLING
_LOCAL: Final = _ALL - {Capability.IMAGES, Capability.TOOLS, Capability.FILES, Capability.AUDIO, Capability.REASONING}

_ONE_SAMPLING: Final = frozenset({Quirk.ONE_SAMPLING_PARAMETER})
_NO_PREFILL: Final = frozenset({Quirk.NO_PREFILL})
_NO_FORCED_TOOL: Final = frozenset({Quirk.NO_PREFILL, Quirk.NO_FORCED_TOOL})


def _openai(
    window: int,
    output: int,
    *,
    can: frozenset[Capability] = _GPT,
    image: int = 0,
    tokenizer: Tokenizer = O200K,
    quirks: frozenset[Quirk] = frozenset(),
) -> ModelProfile:
    return ModelProfile(
        context_window=window,
        # The reasoning models keep their whole output free, however little of it a request asks for.
        max_input_tokens=None if Capability.TEMPERATURE in can else window - output,
        max_output_tokens=output,
        # A document's pages are looked at, too.
        capabilities=can if image else can - {Capability.IMAGES, Capability.FILES},
        quirks=quirks,
        tokenizer=tokenizer,
        image_tokens=image,
    )


def _claude(
    window: int,
    output: int,
    *,
    can: frozenset[Capability],
    quirks: frozenset[Quirk] = frozenset(),
    default_output: int = 4_096,
    image: int = 1_600,
) -> ModelProfile:
    return ModelProfile(
        context_window=window,
        max_output_tokens=output,
        default_output_tokens=default_output,
        capabilities=can,
        quirks=quirks,
        tokenizer=CLAUDE if Capability.TEMPERATURE in can else CLAUDE_4_7,
        image_tokens=image,
    )


def _claude_4_7(quirks: frozenset[Quirk], *, default_output: int = 4_096) -> ModelProfile:
    return _claude(1_000_000, 128_000, can=_CLAUDE_4_7, quirks=quirks, default_output=default_output, image=4_784)


# Those that think before they answer need room for both.
_THINKING_OUTPUT: Final = 16_384

OPENAI_FAMILIES: Final = {
    "gpt-3.5-turbo": _openai(16_385, 4_096, can=_GPT - {Capability.JSON_SCHEMA}, tokenizer=CL100K),
    "gpt-4": _openai(8_192, 8_192, can=_GPT - {Capability.JSON, Capability.JSON_SCHEMA}, tokenizer=CL100K),
    "gpt-4-turbo": _openai(128_000, 4_096, can=_GPT - {Capability.JSON_SCHEMA}, image=1_445, tokenizer=CL100K),
    "gpt-4.1": _openai(1_047_576, 32_768, image=1_445),
    "gpt-4.1-mini": _openai(1_047_576, 32_768, image=2_489),
    "gpt-4.1-nano": _openai(1_047_576, 32_768, image=3_779),
    "gpt-4.5": _openai(128_000, 16_384, image=1_445),
    "gpt-4o": _openai(128_000, 16_384, image=1_445),
    "gpt-4o-2024-05-13": _openai(128_000, 4_096, can=_GPT - {Capability.JSON_SCHEMA}, image=1_445),
    "gpt-4o-mini": _openai(128_000, 16_384, image=48_169),
    "chatgpt-4o": _openai(128_000, 16_384, can=_GPT - {Capability.TOOLS, Capability.JSON_SCHEMA}, image=1_445),
    "o1": _openai(200_000, 100_000, can=_REASONING, image=1_275),
    "o3": _openai(200_000, 100_000, can=_REASONING, image=1_275),
    "o3-mini": _openai(200_000, 100_000, can=_REASONING),
    "o4-mini": _openai(200_000, 100_000, can=_REASONING, image=2_642),
    "gpt-5": _openai(400_000, 128_000, can=_REASONING, image=2_489),
    "gpt-5-nano": _openai(400_000, 128_000, can=_REASONING, image=3_779),
    "gpt-5.4": _openai(1_050_000, 128_000, can=_REASONING, image=10_000),
    "gpt-5.4-mini": _openai(400_000, 128_000, can=_REASONING, image=10_000),
    "gpt-5.4-nano": _openai(400_000, 128_000, can=_REASONING, image=10_000),
    "gpt-5.5": _openai(1_050_000, 128_000, can=_REASONING, image=10_000),
    "gpt-5.6": _openai(
        1_050_000, 128_000, can=_REASONING, image=10_000, quirks=frozenset({Quirk.TOOLS_WITHOUT_REASONING})
    ),
    # They always reason, and Chat Completions takes no tools from them then.
    "gpt-6": _openai(1_050_000, 128_000, can=_REASONING_NO_TOOLS, image=10_000),
}

ANTHROPIC_FAMILIES: Final = {
    "claude-3-": _claude(200_000, 4_096, can=_CLAUDE_NO_SCHEMA),
    "claude-3-5-": _claude(200_000, 8_192, can=_CLAUDE_NO_SCHEMA),
    "claude-3-7-": _claude(200_000, 64_000, can=_CLAUDE_NO_SCHEMA),
    "claude-opus-4-0": _claude(200_000, 32_000, can=_CLAUDE_NO_SCHEMA),
    "claude-opus-4-2025": _claude(200_000, 32_000, can=_CLAUDE_NO_SCHEMA),
    "claude-opus-4-1": _claude(200_000, 32_000, can=_CLAUDE_NO_SCHEMA, quirks=_ONE_SAMPLING),
    "claude-sonnet-4-0": _claude(200_000, 64_000, can=_CLAUDE_NO_SCHEMA),
    "claude-sonnet-4-2025": _claude(200_000, 64_000, can=_CLAUDE_NO_SCHEMA),
    "claude-haiku-4-5": _claude(200_000, 64_000, can=_CLAUDE, quirks=_ONE_SAMPLING),
    "claude-sonnet-4-5": _claude(200_000, 64_000, can=_CLAUDE, quirks=_ONE_SAMPLING),
    "claude-opus-4-5": _claude(200_000, 64_000, can=_CLAUDE, quirks=_ONE_SAMPLING),
    "claude-sonnet-4-6": _claude(1_000_000, 64_000, can=_CLAUDE, quirks=_ONE_SAMPLING | _NO_PREFILL),
    "claude-opus-4-6": _claude(1_000_000, 128_000, can=_CLAUDE, quirks=_ONE_SAMPLING | _NO_PREFILL),
    "claude-opus-4-7": _claude_4_7(_NO_PREFILL),
    "claude-opus-4-8": _claude_4_7(_NO_PREFILL),
    "claude-opus-5": _claude_4_7(_NO_PREFILL, default_output=_THINKING_OUTPUT),
    "claude-opus-5-5": _claude_4_7(_NO_FORCED_TOOL, default_output=_THINKING_OUTPUT),
    "claude-sonnet-5": _claude_4_7(_NO_PREFILL, default_output=_THINKING_OUTPUT),
    "claude-sonnet-5-5": _claude_4_7(_NO_FORCED_TOOL, default_output=_THINKING_OUTPUT),
    "claude-haiku-5-5": _claude_4_7(_NO_PREFILL, default_output=_THINKING_OUTPUT),
    "claude-fable-5": _claude_4_7(_NO_PREFILL, default_output=_THINKING_OUTPUT),
    "claude-fable-5-1": _claude_4_7(_NO_FORCED_TOOL, default_output=_THINKING_OUTPUT),
    "claude-fable-5-2": _claude_4_7(_NO_FORCED_TOOL, default_output=_THINKING_OUTPUT),
    "claude-mythos-": _claude_4_7(_NO_FORCED_TOOL, default_output=_THINKING_OUTPUT),
}

# A deployment's own name says nothing of its model: the vendor is asked, in the smallest window it still sells.
OPENAI_UNLISTED: Final = _openai(128_000, 16_384, image=10_000)
# A name newer than this table: as the newest known behave, in the smallest window they have.
ANTHROPIC_UNLISTED: Final = _claude(
    200_000, 64_000, can=_CLAUDE_4_7, quirks=_NO_PREFILL, default_output=_THINKING_OUTPUT, image=4_784
)
# The operator's own server knows its window, and its limits, better than any table.
LOCAL_UNLISTED: Final = ModelProfile(capabilities=_LOCAL, tokenizer=BYTES)
COMPATIBLE_UNLISTED: Final = ModelProfile(capabilities=_ALL, tokenizer=BYTES, image_tokens=2_500)
