"""Answers in the words of Bedrock's Converse API, whole or in events, checked and normalised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from llm_gateway.domain.chat import Delta
from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.providers import untrusted
from llm_gateway.providers.bedrock.faults import named_error
from llm_gateway.providers.writing import Joiner

JsonDict = Mapping[str, Any]


@dataclass(kw_only=True)
class ConverseJoiner(Joiner):
    """Puts events together. A whole answer is read as the events that would have told of it."""

    @property
    def whole(self) -> bool:
        return self.closed or self.reason is not None

    def take_record(self, data: str) -> list[Delta]:
        event = untrusted.record(untrusted.parsed(data), name="event")
        if "error" in event:
            error = untrusted.record(event["error"], name="error")
            raise self.faults.of_event(named_error(str(error.get("type")), error.get("told")))
        # The API may add kinds of events.
        known = [(handle, event[name]) for name, handle in _HANDLERS.items() if name in event]
        return [delta for handle, body in known for delta in handle(self, untrusted.record(body, name="event"))]

    def take_document(self, body: dict[str, Any]) -> list[Delta]:
        # First: what cannot be used is billed all the same.
        self._count(body.get("usage"))
        output = untrusted.record(body.get("output"), name="output")
        message = untrusted.record(output.get("message"), name="message")
        blocks = message.get("content")
        if not isinstance(blocks, list):
            raise ProviderResponseInvalid("The provider's answer has no content.")
        deltas = [
            delta
            for place, block in enumerate(untrusted.records(blocks, name="content"))
            for delta in (*self._add_block(place, block), *self.calls.settle(place))
        ]
        self.reason = body.get("stopReason")
        return deltas

    def _add_block(self, place: int, block: JsonDict) -> list[Delta]:
        self.generating = True
        if "text" in block:
            return self.add_text(untrusted.text(block["text"], name="text"))
        if "toolUse" not in block:
            # Thoughts, and what the API may add.
            return []
        call = untrusted.record(block["toolUse"], name="toolUse")
        given = untrusted.record(call.get("input") or {}, name="toolUse.input")
        preset = untrusted.arguments(given, name="toolUse.input") if given else ""
        return [*self.calls.begin(given=call.get("toolUseId"), place=place, name=call.get("name"), preset=preset)]

    def _begin_block(self, event: JsonDict) -> list[Delta]:
        start = untrusted.record(event.get("start") or {}, name="start")
        if "toolUse" not in start:
            return []
        self.generating = True
        call, place = untrusted.record(start["toolUse"], name="toolUse"), _place(event)
        return [*self.calls.begin(given=call.get("toolUseId"), place=place, name=call.get("name"))]

    def _continue_block(self, event: JsonDict) -> list[Delta]:
        delta = untrusted.record(event.get("delta"), name="delta")
        # Whatever it is, thoughts included: the model is at work.
        self.generating = True
        if "text" in delta:
            return self.add_text(untrusted.text(delta["text"], name="text"))
        if "toolUse" not in delta:
            return []
        call = untrusted.record(delta["toolUse"], name="toolUse")
        return [*self.calls.extend(_place(event), untrusted.text(call.get("input"), name="toolUse.input"))]

    def _end_block(self, event: JsonDict) -> list[Delta]:
        return [*self.calls.settle(_place(event))]

    def _stop(self, event: JsonDict) -> list[Delta]:
        self.reason = event.get("stopReason")
        return []

    def _close(self, event: JsonDict) -> list[Delta]:
        """The last event of a stream, after the one with the reason."""
        self._count(event.get("usage"))
        self.closed = self.reason is not None
        return []

    def _count(self, usage: object) -> None:
        """The API's input leaves out what was read from or written to a cache, its output has the thoughts."""
        if not isinstance(usage, dict):
            return
        self.bill.note(
            fresh=usage.get("inputTokens"),
            output=usage.get("outputTokens"),
            cached=usage.get("cacheReadInputTokens"),
            cache_write=usage.get("cacheWriteInputTokens"),
            cache_write_1h=_written_for_an_hour(usage.get("cacheDetails")),
        )


_HANDLERS: Final[Mapping[str, Callable[[ConverseJoiner, JsonDict], list[Delta]]]] = {
    "contentBlockStart": ConverseJoiner._begin_block,
    "contentBlockDelta": ConverseJoiner._continue_block,
    "contentBlockStop": ConverseJoiner._end_block,
    "messageStop": ConverseJoiner._stop,
    "metadata": ConverseJoiner._close,
}


def _place(event: JsonDict) -> int | None:
    return untrusted.index(event.get("contentBlockIndex"))


def _written_for_an_hour(details: object) -> object:
    """The tokens of the entry for an hour; broken details say nothing."""
    entries = details if isinstance(details, list) else []
    return next(
        (entry.get("inputTokens") for entry in entries if isinstance(entry, dict) and entry.get("ttl") == "1h"), None
    )
