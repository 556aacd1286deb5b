"""A request in the words of the Chat Completions API."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, assert_never

from llm_gateway.domain.chat import (
    AudioPart,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    MessageRole,
    NamedTool,
    OutputFormat,
    Part,
    TextPart,
    Tool,
)
from llm_gateway.domain.json_wish import wish_for_json
from llm_gateway.providers.strict_schema import fits_strict_mode

JsonDict = dict[str, Any]


# The API wants a name for every file.
_UNNAMED: Final = "document.pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """In what the servers of this wire differ. One that `tokenizes` counts the tokens of messages at `/tokenize`."""

    max_tokens_field: Literal["max_tokens", "max_completion_tokens"]
    developer_role: Literal["developer", "system"]
    embeddings_encoding: Literal["base64", "float"]
    tokenizes: bool = False


# OpenAI's newer models refuse `max_tokens`; other servers do not know what came after it.
OPENAI: Final = Dialect(
    max_tokens_field="max_completion_tokens", developer_role="developer", embeddings_encoding="base64"
)
COMPATIBLE: Final = Dialect(max_tokens_field="max_tokens", developer_role="system", embeddings_encoding="float")
LLAMA_CPP: Final = replace(COMPATIBLE, tokenizes=True)


def request_body(request: ChatRequest, *, dialect: Dialect) -> JsonDict:
    """The body of a call, without `stream`.

    Marks for prompt caching are left out: this wire's servers cache of their own accord.
    """
    parameters = request.parameters
    effort = "none" if request.without_reasoning else parameters.reasoning_effort
    body = {
        "model": request.model,
        "messages": list(_messages(request, dialect)),
        dialect.max_tokens_field: parameters.max_output_tokens,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "stop": list(parameters.stop) or None,
        "seed": parameters.seed,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "tool_choice": _tool_choice(request),
        "parallel_tool_calls": None if request.parallel_tool_calls or not request.tools else False,
        "response_format": _response_format(request.output),
        "reasoning_effort": effort,
        "logprobs": None if parameters.logprobs is None else True,
        "top_logprobs": parameters.logprobs,
    }
    return _given(body) | dict(request.vendor)


def messages_before(request: ChatRequest) -> int:
    """How many messages the body has before the request's own."""
    return 1 if _system(request) else 0


def _messages(request: ChatRequest, dialect: Dialect) -> Iterator[JsonDict]:
    if text := _system(request):
        yield {"role": "system", "content": text}
    for message in request.messages:
        yield _message(message, dialect)


def _system(request: ChatRequest) -> str:
    # OpenAI refuses to make JSON unless the prompt speaks of it.
    parts = [request.system, wish_for_json() if request.output.type == "json" else None]
    return "\n\n".join(filter(None, parts))


def _message(message: Message, dialect: Dialect) -> JsonDict:
    match message.role:
        case MessageRole.DEVELOPER:
            return _turn(message, role=dialect.developer_role)
        case MessageRole.TOOL:
            # No name: the call's id says whose result it is.
            return {"role": "tool", "tool_call_id": message.tool_call_id, "content": _content(message)}
        case MessageRole.ASSISTANT if message.tool_calls:
            calls = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in message.tool_calls
            ]
            return {**_turn(message, role="assistant"), "content": _content(message) or None, "tool_calls": calls}
        case _:
            return _turn(message, role=message.role.value)


def _turn(message: Message, *, role: str) -> JsonDict:
    return _given({"role": role, "content": _content(message), "name": message.name})


def _content(message: Message) -> str | list[JsonDict]:
    """A text where it is one: the form that every server takes."""
    match message.content:
        case ():
            return ""
        case (TextPart(text=text),):
            return text
        case parts:
            return [_part(part) for part in parts]


def _part(part: Part) -> JsonDict:
    match part:
        case TextPart():
            return {"type": "text", "text": part.text}
        case ImagePart():
            return {"type": "image_url", "image_url": _given({"url": part.url, "detail": part.detail})}
        case FilePart():
            data = f"data:{part.media_type};base64,{part.data}"
            return {"type": "file", "file": {"filename": part.filename or _UNNAMED, "file_data": data}}
        case AudioPart():
            return {"type": "input_audio", "input_audio": {"data": part.data, "format": part.format}}
        case _:
            assert_never(part)


def _tool(tool: Tool) -> JsonDict:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters) or None,
        "strict": tool.strict,
    }
    return {"type": "function", "function": _given(function)}


def _tool_choice(request: ChatRequest) -> str | JsonDict | None:
    """None where it goes without saying; a choice among no tools at all is left to the provider to refuse."""
    match request.tool_choice:
        case NamedTool(name=name):
            return {"type": "function", "function": {"name": name}}
        case "auto" | "none" if not request.tools:
            return None
        case choice:
            return choice


def _response_format(output: OutputFormat) -> JsonDict | None:
    if output.type == "text":
        return None
    if output.type == "json" or output.schema is None:
        return {"type": "json_object"}
    schema = dict(output.schema)
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": schema, "strict": fits_strict_mode(schema)},
    }


def _given(fields: JsonDict) -> JsonDict:
    return {name: value for name, value in fields.items() if value is not None}
