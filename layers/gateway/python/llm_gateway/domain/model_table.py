"""What each vendor's models can take, as reviewed data: the price table's windows are wrong too often to route by.

A name is matched by its longest prefix here, so that dated snapshots follow their family, and a new member of a family is taken
for its plainest one until it has its own row. `SOURCES` names the pages, which were read in November 2026. `docs/models.md` shows
the table; `python -m llm_gateway.entrypoints.models check --sdk` says what the vendors' SDKs know and the table does not.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Final, Literal

from llm_gateway.domain.chat import ReasoningEffort
from llm_gateway.domain.providers import Api, Capability
from llm_gateway.values import dataclass


class Quirk(StrEnum):
    """What a model refuses although it has the capability."""

    ONE_SAMPLING_PARAMETER = "one_sampling_parameter"  # temperature or top_p, not both
    NO_FORCED_TOOL = "no_forced_tool"  # tool_choice auto or none only
    NO_PREFILL = "no_prefill"  # the last message must not be the assistant's
    TOOLS_WITHOUT_REASONING = (
        "tools_without_reasoning"  # Chat Completions takes tools with reasoning_effort "none" only
    )
    NO_TOOLS_IN_CHAT = "no_tools_in_chat"  # Chat Completions takes no tools at all
    SAMPLING_WITHOUT_REASONING = (
        "sampling_without_reasoning"  # temperature, top_p and logprobs with reasoning_effort "none" only
    )
    # With an effort: no sampling parameter, no forced tool, and the last message is not the assistant's.
    THINKS_FREELY = "thinks_freely"


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
    levels of reasoning that can be asked for, where the model has that capability. `thinking` is how Claude is told to: to the
    depth of an effort, or within a budget of tokens; `not_thinking` is how it is told not to. `api` is by which of OpenAI's APIs
    a model is asked, and `thoughts` whose reasoning items it can read; one that `binds_thoughts` reads those alone that follow
    the same words as when they were thought.
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
    thinking: Literal["adaptive", "budget"] | None = None
    not_thinking: Literal["disabled", "between_tools"] = "disabled"
    api: Api = Api.CHAT_COMPLETIONS
    thoughts: str | None = None
    binds_thoughts: bool = False


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
_GPT_PLAIN: Final = _GPT - {Capability.JSON, Capability.JSON_SCHEMA}
_GPT_AUDIO: Final = (_GPT | {Capability.AUDIO}) - {Capability.JSON, Capability.JSON_SCHEMA}
# By the Responses API, which has no words for texts to stop at and for a seed.
_REASONING: Final = _ALL - _SAMPLING - {Capability.STOP, Capability.SEED, Capability.LOGPROBS, Capability.AUDIO}
_CLAUDE: Final = _ALL - {Capability.SEED, Capability.AUDIO, Capability.LOGPROBS}
_CLAUDE_NO_SCHEMA: Final = _CLAUDE - {Capability.JSON_SCHEMA}
_CLAUDE_4_7: Final = _CLAUDE - _SAMPLING
_LOCAL: Final = _ALL - {Capability.IMAGES, Capability.TOOLS, Capability.FILES, Capability.AUDIO, Capability.REASONING}

_ONE_SAMPLING: Final = frozenset({Quirk.ONE_SAMPLING_PARAMETER})
_NO_PREFILL: Final = frozenset({Quirk.NO_PREFILL})
_NO_FORCED_TOOL: Final = frozenset({Quirk.NO_PREFILL, Quirk.NO_FORCED_TOOL})

_O_LEVELS: Final[tuple[ReasoningEffort, ...]] = ("low", "medium", "high")
_GPT_5: Final[tuple[ReasoningEffort, ...]] = ("minimal", "low", "medium", "high")
_GPT_5_1: Final[tuple[ReasoningEffort, ...]] = ("none", "low", "medium", "high")
_GPT_5_2: Final[tuple[ReasoningEffort, ...]] = ("none", "low", "medium", "high", "xhigh")
_GPT_5_6: Final[tuple[ReasoningEffort, ...]] = ("none", "low", "medium", "high", "xhigh", "max")
_ALWAYS: Final[tuple[ReasoningEffort, ...]] = ("low", "medium", "high", "xhigh", "max")
_PRO: Final[tuple[ReasoningEffort, ...]] = ("medium", "high", "xhigh")
_CODEX: Final[tuple[ReasoningEffort, ...]] = ("low", "medium", "high", "xhigh")
_CHAT: Final[tuple[ReasoningEffort, ...]] = ("medium",)
_BUDGETS: Final[tuple[ReasoningEffort, ...]] = ("none", "low", "medium", "high")
_CLAUDE_4_6: Final[tuple[ReasoningEffort, ...]] = ("none", "low", "medium", "high", "max")


def _openai(
    window: int,
    output: int,
    *,
    can: frozenset[Capability] = _GPT,
    image: int = 0,
    tokenizer: Tokenizer = O200K,
) -> ModelProfile:
    return ModelProfile(
        context_window=window,
        max_output_tokens=output,
        # A document's pages are looked at, too.
        capabilities=can if image else can - {Capability.IMAGES, Capability.FILES},
        tokenizer=tokenizer,
        image_tokens=image,
    )


def _reasoning(
    window: int,
    output: int,
    efforts: tuple[ReasoningEffort, ...],
    *,
    image: int = 0,
    without: frozenset[Capability] = frozenset(),
    quirks: frozenset[Quirk] = frozenset(),
) -> ModelProfile:
    """A model that thinks first. It is asked by the Responses API, which alone takes its thoughts back."""
    can = _REASONING - without if image else _REASONING - without - {Capability.IMAGES, Capability.FILES}
    return ModelProfile(
        context_window=window,
        # The whole output is kept free, however little of it a request asks for.
        max_input_tokens=window - output,
        max_output_tokens=output,
        capabilities=can if efforts else can - {Capability.REASONING},
        quirks=quirks,
        tokenizer=O200K,
        image_tokens=image,
        efforts=efforts,
        api=Api.RESPONSES,
        thoughts="openai",
    )


def _gpt_5(efforts: tuple[ReasoningEffort, ...], *, image: int = 2_489) -> ModelProfile:
    return _reasoning(400_000, 128_000, efforts, image=image, quirks=_sampling(efforts))


def _large(efforts: tuple[ReasoningEffort, ...], *chat: Quirk) -> ModelProfile:
    """The flagships since GPT-5.4; `chat` is what they refuse on Chat Completions."""
    return _reasoning(1_050_000, 128_000, efforts, image=10_000, quirks=_sampling(efforts) | frozenset(chat))


def _sampling(efforts: tuple[ReasoningEffort, ...]) -> frozenset[Quirk]:
    # Since GPT-5.2, those that need not reason take sampling parameters where they do not.
    return frozenset({Quirk.SAMPLING_WITHOUT_REASONING} if {"none", "xhigh"} <= set(efforts) else ())


def _claude(
    window: int,
    output: int,
    *,
    can: frozenset[Capability],
    efforts: tuple[ReasoningEffort, ...] = (),
    thinking: Literal["adaptive", "budget"] | None = None,
    not_thinking: Literal["disabled", "between_tools"] = "disabled",
    quirks: frozenset[Quirk] = frozenset(),
    default_output: int = 4_096,
    image: int = 1_600,
) -> ModelProfile:
    return ModelProfile(
        context_window=window,
        max_output_tokens=output,
        default_output_tokens=default_output,
        capabilities=can if efforts else can - {Capability.REASONING},
        quirks=quirks | {Quirk.THINKS_FREELY},
        tokenizer=CLAUDE if Capability.TEMPERATURE in can else CLAUDE_4_7,
        image_tokens=image,
        efforts=efforts,
        thinking=thinking,
        not_thinking=not_thinking,
        thoughts="anthropic",
    )


def _claude_4_5(output: int, *, can: frozenset[Capability] = _CLAUDE, one: bool = True) -> ModelProfile:
    """It thinks within a budget of tokens."""
    quirks = _ONE_SAMPLING if one else frozenset[Quirk]()
    return _claude(200_000, output, can=can, efforts=_BUDGETS, thinking="budget", quirks=quirks)


def _claude_4_7(
    quirks: frozenset[Quirk],
    *,
    efforts: tuple[ReasoningEffort, ...] = _GPT_5_6,
    not_thinking: Literal["disabled", "between_tools"] = "disabled",
    default_output: int = 4_096,
) -> ModelProfile:
    return _claude(
        1_000_000,
        128_000,
        can=_CLAUDE_4_7,
        efforts=efforts,
        thinking="adaptive",
        not_thinking=not_thinking,
        quirks=quirks,
        default_output=default_output,
        image=4_784,
    )


def _claude_5(
    *,
    efforts: tuple[ReasoningEffort, ...] = _ALWAYS,
    quirks: frozenset[Quirk] = _NO_FORCED_TOOL,
    not_thinking: Literal["disabled", "between_tools"] = "disabled",
    binds: bool = True,
) -> ModelProfile:
    """It thinks before it answers, and needs room for both; most of them always do."""
    profile = _claude_4_7(quirks, efforts=efforts, not_thinking=not_thinking, default_output=THINKING_OUTPUT)
    return replace(profile, binds_thoughts=binds)


THINKING_OUTPUT: Final = 16_384
"""Room for a thought and an answer."""

OPENAI_FAMILIES: Final = {
    "gpt-3.5-turbo": _openai(16_385, 4_096, can=_GPT - {Capability.JSON_SCHEMA}, tokenizer=CL100K),
    "gpt-3.5-turbo-16k": _openai(16_385, 4_096, can=_GPT - {Capability.JSON_SCHEMA}, tokenizer=CL100K),
    "gpt-4": _openai(8_192, 8_192, can=_GPT_PLAIN, tokenizer=CL100K),
    "gpt-4-32k": _openai(32_768, 8_192, can=_GPT_PLAIN, tokenizer=CL100K),
    "gpt-4-0125": _openai(128_000, 4_096, can=_GPT - {Capability.JSON_SCHEMA}, tokenizer=CL100K),
    "gpt-4-1106": _openai(128_000, 4_096, can=_GPT - {Capability.JSON_SCHEMA}, tokenizer=CL100K),
    "gpt-4-turbo": _openai(
        128_000, 4_096, can=_GPT - {Capability.JSON_SCHEMA, Capability.FILES}, image=1_445, tokenizer=CL100K
    ),
    "gpt-4-vision": _openai(
        128_000, 4_096, can=_GPT_PLAIN - {Capability.TOOLS, Capability.FILES}, image=1_445, tokenizer=CL100K
    ),
    "gpt-4.1": _openai(1_047_576, 32_768, image=1_445),
    "gpt-4.1-mini": _openai(1_047_576, 32_768, image=2_489),
    "gpt-4.1-nano": _openai(1_047_576, 32_768, image=3_779),
    "gpt-4.5": _openai(128_000, 16_384, image=1_445),
    "gpt-4o": _openai(128_000, 16_384, image=1_445),
    "gpt-4o-2024-05-13": _openai(128_000, 4_096, can=_GPT - {Capability.JSON_SCHEMA}, image=1_445),
    "gpt-4o-audio": _openai(128_000, 16_384, can=_GPT_AUDIO),
    "gpt-4o-search": _openai(128_000, 16_384, can=_GPT - _SAMPLING - {Capability.TOOLS, Capability.SEED}),
    "gpt-4o-mini": _openai(128_000, 16_384, image=48_169),
    "gpt-4o-mini-audio": _openai(128_000, 16_384, can=_GPT_AUDIO),
    "gpt-4o-mini-search": _openai(128_000, 16_384, can=_GPT - _SAMPLING - {Capability.TOOLS, Capability.SEED}),
    "gpt-audio": _openai(128_000, 16_384, can=_GPT_AUDIO),
    "gpt-audio-mini": _openai(128_000, 16_384, can=_GPT_AUDIO),
    "chatgpt-4o": _openai(128_000, 16_384, can=_GPT - {Capability.TOOLS, Capability.JSON_SCHEMA}, image=1_445),
    "computer-use-preview": _reasoning(8_192, 1_024, (), image=1_445, without=frozenset({Capability.JSON_SCHEMA})),
    "codex-mini": _reasoning(200_000, 100_000, _O_LEVELS, image=1_275),
    # The first two know no tools, no forms and no levels, and Chat Completions alone.
    "o1-preview": replace(
        _openai(128_000, 32_768, can=_REASONING - {Capability.TOOLS, Capability.JSON, Capability.JSON_SCHEMA}),
        efforts=(),
    ),
    "o1-mini": replace(
        _openai(128_000, 65_536, can=_REASONING - {Capability.TOOLS, Capability.JSON, Capability.JSON_SCHEMA}),
        efforts=(),
    ),
    "o1": _reasoning(200_000, 100_000, _O_LEVELS, image=1_275),
    "o1-pro": _reasoning(200_000, 100_000, _O_LEVELS, image=1_275),
    "o3": _reasoning(200_000, 100_000, _O_LEVELS, image=1_275),
    "o3-pro": _reasoning(200_000, 100_000, _O_LEVELS, image=1_275),
    "o3-deep-research": _reasoning(200_000, 100_000, _CHAT, image=1_275),
    "o3-mini": _reasoning(200_000, 100_000, _O_LEVELS),
    "o4-mini": _reasoning(200_000, 100_000, _O_LEVELS, image=2_642),
    "o4-mini-deep-research": _reasoning(200_000, 100_000, _CHAT, image=2_642),
    "gpt-5": _gpt_5(_GPT_5),
    "gpt-5-mini": _gpt_5(_GPT_5),
    "gpt-5-nano": _gpt_5(_GPT_5, image=3_779),
    "gpt-5-codex": _gpt_5(_O_LEVELS),
    "gpt-5-pro": _gpt_5(("high",)),
    "gpt-5-chat": _openai(128_000, 16_384, can=_GPT - {Capability.TOOLS}, image=2_489),
    "gpt-5.1": _gpt_5(_GPT_5_1),
    "gpt-5.1-mini": _gpt_5(_GPT_5_1),
    "gpt-5.1-codex": _gpt_5(_O_LEVELS),
    "gpt-5.1-codex-max": _gpt_5(_CODEX),
    "gpt-5.1-chat": _reasoning(128_000, 16_384, _CHAT, image=2_489),
    "gpt-5.2": _gpt_5(_GPT_5_2),
    "gpt-5.2-pro": _gpt_5(_PRO),
    "gpt-5.2-chat": _reasoning(128_000, 16_384, _CHAT, image=2_489),
    "gpt-5.3": _gpt_5(_CODEX),
    "gpt-5.3-chat": _reasoning(128_000, 16_384, _CHAT, image=2_489),
    "gpt-5.4": _large(_GPT_5_2),
    "gpt-5.4-pro": _large(_PRO),
    "gpt-5.4-mini": _gpt_5(_GPT_5_2, image=10_000),
    "gpt-5.4-nano": _gpt_5(_GPT_5_2, image=10_000),
    "gpt-5.5": _large(_GPT_5_2),
    "gpt-5.5-pro": _large(_PRO),
    **dict.fromkeys(
        (
            *("gpt-5.6", "gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", "gpt-5.6-cyber"),
            *("gpt-daybreak-blue", "gpt-daybreak-red"),
        ),
        _large(_GPT_5_6, Quirk.TOOLS_WITHOUT_REASONING),
    ),
    # They always reason, and Chat Completions takes no tools from them then; Sol and Luna of the first version need not.
    **dict.fromkeys(
        (
            *("gpt-6", "gpt-6-astra", "gpt-6-cyber", "gpt-6-rosalind", "gpt-6.1-sol", "gpt-6.1-terra"),
            *("gpt-6.2-astra", "gpt-6.2-astra-law", "gpt-6.2-sol", "gpt-rosalind-research"),
        ),
        _large(_ALWAYS, Quirk.NO_TOOLS_IN_CHAT),
    ),
    "gpt-6-sol": _large(_GPT_5_6, Quirk.TOOLS_WITHOUT_REASONING),
    "gpt-6-luna": _large(_GPT_5_6, Quirk.TOOLS_WITHOUT_REASONING),
}

ANTHROPIC_FAMILIES: Final = {
    "claude-3-": _claude(200_000, 4_096, can=_CLAUDE_NO_SCHEMA),
    "claude-3-5-": _claude(200_000, 8_192, can=_CLAUDE_NO_SCHEMA),
    "claude-3-7-": _claude_4_5(64_000, can=_CLAUDE_NO_SCHEMA, one=False),
    "claude-opus-4-0": _claude_4_5(32_000, can=_CLAUDE_NO_SCHEMA, one=False),
    "claude-opus-4-2025": _claude_4_5(32_000, can=_CLAUDE_NO_SCHEMA, one=False),
    "claude-opus-4-1": _claude_4_5(32_000, can=_CLAUDE_NO_SCHEMA),
    "claude-sonnet-4-0": _claude_4_5(64_000, can=_CLAUDE_NO_SCHEMA, one=False),
    "claude-sonnet-4-2025": _claude_4_5(64_000, can=_CLAUDE_NO_SCHEMA, one=False),
    "claude-haiku-4-5": _claude_4_5(64_000),
    "claude-sonnet-4-5": _claude_4_5(64_000),
    "claude-opus-4-5": _claude_4_5(64_000),
    "claude-sonnet-4-6": _claude(
        1_000_000, 64_000, can=_CLAUDE, efforts=_CLAUDE_4_6, thinking="adaptive", quirks=_ONE_SAMPLING | _NO_PREFILL
    ),
    "claude-opus-4-6": _claude(
        1_000_000, 128_000, can=_CLAUDE, efforts=_CLAUDE_4_6, thinking="adaptive", quirks=_ONE_SAMPLING | _NO_PREFILL
    ),
    "claude-opus-4-7": _claude_4_7(_NO_PREFILL),
    "claude-opus-4-8": _claude_4_7(_NO_PREFILL),
    "claude-opus-5": _claude_5(efforts=_GPT_5_6, quirks=_NO_PREFILL, binds=False),
    "claude-opus-5-5": _claude_5(),
    "claude-sonnet-5": _claude_5(efforts=_GPT_5_6, quirks=_NO_PREFILL, binds=False),
    "claude-sonnet-5-5": _claude_5(efforts=_GPT_5_6, not_thinking="between_tools"),
    "claude-haiku-5-5": _claude_5(efforts=_GPT_5_6, quirks=_NO_PREFILL),
    "claude-fable-5": _claude_5(quirks=_NO_PREFILL, binds=False),
    "claude-fable-5-1": _claude_5(),
    "claude-fable-5-2": _claude_5(),
    **dict.fromkeys(("claude-mythos-", "claude-mythos-5"), _claude_5(binds=False)),
    **dict.fromkeys(("claude-mythos-5-1", "claude-mythos-5-2"), _claude_5()),
    "claude-mythos-preview": _claude_5(efforts=("low", "medium", "high", "max"), binds=False),
}

SOURCES: Final = {
    "openai": (
        "https://developers.openai.com/api/docs/models",
        "https://developers.openai.com/api/docs/guides/latest-model",
        "https://developers.openai.com/api/docs/guides/reasoning",
        "https://developers.openai.com/api/docs/guides/deployment-checklist",
    ),
    "anthropic": (
        "https://platform.claude.com/docs/en/models",
        "https://platform.claude.com/docs/en/build-with-claude/effort",
        "https://platform.claude.com/docs/en/build-with-claude/thinking",
        "https://platform.claude.com/docs/en/build-with-claude/preserved-thinking/prefix-checks",
    ),
}
"""The vendors' pages that the rows were read from."""

# A deployment's own name says nothing of its model: the vendor is asked, in the smallest window it still sells.
OPENAI_UNLISTED: Final = _openai(128_000, 16_384, image=10_000)
# A name newer than this table: as the newest known behave, in the smallest window they have.
ANTHROPIC_UNLISTED: Final = _claude(
    200_000,
    64_000,
    can=_CLAUDE_4_7,
    efforts=("low", "medium", "high"),
    thinking="adaptive",
    quirks=_NO_PREFILL,
    default_output=THINKING_OUTPUT,
    image=4_784,
)
# The operator's own server knows its window, and its limits, better than any table.
LOCAL_UNLISTED: Final = ModelProfile(capabilities=_LOCAL, tokenizer=BYTES)
COMPATIBLE_UNLISTED: Final = ModelProfile(capabilities=_ALL, tokenizer=BYTES, image_tokens=2_500)
