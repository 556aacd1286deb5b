"""The words of a query as one line of the log: without credentials or images, and short enough for CloudWatch."""

import json
from dataclasses import dataclass
from typing import Any, Final

from llm_gateway.domain.chat import AudioPart, FilePart, ImagePart, Message, ToolCall
from llm_gateway.domain.queries import Query, QueryAnswer
from llm_gateway.domain.redaction import redacted

MOST_TEXT_CHARACTERS: Final = 16_000
MOST_WORDS_BYTES: Final = 250_000
"""CloudWatch takes 256 KB in a line; the rest is for what stands around the words."""


@dataclass(slots=True)
class _Room:
    """What still fits into the line, which is ASCII: a character of its JSON is a byte."""

    left_bytes: int = MOST_WORDS_BYTES
    truncated: bool = False

    def cut(self, text: str) -> str:
        # Redacted whole: the beginning of a credential would not be known for one.
        text = redacted(text)
        self.truncated = self.truncated or len(text) > MOST_TEXT_CHARACTERS
        return text[:MOST_TEXT_CHARACTERS]

    def takes(self, value: Any) -> bool:
        size = len(json.dumps(value)) + len(", ")
        if size > self.left_bytes:
            self.truncated = True
            return False
        self.left_bytes -= size
        return True


def bodies_line(query: Query) -> dict[str, Any]:
    """What was asked and answered; of what is too long the answer, the system's part and the last messages."""
    room, request = _Room(), query.request
    answer = _answer(query.answer, room) if query.answer else None
    answer = answer if room.takes(answer) else None
    system = room.cut(request.system) if request.system else None
    system = system if room.takes(system) else None
    messages: list[dict[str, Any]] = []
    for message in reversed(request.messages):
        shown = _message(message, room)
        if not room.takes(shown):
            break
        messages.insert(0, shown)
    return {
        "message": "query_bodies",
        "query_id": query.id,
        "key_id": query.owner,
        "system": system,
        "messages": messages,
        "answer": answer,
        "truncated": room.truncated,
        "messages_left_out": len(request.messages) - len(messages),
    }


def _message(message: Message, room: _Room) -> dict[str, Any]:
    return {
        "role": message.role,
        "text": room.cut(message.text),
        "images": [{"size_bytes": _size_bytes(part)} for part in message.content if isinstance(part, ImagePart)],
        **_measured("files", message, FilePart),
        **_measured("recordings", message, AudioPart),
        "tool_calls": [_call(call, room) for call in message.tool_calls],
    }


def _measured(name: str, message: Message, kind: type[FilePart] | type[AudioPart]) -> dict[str, Any]:
    """How large what is no text is; nothing where there is none."""
    sizes = [{"size_bytes": len(part.data) * 3 // 4} for part in message.content if isinstance(part, kind)]
    return {name: sizes} if sizes else {}


def _answer(answer: QueryAnswer, room: _Room) -> dict[str, Any]:
    output = answer.output
    return {
        "text": None if output.text is None else room.cut(output.text),
        "tool_calls": [_call(call, room) for call in output.tool_calls],
    }


def _call(call: ToolCall, room: _Room) -> dict[str, str]:
    return {"name": room.cut(call.name), "arguments": room.cut(call.arguments)}


def _size_bytes(image: ImagePart) -> int | None:
    """About, in base64; None where only its address was sent."""
    head, _, data = image.url.partition(",")
    return len(data) * 3 // 4 if head.startswith("data:") else None
