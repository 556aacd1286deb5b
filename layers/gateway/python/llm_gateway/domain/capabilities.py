"""Capabilities: which model can take which request, asked of data and never of a vendor's name."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from llm_gateway.domain.chat import (
    EFFORTS,
    AudioPart,
    ChatRequest,
    FilePart,
    ImagePart,
    MessageRole,
    NamedTool,
    Parameters,
    Part,
    ReasoningEffort,
)
from llm_gateway.domain.model_table import THINKING_OUTPUT, ModelProfile, Quirk
from llm_gateway.domain.providers import Api, Capability, ModelConfig, ProviderKind
from llm_gateway.domain.vendors import VENDORS
from llm_gateway.errors import FieldError, UnsupportedParameter

# What a reservation assumes of an answer whose length nobody named.
_USUAL_OUTPUT_TOKENS = 4_096
# Room for a thought of a depth, and the answer after it.
_ROOM_TO_THINK: Final[Mapping[ReasoningEffort, int]] = {
    "minimal": 4_096,
    "low": 8_192,
    "medium": THINKING_OUTPUT,
    "high": 2 * THINKING_OUTPUT,
    "xhigh": 4 * THINKING_OUTPUT,
    "max": 8 * THINKING_OUTPUT,
}
# A thought within a budget of tokens has this much of them at least, and so has the answer.
LEAST_THINKING_TOKENS: Final = 1_024


def capabilities_of(kind: ProviderKind, model: ModelConfig, api: Api = Api.AUTO) -> ModelProfile:
    """What `model` can take: its family's row of the table, under what the operator's configuration overrides.

    `api` overrides by which of OpenAI's APIs it is asked.
    """
    profile = VENDORS[kind].profile(model.name)
    if kind is ProviderKind.OPENAI and api not in (Api.AUTO, profile.api):
        profile = _asked_by(api, profile)
    if model.context_window is not None:
        profile = replace(profile, context_window=model.context_window, max_input_tokens=None)
    if model.max_output_tokens is not None:
        profile = replace(profile, max_output_tokens=model.max_output_tokens)
    if model.capabilities is not None:
        profile = replace(profile, capabilities=model.capabilities)
    return profile


def _asked_by(api: Api, profile: ModelProfile) -> ModelProfile:
    if api is Api.RESPONSES:
        able = profile.capabilities - {Capability.STOP, Capability.SEED, Capability.AUDIO}
        return replace(profile, api=api, capabilities=able, thoughts="openai")
    able = profile.capabilities | {Capability.SEED}
    if Quirk.NO_TOOLS_IN_CHAT in profile.quirks:
        able -= {Capability.TOOLS}
    return replace(profile, api=api, capabilities=able, thoughts=None)


def adapted(chat: ChatRequest, profile: ModelProfile) -> tuple[ChatRequest, int]:
    """`chat` as it is sent to such a model, and the output tokens to reserve for it.

    Raises `UnsupportedParameter`, which names every field that the model cannot take.
    """
    errors = [_refused(field, chat, profile) for field in unsupported(chat, profile)]
    if errors:
        raise UnsupportedParameter("; ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)
    if chat.tools and profile.api is Api.CHAT_COMPLETIONS and Quirk.TOOLS_WITHOUT_REASONING in profile.quirks:
        chat = replace(chat, without_reasoning=True)
    limit, reserve = output_limit(chat.parameters, profile), output_reserve(chat.parameters, profile)
    if limit == chat.parameters.max_output_tokens:
        return chat, reserve
    return replace(chat, parameters=replace(chat.parameters, max_output_tokens=limit)), reserve


def unsupported(request: ChatRequest, profile: ModelProfile) -> tuple[str, ...]:
    """The fields of `request` that such a model cannot take, as the API names them: `parameters.temperature`, `tools`, …"""
    return (
        *_unsupported_parameters(request, profile),
        *_unsupported_tools(request, profile),
        *_unsupported_output(request, profile),
        *_unsupported_messages(request, profile),
    )


def output_limit(parameters: Parameters, profile: ModelProfile) -> int | None:
    """The maximum to send: the request's own, else the one that the model's wire demands, else None."""
    if parameters.max_output_tokens is not None or profile.default_output_tokens is None:
        return parameters.max_output_tokens
    room = _ROOM_TO_THINK.get(parameters.reasoning_effort or "none", 0)
    return _at_most(max(profile.default_output_tokens, room), profile)


def output_reserve(parameters: Parameters, profile: ModelProfile) -> int:
    """Output tokens to reserve under a limit or a budget: the maximum that is sent, or a usual answer's."""
    limit = output_limit(parameters, profile)
    usual = max(_USUAL_OUTPUT_TOKENS, _ROOM_TO_THINK.get(parameters.reasoning_effort or "none", 0))
    return _at_most(usual, profile) if limit is None else limit


def efforts_of(profile: ModelProfile) -> tuple[ReasoningEffort, ...]:
    """The levels of reasoning that can be asked for; all of them where nobody knows."""
    if Capability.REASONING not in profile.capabilities:
        return ()
    return EFFORTS if profile.efforts is None else profile.efforts


def _refused(field: str, chat: ChatRequest, profile: ModelProfile) -> FieldError:
    model, effort = chat.model, chat.parameters.reasoning_effort
    message = "cannot take this: leave it out or ask for another model"
    if field == "parameters.max_output_tokens":
        most = profile.max_output_tokens
        message = f"writes at most {most} tokens: ask for no more of them, or for another model"
    if field == "parameters.reasoning_effort":
        levels = efforts_of(profile)
        message = f"has these levels: {', '.join(levels)}" if levels else "has no levels of reasoning: leave it out"
        if effort in levels:
            message = (
                "cannot take this with tools on Chat Completions: ask it by the Responses API (api of the provider)"
            )
            if not chat.tools:
                message = f"needs max_output_tokens of at least {2 * LEAST_THINKING_TOKENS} for it"
    elif effort not in (None, "none") and Quirk.THINKS_FREELY in profile.quirks and not field.startswith("messages["):
        message = "cannot take this together with reasoning_effort: leave one of them out or ask for another model"
    return FieldError(field, f"{model} {message}")


def _at_most(tokens: int, profile: ModelProfile) -> int:
    return tokens if profile.max_output_tokens is None else min(tokens, profile.max_output_tokens)


def _unsupported_parameters(request: ChatRequest, profile: ModelProfile) -> Iterator[str]:
    parameters = request.parameters
    able = profile.capabilities if parameters.reasoning_effort is None else _able_with_effort(parameters, profile)
    if parameters.temperature is not None and Capability.TEMPERATURE not in able:
        yield "parameters.temperature"
    if profile.max_output_tokens is not None and (parameters.max_output_tokens or 0) > profile.max_output_tokens:
        yield "parameters.max_output_tokens"
    one_only = Quirk.ONE_SAMPLING_PARAMETER in profile.quirks and parameters.temperature is not None
    if parameters.top_p is not None and (Capability.TOP_P not in able or one_only):
        yield "parameters.top_p"
    if parameters.stop and Capability.STOP not in able:
        yield "parameters.stop"
    if parameters.seed is not None and Capability.SEED not in able:
        yield "parameters.seed"
    if parameters.reasoning_effort is not None and not _can_think(request, profile):
        yield "parameters.reasoning_effort"
    if parameters.logprobs is not None and Capability.LOGPROBS not in able:
        yield "parameters.logprobs"


def _able_with_effort(parameters: Parameters, profile: ModelProfile) -> frozenset[Capability]:
    if _thinks_freely(parameters, profile):
        return profile.capabilities - {Capability.TEMPERATURE, Capability.TOP_P}
    if parameters.reasoning_effort == "none" and Quirk.SAMPLING_WITHOUT_REASONING in profile.quirks:
        return profile.capabilities | {Capability.TEMPERATURE, Capability.TOP_P, Capability.LOGPROBS}
    return profile.capabilities


def _can_think(request: ChatRequest, profile: ModelProfile) -> bool:
    """Whether the model has the asked level of reasoning, and can use it in this request."""
    effort, most = request.parameters.reasoning_effort, request.parameters.max_output_tokens
    if effort not in efforts_of(profile):
        return False
    if effort == "none":
        return True
    if profile.thinking == "budget" and most is not None and most < 2 * LEAST_THINKING_TOKENS:
        return False
    in_chat = profile.api is Api.CHAT_COMPLETIONS and Quirk.TOOLS_WITHOUT_REASONING in profile.quirks
    return not (request.tools and in_chat)


def _thinks_freely(parameters: Parameters, profile: ModelProfile) -> bool:
    return parameters.reasoning_effort not in (None, "none") and Quirk.THINKS_FREELY in profile.quirks


def _unsupported_tools(request: ChatRequest, profile: ModelProfile) -> Iterator[str]:
    if request.tools and Capability.TOOLS not in profile.capabilities:
        yield "tools"
    forced = request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool)
    if not (request.tools and forced):
        return
    if Quirk.NO_FORCED_TOOL in profile.quirks or _thinks_freely(request.parameters, profile):
        yield "tool_choice"


def _unsupported_output(request: ChatRequest, profile: ModelProfile) -> Iterator[str]:
    if request.output.type == "json" and Capability.JSON not in profile.capabilities:
        yield "output.type"
    if request.output.type == "json_schema" and Capability.JSON_SCHEMA not in profile.capabilities:
        yield "output.schema"


# What a model has to be able to take for a part; nothing for text.
_NEEDED: Final[Mapping[type[Part], Capability]] = {
    ImagePart: Capability.IMAGES,
    FilePart: Capability.FILES,
    AudioPart: Capability.AUDIO,
}


def _unsupported_messages(request: ChatRequest, profile: ModelProfile) -> Iterator[str]:
    messages = request.messages
    able = {None, *profile.capabilities}
    for index, message in enumerate(messages):
        if message.tool_calls and Capability.TOOLS not in profile.capabilities:
            yield f"messages[{index}].tool_calls"
        if message.role is MessageRole.TOOL and Capability.TOOLS not in profile.capabilities:
            yield f"messages[{index}]"
        yield from (
            f"messages[{index}].content[{place}]"
            for place, part in enumerate(message.content)
            if _NEEDED.get(type(part)) not in able
        )
    last = messages[-1].role if messages else None
    if last is MessageRole.ASSISTANT and (
        Quirk.NO_PREFILL in profile.quirks or _thinks_freely(request.parameters, profile)
    ):
        yield f"messages[{len(messages) - 1}]"
