"""The words of a call as attributes of its span, where a deployment wants them: bounded, without secrets and personal data."""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from llm_gateway.domain.chat import ChatAnswer, ChatRequest, Message, ToolCall
from llm_gateway.domain.redaction import redacted
from llm_gateway.instruments.words import MOST_TEXT_CHARACTERS
from llm_gateway.ports.privacy import Detector

_MOST_CHARACTERS: Final = 100_000
# What is shorter stands by chance in other words; more is a list of people, and no collector's.
_SHORTEST_REPEATED: Final = 7
_MOST_REPEATED: Final = 200

Facts = dict[str, Any]


class Teller:
    """Tells the words of one call, those of its answer last.

    Policies say what a provider reads and what is kept. A collector gets no personal data under any of them or none. What was
    found in one text is left out of the others.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._known: dict[str, str] = {}
        self._can_tell = True

    def asked(self, request: ChatRequest) -> Facts:
        """Nothing where personal data cannot be looked for."""
        stops = request.parameters.stop
        if not self._learn([request.system or "", *stops, *_texts_of(request.messages)]):
            return {}
        return {
            "gen_ai.system_instructions": _json([self._text(request.system)]) if request.system else None,
            "gen_ai.input.messages": _json([self._message(message) for message in request.messages]),
            "gen_ai.request.stop_sequences": tuple(map(self._told, stops)) or None,
        }

    def answered(self, answer: ChatAnswer) -> Facts:
        """Nothing where personal data cannot be looked for."""
        if not self._learn([answer.text or "", *(text for call in answer.tool_calls for text in _texts_in(call))]):
            return {}
        parts = [*([self._text(answer.text)] if answer.text else []), *map(self._call, answer.tool_calls)]
        said = {"role": "assistant", "parts": parts, "finish_reason": answer.finish_reason.value}
        return {"gen_ai.output.messages": _json([said])}

    def called(self, call: ToolCall) -> Facts:
        """Of a call of an answer that was `answered`."""
        return {"gen_ai.tool.call.arguments": self._told(call.arguments)} if self._can_tell else {}

    def _learn(self, texts: Iterable[str]) -> bool:
        """Whether these may be told, and those before them could be. Where they cannot, nothing is from then on."""
        try:
            for text in texts:
                self._known.update(
                    (text[each.start : each.end], f"[{each.kind}]") for each in self._detector.find(text)
                )
        except Exception:
            # Whatever it is: a text in which nothing can be looked for is not told.
            self._can_tell = False
        self._can_tell &= len(self._known) <= _MOST_REPEATED
        # The longest first: a shorter one may be a part of it.
        self._known = dict(sorted(self._known.items(), key=lambda each: -len(each[0])))
        return self._can_tell

    def _told(self, text: str) -> str:
        parts, copied = [], 0
        for found in self._detector.find(text):
            parts += [text[copied : found.start], f"[{found.kind}]"]
            copied = found.end
        told = "".join([*parts, text[copied:]])
        for value, kind in self._known.items():
            if len(value) >= _SHORTEST_REPEATED:
                told = told.replace(value, kind)
        # Redacted whole: the beginning of a credential would not be known for one.
        return redacted(told)[:MOST_TEXT_CHARACTERS]

    def _message(self, message: Message) -> Facts:
        return {"role": message.role, "parts": [self._text(message.text), *map(self._call, message.tool_calls)]}

    def _text(self, text: str) -> Facts:
        return {"type": "text", "content": self._told(text)}

    def _call(self, call: ToolCall) -> Facts:
        told = {"id": call.id, "name": call.name, "arguments": call.arguments}
        return {"type": "tool_call", **{name: self._told(text) for name, text in told.items()}}


def _texts_of(messages: Iterable[Message]) -> Iterator[str]:
    for message in messages:
        yield message.text
        yield from (text for call in message.tool_calls for text in _texts_in(call))


def _texts_in(call: ToolCall) -> tuple[str, ...]:
    return call.id, call.name, call.arguments


def _json(document: list[Facts]) -> str | None:
    """None where it is too long for a span: half a document tells nothing."""
    text = json.dumps(document)
    return text if len(text) <= _MOST_CHARACTERS else None
