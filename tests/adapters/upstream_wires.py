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
    """What the model says, in its pieces; `finish` is a finish reason of Chat Completions.

    `secrets` are thoughts that nobody but the vendor can read, each before what it says or calls.
    """

    pieces: tuple[str, ...] = ("Hello", " there", ".")
    thoughts: tuple[str, ...] = ()
    calls: tuple[SaidCall, ...] = ()
    finish: str = "stop"
    refusal: str | None = None
    secrets: tuple[str, ...] = ()
    annotations: tuple[Mapping[str, Any], ...] = ()
    logprobs: tuple[Mapping[str, Any], ...] = ()
    tier: str | None = None
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
    message: JsonDict = {"role": "assistant", "content": said.text or None, "refusal": said.refusal}
    message["annotations"] = list(said.annotations)
    if calls:
        message["tool_calls"] = calls
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": said.model,
        "choices": [{"index": 0, "message": message, "logprobs": _logprobs(said), "finish_reason": said.finish}],
        "usage": _completion_usage(counts) if counts else None,
        "service_tier": said.tier or "default",
    }


def _logprobs(said: Said) -> JsonDict | None:
    return {"content": list(said.logprobs), "refusal": None} if said.logprobs else None


def _call_chunks(said: Said) -> Iterator[JsonDict]:
    for index, call in enumerate(said.calls):
        yield {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        for piece in call.arguments:
            yield {"index": index, "function": {"arguments": piece}}


def _chunks(request: JsonDict, said: Said, counts: Counts | None) -> Iterator[tuple[bytes, bool]]:
    def chunk(*choices: JsonDict, **more: Any) -> bytes:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_795_000_000, "model": said.model}
        return _event({**head, "choices": list(choices), **more})

    def delta(fields: JsonDict, *, finish: str | None = None, logprobs: JsonDict | None = None) -> bytes:
        return chunk({"index": 0, "delta": fields, "logprobs": logprobs, "finish_reason": finish})

    yield delta({"role": "assistant", "content": None if said.calls else "", "refusal": None}), False
    for thought in said.thoughts:
        yield delta({"reasoning_content": thought}), True
    for number, piece in enumerate(said.pieces):
        yield delta({"content": piece}, logprobs=_logprobs(said) if number == 0 else None), True
    if said.annotations:
        yield delta({"annotations": list(said.annotations)}), False
    if said.refusal:
        yield delta({"refusal": said.refusal}), True
    for pieces in _call_chunks(said):
        yield delta({"tool_calls": [pieces]}), True
    if said.tier:
        yield chunk({"index": 0, "delta": {}, "finish_reason": None}, service_tier=said.tier), False
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


def _message_usage(counts: Counts, tier: str | None = None) -> JsonDict:
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
        "service_tier": tier or "standard",
    }


def _message(said: Said, counts: Counts | None) -> JsonDict:
    text = said.text + (said.refusal or "")
    blocks: list[JsonDict] = []
    if said.thoughts:
        blocks.append({"type": "thinking", "thinking": "".join(said.thoughts), "signature": "sig-1"})
    first, others = said.secrets[:1], said.secrets[1:]
    blocks += [{"type": "redacted_thinking", "data": secret} for secret in first]
    citations = {"citations": list(said.annotations)} if said.annotations else {}
    blocks += [{"type": "text", "text": text, **citations}] if text else []
    for number, call in enumerate(said.calls):
        blocks += [{"type": "redacted_thinking", "data": secret} for secret in others[number : number + 1]]
        arguments = json.loads("".join(call.arguments) or "{}")
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": arguments})
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": blocks,
        "stop_reason": _STOP_REASONS.get(said.finish, said.finish),
        "stop_sequence": None,
        "usage": _message_usage(counts, said.tier) if counts else None,
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
        signature = [{"type": "signature_delta", "signature": piece} for piece in ("sig", "-1")]
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, thoughts + signature))
    first, others = said.secrets[:1], said.secrets[1:]
    blocks += [({"type": "redacted_thinking", "data": secret}, []) for secret in first]
    if pieces := [*said.pieces, *([said.refusal] if said.refusal else [])]:
        cited = [{"type": "citations_delta", "citation": dict(each)} for each in said.annotations]
        blocks.append(
            ({"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces] + cited)
        )
    for number, call in enumerate(said.calls):
        blocks += [({"type": "redacted_thinking", "data": secret}, []) for secret in others[number : number + 1]]
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


# --- Responses


def _response_usage(counts: Counts) -> JsonDict:
    return {
        "input_tokens": counts.input,
        "input_tokens_details": {"cached_tokens": counts.cached, "cache_write_tokens": counts.cache_write},
        "output_tokens": counts.output,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning},
        "total_tokens": counts.input + counts.output,
    }


def _thought(number: int, secret: str | None, summary: tuple[str, ...] = ()) -> JsonDict:
    parts = [{"type": "summary_text", "text": "".join(summary)}] if summary else []
    return {"type": "reasoning", "id": f"rs_{number}", "summary": parts, "encrypted_content": secret}


def _response_items(said: Said) -> Iterator[JsonDict]:
    first, others = said.secrets[:1], said.secrets[1:]
    if said.thoughts or first:
        yield _thought(0, first[0] if first else None, said.thoughts)
    if said.pieces or said.refusal or not (said.calls or said.secrets):
        parts: list[JsonDict] = []
        if said.pieces:
            text = {"type": "output_text", "text": said.text, "annotations": list(said.annotations)}
            parts.append({**text, "logprobs": list(said.logprobs)})
        if said.refusal:
            parts.append({"type": "refusal", "refusal": said.refusal})
        yield {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": parts}
    for number, call in enumerate(said.calls):
        if others[number : number + 1]:
            yield _thought(number + 1, others[number])
        item = {"type": "function_call", "id": f"fc_{number}", "call_id": call.id, "name": call.name}
        yield {**item, "arguments": "".join(call.arguments) or "{}", "status": "completed"}


_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}


def _response(said: Said, counts: Counts | None) -> JsonDict:
    reason = _INCOMPLETE.get(said.finish)
    finished = said.finish in ("stop", "tool_calls")
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1_795_000_000,
        "status": "completed" if finished else "incomplete",
        "error": None,
        "incomplete_details": None if finished else {"reason": reason or said.finish},
        "model": said.model,
        "output": list(_response_items(said)),
        "usage": _response_usage(counts) if counts else None,
        "service_tier": said.tier or "default",
        "store": False,
    }


def _pieces_of_item(item: JsonDict, said: Said) -> Iterator[tuple[str, JsonDict]]:
    match item["type"]:
        case "reasoning" if item["summary"]:
            yield "reasoning_summary_part.added", {"summary_index": 0}
            for piece in said.thoughts:
                yield "reasoning_summary_text.delta", {"summary_index": 0, "delta": piece}
        case "message":
            for number, piece in enumerate(said.pieces):
                told = list(said.logprobs) if number == 0 else []
                yield "output_text.delta", {"content_index": 0, "delta": piece, "logprobs": told}
            if said.refusal:
                yield "refusal.delta", {"content_index": 1, "delta": said.refusal}
        case "function_call":
            call = next(each for each in said.calls if each.id == item["call_id"])
            for piece in call.arguments:
                yield "function_call_arguments.delta", {"delta": piece}
            yield "function_call_arguments.done", {"arguments": item["arguments"]}


def _response_events(_: JsonDict, said: Said, counts: Counts | None) -> Iterator[tuple[bytes, bool]]:
    number = iter(range(1_000_000))

    def event(kind: str, **fields: Any) -> bytes:
        return _event({"type": kind, "sequence_number": next(number), **fields}, name=kind)

    whole = _response(said, counts)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield event("response.created", response=begun), False
    yield event("response.in_progress", response=begun), False
    for place, item in enumerate(whole["output"]):
        head = {**item, **{name: [] for name in ("content", "summary") if name in item}, "status": "in_progress"}
        if item["type"] == "function_call":
            head["arguments"] = ""
        yield event("response.output_item.added", output_index=place, item=head), item["type"] != "message"
        for kind, fields in _pieces_of_item(item, said):
            told = event(f"response.{kind}", output_index=place, item_id=item["id"], **fields)
            yield told, kind.endswith(".delta")
        yield event("response.output_item.done", output_index=place, item=item), False
    yield event("response.of_tomorrow", output_index=0, delta=[1]), False
    yield event(f"response.{whole['status']}", response=whole), False


RESPONSES = Wire(
    whole=_response,
    events=_response_events,
    error=_completion_error,
    error_event=lambda error: _event({"type": "error", "sequence_number": 9, **_flat(error)}, name="error"),
    keep_alive=b": keep-alive\n\n",
)


def _flat(error: Mapping[str, Any]) -> JsonDict:
    """This API tells an error's kind as its code."""
    return {"code": error.get("code") or error.get("type"), "message": error.get("message"), "param": None}
