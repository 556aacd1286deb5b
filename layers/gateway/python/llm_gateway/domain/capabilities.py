"""Capabilities: which model can take which request, asked of data and never of a vendor's name."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from llm_gateway.domain.chat import (
    EFFORTS,
    AudioPart,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    MessageRole,
    NamedTool,
    Parameters,
    Part,
    ReasoningEffort,
)
from llm_gateway.domain.model_table import ModelProfile, Quirk
from llm_gateway.domain.providers import Capability, ModelConfig, ProviderKind
from llm_gateway.domain.vendors import VENDORS
from llm_gateway.errors import FieldError, UnsupportedParameter

# What a reservation assumes of an answer whose length nobody named.
_USUAL_OUTPUT_TOKENS = 4_096


def capabilities_of(kind: ProviderKind, model: ModelConfig) -> ModelProfile:
    """What `model` can take: its family's row of the table, under what the operator's configuration overrides."""
    profile = VENDORS[kind].profile(model.name)
    if model.context_window is not None:
        profile = replace(profile, context_window=model.context_window, max_input_tokens=None)
    if model.max_output_tokens is not None:
        profile = replace(profile, max_output_tokens=model.max_output_tokens)
    if model.capabilities is not None:
        profile = replace(profile, capabilities=model.capabilities)
    return profile


def adapted(chat: ChatRequest, profile: ModelProfile) -> tuple[ChatRequest, int]:
    """`chat` as it is sent to such a model, and the output tokens to reserve for it.

    Raises `UnsupportedParameter`, which names every field that the model cannot take.
    """
    errors = [_refused(field, chat.model, profile) for field in unsupported(chat, profile)]
    if errors:
        raise UnsupportedParameter("; ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)
    limit, reserve = output_limit(chat.parameters, profile), output_reserve(chat.parameters, profile)
    if limit == chat.parameters.max_output_tokens:
        return chat, reserve
    return replace(chat, parameters=replace(chat.parameters, max_output_tokens=limit)), reserve


def unsupported(request: ChatRequest, profile: ModelProfile) -> tuple[str, ...]:
    """The fields of `request` that such a model cannot take, as the API names them: `parameters.temperature`, `tools`, …"""
    return (
        *_unsupported_parameters(request.parameters, profile),
        *_unsupported_tools(request, profile),
        *_unsupported_output(request, profile),
        *_unsupported_messages(request.messages, profile),
    )


def output_limit(parameters: Parameters, profile: ModelProfile) -> int | None:
    """The maximum to send: the request's own, else the one that the model's wire demands, else None."""
    if parameters.max_output_tokens is not None or profile.default_output_tokens is None:
        return parameters.max_output_tokens
    return _at_most(profile.default_output_tokens, profile)


def output_reserve(parameters: Parameters, profile: ModelProfile) -> int:
    """Output tokens to reserve under a limit or a budget: the maximum that is sent, or a usual answer's."""
    limit = output_limit(parameters, profile)
    return _at_most(_USUAL_OUTPUT_TOKENS, profile) if limit is None else limit


def efforts_of(profile: ModelProfile) -> tuple[ReasoningEffort, ...]:
    """The levels of reasoning that can be asked for; all of them where nobody knows."""
    if Capability.REASONING not in profile.capabilities:
        return ()
    return EFFORTS if profile.efforts is None else profile.efforts


def _refused(field: str, model: str, profile: ModelProfile) -> FieldError:
    message = "cannot take this: leave it out or ask for another model"
    if field == "parameters.max_output_tokens":
        most = profile.max_output_tokens
        message = f"writes at most {most} tokens: ask for no more of them, or for another model"
    if field == "parameters.reasoning_effort":
        levels = efforts_of(profile)
        message = f"has these levels: {', '.join(levels)}" if levels else "has no levels of reasoning: leave it out"
    return FieldError(field, f"{model} {message}")


def _at_most(tokens: int, profile: ModelProfile) -> int:
    return tokens if profile.max_output_tokens is None else min(tokens, profile.max_output_tokens)


def _unsupported_parameters(parameters: Parameters, profile: ModelProfile) -> Iterator[str]:
    able = profile.capabilities
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
    if parameters.reasoning_effort is not None and parameters.reasoning_effort not in efforts_of(profile):
        yield "parameters.reasoning_effort"
    if parameters.logprobs is not None and Capability.LOGPROBS not in able:
        yield "parameters.logprobs"


def _unsupported_tools(request: ChatRequest, profile: ModelProfile) -> Iterator[str]:
    if request.tools and Capability.TOOLS not in profile.capabilities:
        yield "tools"
    forced = request.tool_choice == "required" or isinstance(request.tool_choice, NamedTool)
    if request.tools and forced and Quirk.NO_FORCED_TOOL in profile.quirks:
        yield "tool_choice"


def _unsupported_output(request: ChatRequest, profile: ModelProfile) -> Iterator[str]:
    if request.output.type == "json" and Capability.JSON not in profile.capabilities:
        yield "output.type"
    if request.output.type == "json_schema" and Capability.JSON_SCHEMA not in profile.capabilities:
        yield "output.schema"


def _needed(part: Part) -> Capability | None:
    """What a model has to be able to take for this part; None for text."""
    return _NEEDED.get(type(part))


_NEEDED: Final = {ImagePart: Capability.IMAGES, FilePart: Capability.FILES, AudioPart: Capability.AUDIO}


def _unsupported_messages(messages: tuple[Message, ...], profile: ModelProfile) -> Iterator[str]:
    able = {None, *profile.capabilities}
    for index, message in enumerate(messages):
        if message.tool_calls and Capability.TOOLS not in profile.capabilities:
            yield f"messages[{index}].tool_calls"
        if message.role is MessageRole.TOOL and Capability.TOOLS not in profile.capabilities:
            yield f"messages[{index}]"
        yield from (
            f"messages[{index}].content[{place}]"
            for place, part in enumerate(message.content)
            if _needed(part) not in able
        )
    if messages and messages[-1].role is MessageRole.ASSISTANT and Quirk.NO_PREFILL in profile.quirks:
        yield f"messages[{len(messages) - 1}]"
