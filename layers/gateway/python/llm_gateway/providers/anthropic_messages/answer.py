"""Answers in the words of Anthropic's Messages API, whole or in events, checked and normalised."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from llm_gateway.domain.chat import (
    ChatAnswer,
    ChatRequest,
    Delta,
    FinishReason,
    TextDelta,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.providers import untrusted
from llm_gateway.providers.anthropic_messages.faults import failure_of_event
from llm_gateway.providers.estimates import CountTokens, estimated_usage
from llm_gateway.providers.writing import Writing, WrittenCall

_STOP_REASONS: Final[Mapping[str, FinishReason]] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL_CALLS,
    "refusal": FinishReason.CONTENT_FILTER,
}


def whole_answer(data: object, request: ChatRequest, *, count_tokens: CountTokens) -> ChatAnswer:
    """The answer in a response's body. Raises `ProviderResponseInvalid`."""
    body = untrusted.record(data, name="body")
    if not isinstance(body.get("content"), list):
        raise ProviderResponseInvalid("The provider's answer has no content.")
    blocks = untrusted.records(body["content"], name="content")
    texts = [untrusted.text(block.get("text"), name="text") for block in blocks if block.get("type") == "text"]
    calls = tuple(_tool_call(block) for block in blocks if block.get("type") == "tool_use")
    text = "".join(texts)
    generated = text + "".join(call.name + call.arguments for call in calls)
    return ChatAnswer(
        text=text or (None if calls else ""),
        finish_reason=_finish_reason(body.get("stop_reason")),
        model=untrusted.name_or(body.get("model"), request.model),
        usage=_usage(body.get("usage")) or estimated_usage(request, generated, count_tokens=count_tokens),
        tool_calls=calls,
    )


@dataclass(slots=True, kw_only=True)
class EventJoiner(Writing):
    """Puts a stream's events together; see `streaming.Joiner`."""

    _reason: object = None
    _counts: dict[str, Any] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        return self.closed

    def take(self, data: str) -> list[Delta]:
        event = untrusted.record(untrusted.parsed(data), name="event")
        kind = event.get("type")
        handle = _HANDLERS.get(kind) if isinstance(kind, str) else None
        # The API may add kinds of events; `ping` is one that says nothing.
        return handle(self, event) if handle else []

    def _start(self, event: Mapping[str, Any]) -> list[Delta]:
        message = untrusted.record(event.get("message"), name="message")
        self.model = untrusted.name_or(message.get("model"), self.request.model)
        self._count(message.get("usage"))
        return []

    def _open_block(self, event: Mapping[str, Any]) -> list[Delta]:
        block = untrusted.record(event.get("content_block"), name="content_block")
        if block.get("type") == "text":
            return self._add_text(block.get("text"))
        if block.get("type") != "tool_use":
            return []
        begun = self.begin_call(
            untrusted.index(event.get("index"), name="index"),
            id=untrusted.text(block.get("id"), name="tool_use.id"),
            name=untrusted.text(block.get("name"), name="tool_use.name"),
        )
        self.generating = True
        return [begun]

    def _continue_block(self, event: Mapping[str, Any]) -> list[Delta]:
        delta = untrusted.record(event.get("delta"), name="delta")
        # Whatever it is, thoughts included: the model is at work.
        self.generating = True
        match delta.get("type"):
            case "text_delta":
                return self._add_text(delta.get("text"))
            case "input_json_delta":
                call = self.calls.get(untrusted.index(event.get("index"), name="index"))
                if call is None:
                    raise ProviderResponseInvalid("The provider continued a tool call that it had not begun.")
                return self._add_arguments(call, untrusted.text(delta.get("partial_json"), name="partial_json"))
            case _:
                return []

    def _close_block(self, event: Mapping[str, Any]) -> list[Delta]:
        """A call without arguments may come without a piece of them; the gateway's answers always have a JSON text."""
        call = self.calls.get(untrusted.index(event.get("index"), name="index"))
        return self._add_arguments(call, "{}") if call and not call.arguments else []

    def _update(self, event: Mapping[str, Any]) -> list[Delta]:
        self._reason = untrusted.record(event.get("delta"), name="delta").get("stop_reason") or self._reason
        self._count(event.get("usage"))
        return []

    def _stop(self, _: Mapping[str, Any]) -> list[Delta]:
        self.closed = True
        return []

    def _fail(self, event: Mapping[str, Any]) -> list[Delta]:
        raise self.faults.of_event(failure_of_event(untrusted.record(event.get("error"), name="error")))

    def _add_text(self, value: object) -> list[Delta]:
        text = untrusted.text(value, name="text")
        if not text:
            return []
        self.generating = True
        self.text.append(text)
        return [TextDelta(text=text)]

    def _add_arguments(self, call: WrittenCall, piece: str) -> list[Delta]:
        call.arguments += piece
        return [ToolCallDelta(index=call.index, arguments=piece)] if piece else []

    def _count(self, usage: object) -> None:
        """Counts are cumulative: a later one replaces an earlier one."""
        counts = usage if isinstance(usage, dict) else {}
        self._counts |= {name: value for name, value in counts.items() if value is not None}

    def answer(self) -> ChatAnswer:
        if not self.closed:
            raise ProviderResponseInvalid("The provider ended its stream before its answer was whole.")
        return self.ended(_finish_reason(self._reason), _usage(self._counts))

    def usage_so_far(self) -> Usage | None:
        """The input as counted, where it was; the output by estimate, as the count of it comes last."""
        counted = _usage({"output_tokens": 0, **self._counts})
        if counted is None:
            return self.estimate() if self.generating else None
        estimate = self.estimate()
        return Usage(
            input_tokens=counted.input_tokens,
            output_tokens=max(counted.output_tokens, estimate.output_tokens),
            cached_input_tokens=counted.cached_input_tokens,
            cache_write_tokens=counted.cache_write_tokens,
            cache_write_1h_tokens=counted.cache_write_1h_tokens,
            reasoning_tokens=counted.reasoning_tokens,
            estimated=True,
        )


_HANDLERS: Final[Mapping[str, Callable[[EventJoiner, Mapping[str, Any]], list[Delta]]]] = {
    "message_start": EventJoiner._start,
    "content_block_start": EventJoiner._open_block,
    "content_block_delta": EventJoiner._continue_block,
    "content_block_stop": EventJoiner._close_block,
    "message_delta": EventJoiner._update,
    "message_stop": EventJoiner._stop,
    "error": EventJoiner._fail,
}


def _tool_call(block: Mapping[str, Any]) -> ToolCall:
    arguments = untrusted.record(block.get("input"), name="tool_use.input")
    return ToolCall(
        id=untrusted.text(block.get("id"), name="tool_use.id"),
        name=untrusted.text(block.get("name"), name="tool_use.name"),
        arguments=untrusted.text(json.dumps(arguments, ensure_ascii=False), name="tool_use.input"),
    )


def _finish_reason(value: object) -> FinishReason:
    reason = _STOP_REASONS.get(untrusted.text(value, name="stop_reason"))
    if reason is None:
        raise ProviderResponseInvalid("The provider ended its answer for a reason that the gateway does not know.")
    return reason


def _usage(value: object) -> Usage | None:
    """Usage as counted; None where it was not. This API's input leaves out what was read from or written to a cache."""
    counts = value if isinstance(value, dict) else {}
    fresh, output = untrusted.count(counts.get("input_tokens")), untrusted.count(counts.get("output_tokens"))
    if fresh is None or output is None:
        return None
    cached = untrusted.count(counts.get("cache_read_input_tokens")) or 0
    written = untrusted.count(counts.get("cache_creation_input_tokens")) or 0
    return Usage(
        input_tokens=fresh + cached + written,
        output_tokens=output,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        cache_write_1h_tokens=untrusted.part(counts.get("cache_creation"), "ephemeral_1h_input_tokens", whole=written),
        reasoning_tokens=untrusted.part(counts.get("output_tokens_details"), "thinking_tokens", whole=output),
    )
