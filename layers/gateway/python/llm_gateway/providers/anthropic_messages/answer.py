"""Answers in the words of Anthropic's Messages API, whole or in events, checked and normalised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from llm_gateway.domain.chat import Delta
from llm_gateway.domain.faults import ProviderRefused, ProviderResponseInvalid
from llm_gateway.providers import untrusted
from llm_gateway.providers.writing import LEFT_OUT, Joiner

JsonDict = Mapping[str, Any]


_VENDOR: Final = "anthropic"


@dataclass(slots=True)
class _Thought:
    """A thought that is being written: the block as it began, and the pieces that came since."""

    block: JsonDict
    thinking: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)

    def whole(self) -> dict[str, Any]:
        return {**self.block, "thinking": "".join(self.thinking), "signature": "".join(self.signature)}


@dataclass(kw_only=True)
class EventJoiner(Joiner):
    """Puts events together. A whole message is read as the events that would have told of it.

    `_thinking` are the thoughts that are still being written, by their place.
    """

    _thinking: dict[int, _Thought] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return self.closed

    def end(self) -> list[Delta]:
        # Some servers do not say where a block ends.
        for place in list(self._thinking):
            self._close(place)
        return super().end()

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
            for delta in (*self._open(place, block), *self._close(place))
        ]
        self._stop_for(body.get("stop_reason"))
        self._stop_at(body.get("stop_sequence"))
        return deltas

    def _start(self, event: JsonDict) -> list[Delta]:
        message = untrusted.record(event.get("message"), name="message")
        self.name_model(message.get("model"))
        self._count(message.get("usage"))
        changes = untrusted.tolerated(message.get("input_transformations"))
        if any(change.get("type") == "thinking_dropped" for change in changes):
            self.warn(LEFT_OUT)
        return []

    def _open_block(self, event: JsonDict) -> list[Delta]:
        block = untrusted.record(event.get("content_block"), name="content_block")
        return self._open(untrusted.index(event.get("index")), block)

    def _open(self, place: int | None, block: JsonDict) -> list[Delta]:
        self.generating = self.generating or block.get("type") != "text"
        match block.get("type"):
            case "text":
                self.annotate(block.get("citations"))
                return self.add_text(untrusted.text(block.get("text"), name="text"))
            case "tool_use":
                return self._open_call(place, block)
            case "thinking":
                return self._begin_thought(place, block)
            case "redacted_thinking":
                self.keep_thought(_VENDOR, block)
        return []

    def _open_call(self, place: int | None, block: JsonDict) -> list[Delta]:
        # A stream begins with an empty input and sends it in pieces; some servers send the whole of it here.
        given = untrusted.record(block.get("input") or {}, name="tool_use.input")
        preset = untrusted.arguments(given, name="tool_use.input") if given else ""
        return [*self.calls.begin(given=block.get("id"), place=place, name=block.get("name"), preset=preset)]

    def _continue_block(self, event: JsonDict) -> list[Delta]:
        delta = untrusted.record(event.get("delta"), name="delta")
        place = untrusted.index(event.get("index"))
        # Whatever it is, thoughts included: the model is at work.
        self.generating = True
        match delta.get("type"):
            case "text_delta":
                return self.add_text(untrusted.text(delta.get("text"), name="text"))
            case "input_json_delta":
                piece = untrusted.text(delta.get("partial_json"), name="partial_json")
                return [*self.calls.extend(place, piece)]
            case "thinking_delta":
                return self._think(place, untrusted.text(delta.get("thinking"), name="thinking"))
            case "signature_delta":
                return self._sign(place, untrusted.text(delta.get("signature"), name="signature"))
            case "citations_delta":
                self.annotate([delta.get("citation")])
        return []

    def _begin_thought(self, place: int | None, block: JsonDict) -> list[Delta]:
        """A stream begins with empty texts, a whole message has all of them."""
        thinking = untrusted.optional_text(block.get("thinking"), name="thinking") or ""
        self._thinking[_number(place)] = _Thought(block)
        self._sign(place, untrusted.optional_text(block.get("signature"), name="signature") or "")
        return self._think(place, thinking)

    def _think(self, place: int | None, piece: str) -> list[Delta]:
        """Thoughts are kept piece by piece: the signature holds for the whole alone."""
        thought = self._thinking.get(_number(place))
        begins = thought is not None and not thought.thinking and bool(piece)
        if thought is not None and piece:
            thought.thinking.append(piece)
        return [*(self.part_thoughts() if begins else []), *self.add_thought(piece)]

    def _sign(self, place: int | None, signature: str) -> list[Delta]:
        thought = self._thinking.get(_number(place))
        if thought is not None:
            thought.signature.append(signature)
        return []

    def _close_block(self, event: JsonDict) -> list[Delta]:
        return self._close(untrusted.index(event.get("index")))

    def _close(self, place: int | None) -> list[Delta]:
        thought = self._thinking.pop(_number(place), None)
        if thought is not None:
            self.keep_thought(_VENDOR, thought.whole())
        return [*self.calls.settle(place)]

    def _update(self, event: JsonDict) -> list[Delta]:
        self._count(event.get("usage"))
        delta = untrusted.record(event.get("delta"), name="delta")
        self._stop_for(delta.get("stop_reason") or self.reason)
        self._stop_at(delta.get("stop_sequence"))
        return []

    def _stop(self, _: JsonDict) -> list[Delta]:
        self.closed = True
        return []

    def _stop_for(self, reason: object) -> None:
        """Raises `ProviderRefused` for a turn that is to be gone on with: that is of tools that run at the provider."""
        self.reason = reason
        if reason == "pause_turn":
            raise ProviderRefused(
                "The provider paused its answer for tools of its own, which the gateway does not offer."
            )

    def _stop_at(self, text: object) -> None:
        """Which of the texts to stop at has come: none but those that were asked for."""
        if isinstance(text, str) and text in self.request.parameters.stop:
            self.stop_sequence = text

    def _fail(self, event: JsonDict) -> list[Delta]:
        raise self.faults.of_event(event.get("error"))

    def _count(self, usage: object) -> None:
        """This API's input leaves out what was read from or written to a cache."""
        if not isinstance(usage, dict):
            return
        self._serve(usage)
        written, made = usage.get("cache_creation"), usage.get("output_tokens_details")
        self.bill.note(
            fresh=usage.get("input_tokens"),
            output=usage.get("output_tokens"),
            cached=usage.get("cache_read_input_tokens"),
            cache_write=usage.get("cache_creation_input_tokens"),
            cache_write_1h=written.get("ephemeral_1h_input_tokens") if isinstance(written, dict) else None,
            reasoning=made.get("thinking_tokens") if isinstance(made, dict) else None,
        )

    def _serve(self, usage: JsonDict) -> None:
        """What changes the price: the tier, a faster way to serve, and where that was."""
        self.bill.serve(usage.get("service_tier"))
        if usage.get("speed") not in (None, "standard"):
            self.bill.serve(usage.get("speed"))
        elif usage.get("inference_geo") not in (None, "", "global", "not_available"):
            self.bill.serve(f"geo {usage.get('inference_geo')}")


def _number(place: int | None) -> int:
    return -1 if place is None else place


_HANDLERS: Final[Mapping[str, Callable[[EventJoiner, JsonDict], list[Delta]]]] = {
    "message_start": EventJoiner._start,
    "content_block_start": EventJoiner._open_block,
    "content_block_delta": EventJoiner._continue_block,
    "content_block_stop": EventJoiner._close_block,
    "message_delta": EventJoiner._update,
    "message_stop": EventJoiner._stop,
    "error": EventJoiner._fail,
}
