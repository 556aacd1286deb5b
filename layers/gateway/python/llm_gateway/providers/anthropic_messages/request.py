"""A request in the words of Anthropic's Messages API."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, assert_never

from llm_gateway.domain.capabilities import LEAST_THINKING_TOKENS
from llm_gateway.domain.chat import (
    AudioPart,
    CacheControl,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    MessageRole,
    NamedTool,
    Part,
    ReasoningEffort,
    TextPart,
    Tool,
    ToolCall,
)
from llm_gateway.domain.json_wish import wish_for_json
from llm_gateway.domain.model_table import ModelProfile
from llm_gateway.domain.strict_json import InvalidJson, parse
from llm_gateway.errors import FieldError, UnsupportedParameter
from llm_gateway.providers.anthropic_messages.output_schema import output_schema
from llm_gateway.providers.thoughts import in_place

JsonDict = dict[str, Any]

_DEFAULT_MAX_TOKENS: Final = 4096
# Tokens to think with, where a model is not told in levels. A gateway's own figures: the API wants 1,024 at least.
_BUDGETS: Final[Mapping[ReasoningEffort, int]] = {"low": 2_048, "medium": 8_192, "high": 16_384}
_INSTRUCTING: Final = (MessageRole.SYSTEM, MessageRole.DEVELOPER)
_ACTORS: Final = {
    **dict.fromkeys((MessageRole.USER, MessageRole.TOOL, *_INSTRUCTING), "user"),
    MessageRole.ASSISTANT: "assistant",
}
# Later versions of the API refuse sampling parameters, for every model.
_SAMPLING_VERSION: Final = "2023-06-01"
_COUNTABLE: Final = ("model", "system", "messages", "tools", "tool_choice", "thinking", "output_config")
# https://platform.claude.com/docs/en/build-with-claude/preserved-thinking/prefix-checks
_DROPS_UNBOUND: Final = {"block_binding": {"prefix_mismatch_behavior": "drop_block"}}
_BINDING_CONTROLS: Final = "thinking-binding-controls-2026-08-01"
# What others call it.
_MEDIA_TYPES: Final = {"image/jpg": "image/jpeg"}
_THINKING: Final = "thinking"
_NOT_IN_AN_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")


def request_body(request: ChatRequest, profile: ModelProfile) -> JsonDict:
    """The body of a call, without `stream`. Raises `UnsupportedParameter` for what this wire has no word for.

    System and developer turns are joined, in their order, into the system prompt, wherever in the conversation they stood.
    """
    return _members(request, profile) | _sampling(request) | _options(request)


def countable_body(request: ChatRequest, profile: ModelProfile) -> JsonDict:
    """The body of a call that counts: those members that a request's tokens come from."""
    members = _members(request, profile)
    return {name: members[name] for name in _COUNTABLE if name in members}


def _members(request: ChatRequest, profile: ModelProfile) -> JsonDict:
    _refuse_unsupported(request)
    schema = output_schema(request.output.schema) if request.output.type == "json_schema" else None
    most = request.parameters.max_output_tokens or _DEFAULT_MAX_TOKENS
    body = {
        "model": request.model,
        "max_tokens": most,
        "system": list(_system(request, native_schema=schema is not None)),
        "messages": _turns(request.messages),
        "stop_sequences": list(request.parameters.stop),
        "tools": [_tool(tool) for tool in request.tools],
        "tool_choice": _tool_choice(request),
        "thinking": _told_to_think(request, profile, most=most),
        "output_config": _output_config(schema, request.parameters.reasoning_effort, profile),
    }
    return {name: value for name, value in body.items() if value}


def request_headers(request: ChatRequest, profile: ModelProfile) -> dict[str, str]:
    sampled = _sampling(request) or "top_k" in request.vendor
    version = {"anthropic-version": _SAMPLING_VERSION} if sampled else {}
    return {**version, "anthropic-beta": _BINDING_CONTROLS} if _may_be_unbound(request, profile) else version


def _may_be_unbound(request: ChatRequest, profile: ModelProfile) -> bool:
    """Whether thoughts go back behind other words than they followed, which the model refuses unless it may leave them out."""
    return request.is_recomposed and profile.binds_thoughts and request.parameters.reasoning_effort != "none"


def _told_to_think(request: ChatRequest, profile: ModelProfile, *, most: int) -> JsonDict | None:
    """As the caller wrote it, where the request came in this API's own words."""
    if _THINKING not in request.vendor:
        return _thinking(request, profile, most=most)
    written, unbound = request.vendor[_THINKING] or {}, _DROPS_UNBOUND if _may_be_unbound(request, profile) else {}
    if unbound and written.get("type", "adaptive") == "adaptive":
        return {"type": "adaptive", **written, **unbound}
    return dict(written) or None


def _options(request: ChatRequest) -> JsonDict:
    return {name: value for name, value in request.vendor.items() if name != _THINKING}


def _thinking(request: ChatRequest, profile: ModelProfile, *, most: int) -> JsonDict | None:
    """How the model is told to think; None leaves that to its own default. What it thinks is told as a summary, where asked.

    A budget is a part of the maximum of tokens, and leaves at least as much to the answer.
    """
    effort = request.parameters.reasoning_effort
    unbound = _DROPS_UNBOUND if _may_be_unbound(request, profile) else {}
    if effort is None or profile.thinking is None:
        return {"type": "adaptive", **unbound} if unbound else None
    if effort == "none":
        return {"type": profile.not_thinking}
    if profile.thinking == "adaptive":
        return {"type": "adaptive", "display": "summarized", **unbound}
    budget = max(LEAST_THINKING_TOKENS, min(_BUDGETS.get(effort, most), most // 2))
    return {"type": "enabled", "budget_tokens": budget}


def _output_config(schema: JsonDict | None, effort: ReasoningEffort | None, profile: ModelProfile) -> JsonDict | None:
    wished = {
        "format": {"type": "json_schema", "schema": schema} if schema is not None else None,
        "effort": effort if profile.thinking == "adaptive" and effort != "none" else None,
    }
    return {name: value for name, value in wished.items() if value is not None} or None


def _refuse_unsupported(request: ChatRequest) -> None:
    parameters = request.parameters
    if parameters.seed is not None:
        raise _unsupported("parameters.seed", "Anthropic's API takes no seed")
    if parameters.temperature is not None and parameters.temperature > 1:
        raise _unsupported("parameters.temperature", "Anthropic's API takes no temperature above 1")
    for number, message in enumerate(request.messages):
        if message.name is not None and message.role is not MessageRole.TOOL:
            raise _unsupported(f"messages[{number}].name", "Anthropic's API has no names for participants")
        images = [part for part in message.content if isinstance(part, ImagePart)]
        if message.role in _INSTRUCTING and any(isinstance(part, FilePart) for part in message.content):
            raise _unsupported(f"messages[{number}].content", "Anthropic's API takes no document in the system prompt")
        if images and message.role in _INSTRUCTING:
            raise _unsupported(f"messages[{number}].content", "Anthropic's API takes no image in the system prompt")
        if any(image.detail in ("low", "high") for image in images):
            raise _unsupported(f"messages[{number}].content", "Anthropic's API takes no detail of an image")


def _unsupported(field: str, reason: str) -> UnsupportedParameter:
    return UnsupportedParameter(f"{field}: {reason}.", errors=[FieldError(field, reason)])


def _sampling(request: ChatRequest) -> JsonDict:
    wished = {"temperature": request.parameters.temperature, "top_p": request.parameters.top_p}
    return {name: value for name, value in wished.items() if value is not None}


def _system(request: ChatRequest, *, native_schema: bool) -> Iterator[JsonDict]:
    yield from _system_text(request.system or "", request.cached_system_chars)
    if _has_turns(request.messages):
        for number, message in enumerate(request.messages):
            if message.role in _INSTRUCTING:
                yield from _blocks(message.content, number)
    if request.output.type == "json":
        yield {"type": "text", "text": wish_for_json()}
    if request.output.type == "json_schema" and not native_schema:
        yield {"type": "text", "text": wish_for_json(request.output.schema)}


def _system_text(text: str, cached_chars: int) -> Iterator[JsonDict]:
    if steady := text[:cached_chars]:
        yield {"type": "text", "text": steady, **_cache_mark(CacheControl())}
    if rest := text[cached_chars:]:
        yield {"type": "text", "text": rest}


def _has_turns(messages: Iterable[Message]) -> bool:
    return any(message.role not in _INSTRUCTING for message in messages)


def _turns(messages: Sequence[Message]) -> list[JsonDict]:
    """Turns that take turns: what one actor says in a row, tool results among it, is one turn. Raises `UnsupportedParameter`.

    The API refuses a conversation without a turn: instructions alone are what the user says.
    """
    has_turns = _has_turns(messages)
    turns: list[JsonDict] = []
    for number, message in enumerate(messages):
        if has_turns and message.role in _INSTRUCTING:
            continue
        # A message without content gets no turn: the API refuses an empty turn.
        if blocks := _turn_blocks(message, number):
            role = _ACTORS[message.role]
            if not turns or turns[-1]["role"] != role:
                turns.append({"role": role, "content": []})
            turns[-1]["content"] += blocks
    _trim_prefill(turns)
    if not turns:
        raise _unsupported("messages", "Anthropic's API takes no conversation in which nothing is said")
    return turns


def _trim_prefill(turns: list[JsonDict]) -> None:
    """The API refuses white space at the end of an answer that the model is to go on with."""
    last = turns[-1]["content"][-1] if turns and turns[-1]["role"] == "assistant" else {}
    if last.get("type") == "text":
        last["text"] = last["text"].rstrip()


def _turn_blocks(message: Message, number: int) -> list[JsonDict]:
    blocks = list(_blocks(message.content, number))
    if message.role is MessageRole.TOOL:
        failed = {"is_error": True} if message.is_error else {}
        result = {"type": "tool_result", "tool_use_id": _call_id(message.tool_call_id or ""), "content": blocks}
        return [{**result, **failed, **_cache_mark(message.cache_control)}]
    calls = [
        _tool_use(call, f"messages[{number}].tool_calls[{place}]") for place, call in enumerate(message.tool_calls)
    ]
    return list(in_place(message, said=blocks, calls=calls))


def _blocks(content: Iterable[Part], number: int) -> Iterator[JsonDict]:
    for part in content:
        match part:
            case TextPart() if not part.text.strip():
                # The API refuses empty texts, which OpenAI's clients send beside tool calls.
                continue
            case TextPart():
                block: JsonDict = {"type": "text", "text": part.text}
            case ImagePart():
                block = {"type": "image", "source": _image_source(part.url, number)}
            case FilePart():
                source = {"type": "base64", "media_type": part.media_type, "data": part.data}
                block = {"type": "document", "source": source, **({"title": part.filename} if part.filename else {})}
            case AudioPart():
                raise _unsupported(f"messages[{number}].content", "Anthropic's API takes no recordings")
            case _:
                assert_never(part)
        yield {**block, **_cache_mark(part.cache_control)}


def _cache_mark(control: CacheControl | None) -> JsonDict:
    return {"cache_control": {"type": "ephemeral", "ttl": control.ttl}} if control else {}


def _image_source(url: str, number: int) -> JsonDict:
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    kind, comma, data = url.removeprefix("data:").partition(",")
    media_type, semicolon, encoding = kind.partition(";")
    if not comma or not semicolon or encoding != "base64":
        raise _unsupported(f"messages[{number}].content", "an image is neither an address nor data in base64")
    return {"type": "base64", "media_type": _MEDIA_TYPES.get(media_type, media_type), "data": data}


def _tool_use(call: ToolCall, place: str) -> JsonDict:
    block = {"type": "tool_use", "id": _call_id(call.id), "name": call.name, "input": _input(call.arguments, place)}
    return {**block, **_cache_mark(call.cache_control)}


def _input(arguments: str, place: str) -> JsonDict:
    """The API takes them as an object, where others take any text."""
    try:
        found = parse(arguments or "{}")
    except InvalidJson:
        found = None
    if not isinstance(found, dict):
        raise _unsupported(
            f"{place}.function.arguments", "Anthropic's API takes the arguments of a call as a JSON object"
        )
    return found


def _call_id(given: str) -> str:
    """An id in the form that this API asks for: a call may have come from a server that writes them otherwise."""
    return _NOT_IN_AN_ID.sub("_", given)


def _tool(tool: Tool) -> JsonDict:
    wire = {
        "name": tool.name,
        "description": tool.description,
        "input_schema": {"type": "object", **tool.parameters},
        "strict": tool.strict,
        **_cache_mark(tool.cache_control),
    }
    return {name: value for name, value in wire.items() if value is not None}


def _tool_choice(request: ChatRequest) -> JsonDict | None:
    """None where it goes without saying; a choice among no tools at all is left to the provider to refuse."""
    one_alone = {} if request.parallel_tool_calls else {"disable_parallel_tool_use": True}
    match request.tool_choice:
        case NamedTool(name=name):
            return {"type": "tool", "name": name, **one_alone}
        case "required":
            return {"type": "any", **one_alone}
        case "auto":
            return {"type": "auto", **one_alone} if request.tools else None
        case "none":
            return {"type": "none"} if request.tools else None
        case _:
            assert_never(request.tool_choice)
