"""The two vendors' wires as a scripted upstream speaks them: whole answers, events, errors."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

JsonDict = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidCall:
    """A tool call; its arguments are streamed in these pieces."""

    name: str
    id: str = "call_1"
    arguments: tuple[str, ...] = ('{"city": ', '"Paris"}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model says, in its pieces; `finish` is a finish reason of Chat Completions."""

    pieces: tuple[str, ...] = ("Hello", " there", ".")
    thoughts: tuple[str, ...] = ()
    calls: tuple[SaidCall, ...] = ()
    finish: str = "stop"
    refusal: str | None = None
    model: str = "model-2026-11-01"

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Tokens, counted as the gateway counts: input with cached and cache-write tokens, output with reasoning."""

    input: int = 20
    output: int = 7
    cached: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """`events` says of each whether it carries content, thoughts included, or only surrounds it. `answering` makes the answer
    of what was asked, where it is no conversation.
    """

    whole: Callable[[Said, Counts | None], JsonDict]
    events: Callable[[JsonDict, Said, Counts | None], Iterator[tuple[bytes, bool]]]
    error: Callable[[str, str | None, str | None], bytes]
    error_event: Callable[[Mapping[str, Any]], bytes]
    keep_alive: bytes
    content_type: str = "text/event-stream"
    answering: Callable[[JsonDict], JsonDict] | None = None
    malformed: bytes = b'data: {"half of an ev\n\n'


def _event(data: Any, *, name: str | None = None) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


# --- Chat Completions


def _completion_usage(counts: Counts) -> JsonDict:
    return {
        "prompt_tokens": counts.input,
        "completion_tokens": counts.output,
        "total_tokens": counts.input + counts.output,
        "prompt_tokens_details": {
            "cached_tokens": counts.cached,
            "cache_write_tokens": counts.cache_write,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {"reasoning_tokens": counts.reasoning, "audio_tokens": 0},
    }


def _completion(said: Said, counts: Counts | None) -> JsonDict:
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": "".join(call.arguments)}}
        for call in said.calls
    ]
    message: JsonDict = {"role": "assistant", "content": said.text or None, "refusal": said.refusal, "annotations": []}
    if calls:
        message["tool_calls"] = calls
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": said.model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish}],
        "usage": _completion_usage(counts) if counts else None,
    }


def _chunks(request: JsonDict, said: Said, counts: Counts | None) -> Iterator[tuple[bytes, bool]]:
    def chunk(*choices: JsonDict, **more: Any) -> bytes:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": said.model}
        return _event({**head, "choices": list(choices), **more})

    def delta(fields: JsonDict, *, finish: str | None = None) -> bytes:
        return chunk({"index": 0, "delta": fields, "logprobs": None, "finish_reason": finish})

    yield delta({"role": "assistant", "content": None if said.calls else "", "refusal": None}), False
    for thought in said.thoughts:
        yield delta({"reasoning_content": thought}), True
    for piece in said.pieces:
        yield delta({"content": piece}), True
    if said.refusal:
        yield delta({"refusal": said.refusal}), True
    for index, call in enumerate(said.calls):
        head = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        yield delta({"tool_calls": [head]}), True
        for piece in call.arguments:
            yield delta({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}), True
    yield delta({}, finish=said.finish), False
    if counts and (request.get("stream_options") or {}).get("include_usage"):
        yield chunk(usage=_completion_usage(counts)), False
    yield _event("[DONE]"), False


def _completion_error(kind: str, code: str | None, param: str | None) -> bytes:
    return json.dumps({"error": {"message": "SECRET-WORDS", "type": kind, "param": param, "code": code}}).encode()


CHAT_COMPLETIONS = Wire(
    whole=_completion,
    events=_chunks,
    error=_completion_error,
    error_event=lambda error: _event({"error": dict(error)}, name="error"),
    keep_alive=b": keep-alive\n\n",
)


# --- Messages

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def _message_usage(counts: Counts) -> JsonDict:
    return {
        "input_tokens": counts.input - counts.cached - counts.cache_write,
        "cache_creation_input_tokens": counts.cache_write,
        "cache_read_input_tokens": counts.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts.cache_write - counts.cache_write_1h,
            "ephemeral_1h_input_tokens": counts.cache_write_1h,
        },
        "output_tokens": counts.output,
        "output_tokens_details": {"thinking_tokens": counts.reasoning},
        "service_tier": "standard",
    }


def _message(said: Said, counts: Counts | None) -> JsonDict:
    text = said.text + (said.refusal or "")
    blocks: list[JsonDict] = [{"type": "thinking", "thinking": thought, "signature": "x"} for thought in said.thoughts]
    blocks += [{"type": "text", "text": text}] if text else []
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads("".join(call.arguments) or "{}")}
        for call in said.calls
    ]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": blocks,
        "stop_reason": _STOP_REASONS.get(said.finish, said.finish),
        "stop_sequence": None,
        "usage": _message_usage(counts) if counts else None,
    }


def _message_events(_: JsonDict, said: Said, counts: Counts | None) -> Iterator[tuple[bytes, bool]]:
    def event(kind: str, **fields: Any) -> bytes:
        return _event({"type": kind, **fields}, name=kind)

    whole = _message(said, counts)
    start = {**whole, "content": [], "stop_reason": None}
    if counts:
        start["usage"] = {**whole["usage"], "output_tokens": min(counts.output, 1)}
    yield event("message_start", message=start), False
    yield event("ping"), False
    blocks: list[tuple[JsonDict, list[JsonDict]]] = []
    if said.thoughts:
        thoughts = [{"type": "thinking_delta", "thinking": thought} for thought in said.thoughts]
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, thoughts))
    if pieces := [*said.pieces, *([said.refusal] if said.refusal else [])]:
        blocks.append(({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]))
    for call in said.calls:
        fragments = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", *call.arguments)]
        blocks.append(({"type": "tool_use", "id": call.id, "name": call.name, "input": {}}, fragments))
    for index, (block, deltas) in enumerate(blocks):
        yield event("content_block_start", index=index, content_block=block), block["type"] == "tool_use"
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta), True
        yield event("content_block_stop", index=index), False
    cumulative = {name: whole["usage"][name] for name in ("output_tokens", "output_tokens_details")} if counts else None
    yield (
        event("message_delta", delta={"stop_reason": whole["stop_reason"], "stop_sequence": None}, usage=cumulative),
        False,
    )
    yield event("message_stop"), False


def _message_error(kind: str, code: str | None, _: str | None) -> bytes:
    details = {"error_code": code} if code else None
    error = {"type": kind, "message": "SECRET-WORDS", "details": details}
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()


MESSAGES = Wire(
    whole=_message,
    events=_message_events,
    error=_message_error,
    error_event=lambda error: _event({"type": "error", "error": dict(error)}, name="error"),
    keep_alive=b'event: ping\ndata: {"type": "ping"}\n\n',
)
