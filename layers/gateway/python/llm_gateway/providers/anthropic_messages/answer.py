"""Answers in the words of Anthropic's Messages API, whole or in events, checked and normalised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from llm_gateway.domain.chat import Delta
from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.providers import untrusted
from llm_gateway.providers.writing import Joiner

JsonDict = Mapping[str, Any]


@dataclass(kw_only=True)
class EventJoiner(Joiner):
    """Puts events together. A whole message is read as the events that would have told of it."""

    @property
    def whole(self) -> bool:
        return self.closed

    def take_record(self, data: str) -> list[Delta]:
        if data.startswith("[DONE]"):
            # Another wire's last event, which some servers add to this one's.
            return []
        event = untrusted.record(untrusted.parsed(data), name="event")
        kind = event.get("type")
        handle = _HANDLERS.get(kind) if isinstance(kind, str) else None
        # The API may add kinds of events; `ping` is one that says nothing.
        return handle(self, event) if handle else []

    def take_document(self, body: dict[str, Any]) -> list[Delta]:
        if body.get("type") == "error" or body.get("error"):
            return self._fail(body)
        self._start({"message": body})
        content = body.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(blocks, list):
            raise ProviderResponseInvalid("The provider's answer has no content.")
        deltas = [
            delta
            for place, block in enumerate(untrusted.records(blocks, name="content"))
            for delta in (*self._open(place, block), *self.calls.settle(place))
        ]
        self.reason = body.get("stop_reason")
        return deltas

    def _start(self, event: JsonDict) -> list[Delta]:
        message = untrusted.record(event.get("message"), name="message")
        self.name_model(message.get("model"))
        self._count(message.get("usage"))
        return []

    def _open_block(self, event: JsonDict) -> list[Delta]:
        block = untrusted.record(event.get("content_block"), name="content_block")
        return self._open(untrusted.index(event.get("index")), block)

    def _open(self, place: int | None, block: JsonDict) -> list[Delta]:
        self.generating = self.generating or block.get("type") != "text"
        if block.get("type") == "text":
            return self.add_text(untrusted.text(block.get("text"), name="text"))
        if block.get("type") != "tool_use":
            return []
        # A stream begins with an empty input and sends it in pieces; some servers send the whole of it here.
        given = untrusted.record(block.get("input") or {}, name="tool_use.input")
        preset = untrusted.arguments(given, name="tool_use.input") if given else ""
        return [*self.calls.begin(given=block.get("id"), place=place, name=block.get("name"), preset=preset)]

    def _continue_block(self, event: JsonDict) -> list[Delta]:
        delta = untrusted.record(event.get("delta"), name="delta")
        # Whatever it is, thoughts included: the model is at work.
        self.generating = True
        match delta.get("type"):
            case "text_delta":
                return self.add_text(untrusted.text(delta.get("text"), name="text"))
            case "input_json_delta":
                piece = untrusted.text(delta.get("partial_json"), name="partial_json")
                return [*self.calls.extend(untrusted.index(event.get("index")), piece)]
            case _:
                return []

    def _close_block(self, event: JsonDict) -> list[Delta]:
        return [*self.calls.settle(untrusted.index(event.get("index")))]

    def _update(self, event: JsonDict) -> list[Delta]:
        self.reason = untrusted.record(event.get("delta"), name="delta").get("stop_reason") or self.reason
        self._count(event.get("usage"))
        return []

    def _stop(self, _: JsonDict) -> list[Delta]:
        self.closed = True
        return []

    def _fail(self, event: JsonDict) -> list[Delta]:
        raise self.faults.of_event(event.get("error"))

    def _count(self, usage: object) -> None:
        """This API's input leaves out what was read from or written to a cache."""
        if not isinstance(usage, dict):
            return
        written, made = usage.get("cache_creation"), usage.get("output_tokens_details")
        self.bill.note(
            fresh=usage.get("input_tokens"),
            output=usage.get("output_tokens"),
            cached=usage.get("cache_read_input_tokens"),
            cache_write=usage.get("cache_creation_input_tokens"),
            cache_write_1h=written.get("ephemeral_1h_input_tokens") if isinstance(written, dict) else None,
            reasoning=made.get("thinking_tokens") if isinstance(made, dict) else None,
        )


_HANDLERS: Final[Mapping[str, Callable[[EventJoiner, JsonDict], list[Delta]]]] = {
    "message_start": EventJoiner._start,
    "content_block_start": EventJoiner._open_block,
    "content_block_delta": EventJoiner._continue_block,
    "content_block_stop": EventJoiner._close_block,
    "message_delta": EventJoiner._update,
    "message_stop": EventJoiner._stop,
    "error": EventJoiner._fail,
}
