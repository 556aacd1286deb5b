"""The words of a call as attributes of its span, for deployments that ask for them: redacted, and bounded."""

import json
from typing import Any, Final

from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Message, ToolCall
from llm_gateway.domain.redaction import redacted
from llm_gateway.instruments.words import MOST_TEXT_CHARACTERS

_MOST_CHARACTERS: Final = 100_000


def words_asked(request: ChatRequest) -> dict[str, Any]:
    return {
        "gen_ai.system_instructions": _json([_text(request.system)]) if request.system else None,
        "gen_ai.input.messages": _json([_message(message) for message in request.messages]),
    }


def words_answered(answer: ChatAnswer) -> dict[str, Any]:
    parts = [*([_text(answer.text)] if answer.text else []), *map(_call, answer.tool_calls)]
    said = {"role": "assistant", "parts": parts, "finish_reason": answer.finish_reason.value}
    return {"gen_ai.output.messages": _json([said])}


def told_text(text: str) -> str:
    # Redacted whole: the beginning of a credential would not be known for one.
    return redacted(text)[:MOST_TEXT_CHARACTERS]


def _json(document: list[dict[str, Any]]) -> str | None:
    """None where it is too long for a span: half a document tells nothing."""
    text = json.dumps(document)
    return text if len(text) <= _MOST_CHARACTERS else None


def _message(message: Message) -> dict[str, Any]:
    return {"role": message.role, "parts": [_text(message.text), *map(_call, message.tool_calls)]}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "content": told_text(text)}


def _call(call: ToolCall) -> dict[str, Any]:
    return {"type": "tool_call", "id": call.id, "name": call.name, "arguments": told_text(call.arguments)}
