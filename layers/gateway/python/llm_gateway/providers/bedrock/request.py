"""A request in the words of Bedrock's Converse API."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, assert_never

from llm_gateway.domain.bedrock_models import cache_lifetime
from llm_gateway.domain.chat import (
    AudioPart,
    CacheControl,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    MessageRole,
    NamedTool,
    TextPart,
    Tool,
    ToolCall,
)
from llm_gateway.domain.json_wish import wish_for_json
from llm_gateway.domain.strict_json import InvalidJson, parse
from llm_gateway.errors import FieldError, UnsupportedParameter
from llm_gateway.providers.bedrock.output_schema import takes

JsonDict = dict[str, Any]

_INSTRUCTING: Final = (MessageRole.SYSTEM, MessageRole.DEVELOPER)
_IMAGE_FORMATS: Final = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
_NOT_IN_AN_ID: Final = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_ID: Final = 64


def request_body(request: ChatRequest) -> JsonDict:
    """The body for Converse and ConverseStream. Raises `UnsupportedParameter` for what this wire has no word for.

    System and developer turns are joined, in their order, into the system prompt, wherever in the conversation they stood.
    """
    _refuse_unsupported(request)
    schema = request.output.schema if request.output.type == "json_schema" else None
    native = schema if schema is not None and takes(schema) else None
    body = {
        "system": list(_system(request, in_words=native is None)),
        "messages": _turns(request),
        "inferenceConfig": _inference(request),
        "toolConfig": _tools(request),
        "outputConfig": {"textFormat": _text_format(native)} if native is not None else None,
    }
    return {**request.vendor, **{name: value for name, value in body.items() if value}}


def _inference(request: ChatRequest) -> JsonDict:
    parameters = request.parameters
    wished = {
        "maxTokens": parameters.max_output_tokens,
        "temperature": parameters.temperature,
        "topP": parameters.top_p,
        "stopSequences": list(parameters.stop) or None,
    }
    return {name: value for name, value in wished.items() if value is not None}


def _text_format(schema: Any) -> JsonDict:
    text = json.dumps(schema, ensure_ascii=False, default=dict)
    return {"type": "json_schema", "structure": {"jsonSchema": {"name": "answer", "schema": text}}}


def _refuse_unsupported(request: ChatRequest) -> None:
    parameters = request.parameters
    if parameters.seed is not None:
        raise _unsupported("parameters.seed", "Bedrock takes no seed")
    if parameters.temperature is not None and parameters.temperature > 1:
        raise _unsupported("parameters.temperature", "Bedrock takes no temperature above 1")
    for number, message in enumerate(request.messages):
        if message.name is not None and message.role is not MessageRole.TOOL:
            raise _unsupported(f"messages[{number}].name", "Bedrock has no names for participants")
        images = [part for part in message.content if isinstance(part, ImagePart)]
        if message.role in _INSTRUCTING and not all(isinstance(part, TextPart) for part in message.content):
            raise _unsupported(f"messages[{number}].content", "Bedrock takes nothing but text in the system prompt")
        if any(image.detail in ("low", "high") for image in images):
            raise _unsupported(f"messages[{number}].content", "Bedrock takes no detail of an image")
    if _has_tool_turns(request) and (not request.tools or request.tool_choice == "none"):
        # It has no word for "no tool now", and wants tools told once they were used.
        field = "tool_choice" if request.tools else "tools"
        raise _unsupported(field, "Bedrock wants the tools that a conversation has used, to be called or not")


def _has_tool_turns(request: ChatRequest) -> bool:
    return any(message.tool_calls or message.role is MessageRole.TOOL for message in request.messages)


def _unsupported(field: str, reason: str) -> UnsupportedParameter:
    return UnsupportedParameter(f"{field}: {reason}.", errors=[FieldError(field, reason)])


def _system(request: ChatRequest, *, in_words: bool) -> Iterator[JsonDict]:
    yield from _system_text(request.system or "", request.cached_system_chars, request.model)
    if _has_turns(request.messages):
        for number, message in enumerate(request.messages):
            if message.role in _INSTRUCTING:
                yield from _blocks(message, number, request.model)
    if request.output.type == "json":
        yield {"text": wish_for_json()}
    if request.output.type == "json_schema" and in_words:
        yield {"text": wish_for_json(request.output.schema)}


def _system_text(text: str, cached_chars: int, model: str) -> Iterator[JsonDict]:
    if steady := text[:cached_chars]:
        yield {"text": steady}
        yield from _cache_mark(CacheControl(), model)
    if rest := text[cached_chars:]:
        yield {"text": rest}


def _has_turns(messages: Iterable[Message]) -> bool:
    return any(message.role not in _INSTRUCTING for message in messages)


def _turns(request: ChatRequest) -> list[JsonDict]:
    """Turns that take turns: what one actor says in a row, tool results among it, is one turn. Raises `UnsupportedParameter`.

    Bedrock refuses a conversation without a turn: instructions alone are what the user says.
    """
    has_turns = _has_turns(request.messages)
    turns: list[JsonDict] = []
    for number, message in enumerate(request.messages):
        if has_turns and message.role in _INSTRUCTING:
            continue
        # A message without content gets no turn: Bedrock refuses an empty one.
        if blocks := _turn_blocks(message, number, request.model):
            role = "assistant" if message.role is MessageRole.ASSISTANT else "user"
            if not turns or turns[-1]["role"] != role:
                turns.append({"role": role, "content": []})
            turns[-1]["content"] += blocks
    _trim_prefill(turns)
    if not turns:
        raise _unsupported("messages", "Bedrock takes no conversation in which nothing is said")
    return turns


def _trim_prefill(turns: Sequence[JsonDict]) -> None:
    """Bedrock refuses white space at the end of an answer that the model is to go on with."""
    last = turns[-1]["content"][-1] if turns and turns[-1]["role"] == "assistant" else {}
    if "text" in last:
        last["text"] = last["text"].rstrip()


def _turn_blocks(message: Message, number: int, model: str) -> list[JsonDict]:
    blocks = list(_blocks(message, number, model))
    if message.role is MessageRole.TOOL:
        # A mark stands beside a result, not within it; and a result has content, be there nothing in it.
        content = [block for block in blocks if "cachePoint" not in block] or [{"json": {}}]
        marks = [block for block in blocks if "cachePoint" in block]
        return [{"toolResult": {"toolUseId": _call_id(message.tool_call_id or ""), "content": content}}, *marks]
    calls = enumerate(message.tool_calls)
    return [*blocks, *(_tool_use(call, f"messages[{number}].tool_calls[{place}]") for place, call in calls)]


def _blocks(message: Message, number: int, model: str) -> Iterator[JsonDict]:
    for place, part in enumerate(message.content):
        match part:
            case TextPart() if not part.text.strip():
                # Bedrock refuses empty texts, which OpenAI's clients send beside tool calls.
                continue
            case TextPart():
                yield {"text": part.text}
            case ImagePart():
                yield {"image": _image(part.url, f"messages[{number}].content[{place}]")}
            case FilePart():
                yield {"document": _document(part, number, place)}
            case AudioPart():
                raise _unsupported(f"messages[{number}].content[{place}]", "Bedrock's Converse takes no audio")
            case _:
                assert_never(part)
        yield from _cache_mark(part.cache_control, model)


def _cache_mark(control: CacheControl | None, model: str) -> Iterator[JsonDict]:
    """Nothing for a model that takes no mark: caching changes what is paid, never the answer."""
    lifetime = cache_lifetime(model, control.ttl) if control else None
    if lifetime is not None:
        yield {"cachePoint": {"type": "default", **({"ttl": "1h"} if lifetime == "1h" else {})}}


def _image(url: str, place: str) -> JsonDict:
    kind, comma, data = url.removeprefix("data:").partition(",")
    media_type, _, encoding = kind.partition(";")
    if not url.startswith("data:") or not comma or encoding != "base64":
        raise _unsupported(place, "Bedrock loads no image: it takes the data itself, in base64")
    if media_type.lower() not in _IMAGE_FORMATS:
        raise _unsupported(place, "Bedrock takes images as PNG, JPEG, GIF or WebP")
    return {"format": _IMAGE_FORMATS[media_type.lower()], "source": {"bytes": data}}


def _document(part: FilePart, number: int, place: int) -> JsonDict:
    # Each name once in a conversation. The file's own is left out: AWS warns that models may read it as an instruction.
    return {"format": "pdf", "name": f"document-{number}-{place}", "source": {"bytes": part.data}}


def _tool_use(call: ToolCall, place: str) -> JsonDict:
    return {"toolUse": {"toolUseId": _call_id(call.id), "name": call.name, "input": _input(call.arguments, place)}}


def _input(arguments: str, place: str) -> JsonDict:
    """Bedrock takes them as an object, where others take any text."""
    try:
        found = parse(arguments or "{}")
    except InvalidJson:
        found = None
    if not isinstance(found, dict):
        raise _unsupported(f"{place}.function.arguments", "Bedrock takes the arguments of a call as a JSON object")
    return found


def _call_id(given: str) -> str:
    """An id in the form that Bedrock asks for: a call may have come from a server that writes them otherwise."""
    usable = _NOT_IN_AN_ID.sub("_", given)
    if len(usable) <= _LONGEST_ID:
        return usable
    return hashlib.sha256(given.encode("utf-8", "backslashreplace")).hexdigest()


def _tools(request: ChatRequest) -> JsonDict | None:
    """None where nothing is to be called; a choice among no tools at all is left to Bedrock to refuse."""
    choice = _tool_choice(request)
    if request.tool_choice == "none" or not (request.tools or choice):
        return None
    return {"tools": [_tool(tool) for tool in request.tools], **({"toolChoice": choice} if choice else {})}


def _tool(tool: Tool) -> JsonDict:
    spec = {
        "name": tool.name,
        "description": tool.description or None,
        "inputSchema": {"json": {"type": "object", **tool.parameters}},
        "strict": tool.strict or None,
    }
    return {"toolSpec": {name: value for name, value in spec.items() if value is not None}}


def _tool_choice(request: ChatRequest) -> JsonDict | None:
    """None where it goes without saying: some models take tools and no word on which."""
    match request.tool_choice:
        case NamedTool(name=name):
            return {"tool": {"name": name}}
        case "required":
            return {"any": {}}
        case "auto" | "none":
            return None
        case _:
            assert_never(request.tool_choice)
