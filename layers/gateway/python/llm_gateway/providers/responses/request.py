"""A request in the words of OpenAI's Responses API."""

from collections.abc import Iterable, Iterator
from typing import Any, Final, assert_never

from llm_gateway.domain.chat import (
    AudioPart,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    MessageRole,
    NamedTool,
    OutputFormat,
    Parameters,
    Part,
    TextPart,
    Tool,
)
from llm_gateway.domain.json_wish import wish_for_json
from llm_gateway.errors import FieldError, UnsupportedParameter
from llm_gateway.providers.responses.messages import as_said
from llm_gateway.providers.strict_schema import fits_strict_mode
from llm_gateway.providers.thoughts import in_place

JsonDict = dict[str, Any]

_THOUGHTS: Final = "reasoning.encrypted_content"
_LOGPROBS: Final = "message.output_text.logprobs"
# The API wants a name for every file, and a schema for every tool.
_UNNAMED: Final = "document.pdf"
_NO_PARAMETERS: Final = {"type": "object", "properties": {}}


def request_body(request: ChatRequest, *, thinks: bool = True) -> JsonDict:
    """The body of a call, without `stream`. Raises `UnsupportedParameter` for what this wire has no word for.

    A model that never `thinks` refuses to be asked for its thoughts. Marks for prompt caching are left out: OpenAI's servers
    cache of their own accord.
    """
    _refuse_unsupported(request)
    parameters, options = request.parameters, dict(request.vendor)
    body = {
        "model": request.model,
        "store": False,
        "include": [*([_THOUGHTS] if thinks else []), *([] if parameters.logprobs is None else [_LOGPROBS])] or None,
        "instructions": request.system,
        "input": [item for items in _items(request) for item in items],
        "max_output_tokens": parameters.max_output_tokens,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "top_logprobs": parameters.logprobs or None,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "tool_choice": _tool_choice(request),
        "parallel_tool_calls": None if request.parallel_tool_calls or not request.tools else False,
        "text": _given({"format": _format(request.output), "verbosity": options.pop("verbosity", None)}) or None,
        "reasoning": _reasoning(request, parameters),
    }
    return _given(body) | options


def places_of_messages(request: ChatRequest) -> tuple[int, ...]:
    """For each item of the input the message that it is of, -1 where it is none of the client's."""
    before = (-1,) if _wish(request) else ()
    return (*before, *(number for number, message in enumerate(request.messages) for _ in range(_size(message))))


def _size(message: Message) -> int:
    """How many items the message becomes."""
    return sum(1 for _ in _message(message)) if message.role is MessageRole.ASSISTANT else 1


def _refuse_unsupported(request: ChatRequest) -> None:
    if request.parameters.stop:
        raise _unsupported("parameters.stop", "OpenAI's Responses API takes no texts to stop at")
    if request.parameters.seed is not None:
        raise _unsupported("parameters.seed", "OpenAI's Responses API takes no seed")
    for number, message in enumerate(request.messages):
        if message.name is not None and message.role is not MessageRole.TOOL:
            raise _unsupported(f"messages[{number}].name", "OpenAI's Responses API has no names for participants")
        if any(isinstance(part, AudioPart) for part in message.content):
            raise _unsupported(f"messages[{number}].content", "OpenAI's Responses API takes no recordings")


def _unsupported(field: str, reason: str) -> UnsupportedParameter:
    return UnsupportedParameter(f"{field}: {reason}.", errors=[FieldError(field, reason)])


def _wish(request: ChatRequest) -> bool:
    # OpenAI refuses to make JSON unless the input speaks of it; instructions do not count.
    return request.output.type == "json"


def _items(request: ChatRequest) -> Iterator[list[JsonDict]]:
    """The items that each message becomes."""
    if _wish(request):
        yield [{"role": "developer", "content": wish_for_json()}]
    for message in request.messages:
        yield list(_message(message))


def _message(message: Message) -> Iterable[JsonDict]:
    match message.role:
        case MessageRole.TOOL:
            output = _content(message.content)
            return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": output}]
        case MessageRole.ASSISTANT:
            calls = [
                {"type": "function_call", "call_id": call.id, "name": call.name, "arguments": call.arguments}
                for call in message.tool_calls
            ]
            turn, said = as_said(message)
            return in_place(turn, said=said, calls=calls)
        case role:
            return [{"role": role.value, "content": _content(message.content)}]


def _content(content: tuple[Part, ...]) -> str | list[JsonDict]:
    match content:
        case ():
            return ""
        case (TextPart(text=text),):
            return text
        case parts:
            return [_part(part) for part in parts]


def _part(part: Part) -> JsonDict:
    match part:
        case TextPart():
            return {"type": "input_text", "text": part.text}
        case ImagePart():
            return {"type": "input_image", "image_url": part.url, "detail": part.detail or "auto"}
        case FilePart():
            data = f"data:{part.media_type};base64,{part.data}"
            return {"type": "input_file", "filename": part.filename or _UNNAMED, "file_data": data}
        case AudioPart():
            raise _unsupported("messages", "OpenAI's Responses API takes no recordings")
        case _:
            assert_never(part)


def _tool(tool: Tool) -> JsonDict:
    """Unless it is told otherwise, this API rewrites a schema so that it fits its strict mode."""
    function = {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters) or _NO_PARAMETERS,
        "strict": bool(tool.strict),
    }
    return _given(function)


def _tool_choice(request: ChatRequest) -> str | JsonDict | None:
    """None where it goes without saying; a choice among no tools at all is left to the provider to refuse."""
    match request.tool_choice:
        case NamedTool(name=name):
            return {"type": "function", "name": name}
        case "auto" | "none" if not request.tools:
            return None
        case choice:
            return choice


def _format(output: OutputFormat) -> JsonDict | None:
    if output.type == "text":
        return None
    if output.type == "json" or output.schema is None:
        return {"type": "json_object"}
    schema = dict(output.schema)
    return {"type": "json_schema", "name": "answer", "schema": schema, "strict": fits_strict_mode(schema)}


def _reasoning(request: ChatRequest, parameters: Parameters) -> JsonDict | None:
    effort = "none" if request.without_reasoning else parameters.reasoning_effort
    if effort is None or effort == "none":
        return {"effort": effort} if effort else None
    return {"effort": effort, "summary": "auto"}


def _given(fields: JsonDict) -> JsonDict:
    return {name: value for name, value in fields.items() if value is not None}
