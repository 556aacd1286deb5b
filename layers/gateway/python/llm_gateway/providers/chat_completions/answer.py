"""Answers in the words of the Chat Completions API, whole or in pieces, checked and normalised."""

from collections.abc import Mapping
from dataclasses import dataclass
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
from llm_gateway.providers.chat_completions.faults import failure_of_event
from llm_gateway.providers.estimates import CountTokens, estimated_usage
from llm_gateway.providers.writing import Writing

_FINISH_REASONS: Final[Mapping[str, FinishReason]] = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "content_filter": FinishReason.CONTENT_FILTER,
}


def whole_answer(data: object, request: ChatRequest, *, count_tokens: CountTokens) -> ChatAnswer:
    """The answer in a response's body. Raises `ProviderResponseInvalid`."""
    body = untrusted.record(data, name="body")
    choice = _only_choice(body)
    message = untrusted.record(choice.get("message"), name="message")
    calls = tuple(_tool_call(call) for call in untrusted.records(message.get("tool_calls"), name="tool_calls"))
    content = untrusted.optional_text(message.get("content"), name="content")
    refusal = untrusted.optional_text(message.get("refusal"), name="refusal")
    text = content or refusal or (None if calls else "")
    reason = FinishReason.CONTENT_FILTER if refusal else _finish_reason(choice.get("finish_reason"), calls=bool(calls))
    usage = _usage(body.get("usage"))
    if usage is None:
        generated = (text or "") + "".join(call.name + call.arguments for call in calls)
        usage = estimated_usage(request, generated, count_tokens=count_tokens)
    return ChatAnswer(
        text=text,
        finish_reason=reason,
        model=untrusted.name_or(body.get("model"), request.model),
        usage=usage,
        tool_calls=calls,
    )


@dataclass(slots=True, kw_only=True)
class ChunkJoiner(Writing):
    """Puts a stream's chunks together; see `streaming.Joiner`."""

    _reason: str | None = None
    _refused: bool = False
    _usage: Usage | None = None

    @property
    def whole(self) -> bool:
        return self._reason is not None

    def take(self, data: str) -> list[Delta]:
        if data.startswith("[DONE]"):
            self.closed = True
            return []
        chunk = untrusted.record(untrusted.parsed(data), name="event")
        if chunk.get("error"):
            raise self.faults.of_event(failure_of_event(chunk["error"]))
        self.model = self.model or untrusted.name_or(chunk.get("model"), self.request.model)
        self._usage = _usage(chunk.get("usage")) or self._usage
        # The chunk with the usage has no choice, nor has one with a filter's notes.
        choices = untrusted.records(chunk.get("choices"), name="choices")
        return self._pieces(choices[0]) if choices else []

    def _pieces(self, choice: Mapping[str, Any]) -> list[Delta]:
        delta = untrusted.record(choice.get("delta") or {}, name="delta")
        self._reason = untrusted.optional_text(choice.get("finish_reason"), name="finish_reason") or self._reason
        content = untrusted.optional_text(delta.get("content"), name="content")
        refusal = untrusted.optional_text(delta.get("refusal"), name="refusal")
        self._refused = self._refused or bool(refusal)
        pieces: list[Delta] = [TextDelta(text=text) for text in (content, refusal) if text]
        self.text.extend(text for text in (content, refusal) if text)
        pieces += [self._call_piece(call) for call in untrusted.records(delta.get("tool_calls"), name="tool_calls")]
        # Not in OpenAI's API: what others name the reasoning that they show.
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        self.generating = self.generating or bool(pieces or thought)
        return pieces

    def _call_piece(self, piece: Mapping[str, Any]) -> ToolCallDelta:
        index = untrusted.index(piece.get("index"), name="tool_calls.index")
        function = untrusted.record(piece.get("function") or {}, name="tool_calls.function")
        arguments = untrusted.optional_text(function.get("arguments"), name="tool_calls.function.arguments") or ""
        if (call := self.calls.get(index)) is not None:
            call.arguments += arguments
            return ToolCallDelta(index=call.index, arguments=arguments)
        return self.begin_call(
            index,
            id=untrusted.text(piece.get("id"), name="tool_calls.id"),
            name=untrusted.text(function.get("name"), name="tool_calls.function.name"),
            arguments=arguments,
        )

    def filter(self) -> None:
        """The provider's content filter ended the answer, which some servers tell with an error."""
        self._reason = "content_filter"

    def answer(self) -> ChatAnswer:
        if self._reason is None:
            raise ProviderResponseInvalid("The provider ended its stream before its answer was whole.")
        if self._refused:
            return self.ended(FinishReason.CONTENT_FILTER, self._usage)
        return self.ended(_finish_reason(self._reason, calls=bool(self.calls)), self._usage)

    def usage_so_far(self) -> Usage | None:
        return self._usage or (self.estimate() if self.generating else None)


def _only_choice(body: Mapping[str, Any]) -> Mapping[str, Any]:
    choices = untrusted.records(body.get("choices"), name="choices")
    if not choices:
        raise ProviderResponseInvalid("The provider's answer has no choices.")
    return choices[0]


def _tool_call(call: Mapping[str, Any]) -> ToolCall:
    function = untrusted.record(call.get("function"), name="tool_calls.function")
    return ToolCall(
        id=untrusted.text(call.get("id"), name="tool_calls.id"),
        name=untrusted.text(function.get("name"), name="tool_calls.function.name"),
        arguments=untrusted.text(function.get("arguments"), name="tool_calls.function.arguments"),
    )


def _finish_reason(value: object, *, calls: bool) -> FinishReason:
    reason = _FINISH_REASONS.get(untrusted.text(value, name="finish_reason"))
    if reason is None:
        raise ProviderResponseInvalid("The provider ended its answer for a reason that the gateway does not know.")
    # Some servers say "stop" although the model called a tool, as OpenAI does itself where the tool was named.
    return FinishReason.TOOL_CALLS if calls and reason is FinishReason.STOP else reason


def _usage(value: object) -> Usage | None:
    """Usage as the provider counted it; None where it did not. Input includes cached tokens here, output reasoning."""
    counts = value if isinstance(value, dict) else {}
    input_tokens, output_tokens = (
        untrusted.count(counts.get("prompt_tokens")),
        untrusted.count(counts.get("completion_tokens")),
    )
    if input_tokens is None or output_tokens is None:
        return None
    inputs = counts.get("prompt_tokens_details")
    outputs = counts.get("completion_tokens_details")
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=untrusted.part(inputs, "cached_tokens", whole=input_tokens),
        cache_write_tokens=untrusted.part(inputs, "cache_write_tokens", whole=input_tokens),
        reasoning_tokens=untrusted.part(outputs, "reasoning_tokens", whole=output_tokens),
    )
