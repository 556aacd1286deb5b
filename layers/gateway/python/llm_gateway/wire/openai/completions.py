"""Chat Completions: what OpenAI's clients read, whole or chunk by chunk."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.chat import ReasoningDelta, TextDelta, ToolCallDelta
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.queries import Query
from llm_gateway.domain.streams import Opened, Waiting
from llm_gateway.wire.answers import CacheShown
from llm_gateway.wire.attempts import AttemptShown
from llm_gateway.wire.media_types import KEEP_ALIVE

if TYPE_CHECKING:
    from llm_gateway.domain.chat import Delta, ToolCall, Usage
    from llm_gateway.domain.queries import QueryAnswer

JsonDict = dict[str, Any]
Items = Generator["Opened | Waiting | Delta | Query", None, None]

DONE: Final = b"data: [DONE]\n\n"
_HOW_SERVED: Final = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")


def completion(query: Query, answer: "QueryAnswer") -> JsonDict:
    """The answer whole: a `chat.completion`, with a member `gateway`."""
    return {
        **_head(query.id, int(query.created_at.timestamp()), answer.model, kind="chat.completion"),
        "choices": [
            {
                "index": 0,
                "message": _message(answer),
                "logprobs": _logprobs(answer),
                "finish_reason": answer.finish_reason or "stop",
            }
        ],
        "usage": usage_shown(answer.usage),
        "service_tier": tier_of(answer),
        "gateway": gateway_member(query, answer, [*answer.warnings]),
    }


def chunks(items: Items, *, tells_usage: bool, created: int) -> Generator[bytes, None, None]:
    """`data:` events: a chunk for each piece, the finish reason, the usage where it is wanted, and `[DONE]`."""
    head: JsonDict = {}
    with closing(items):
        for item in items:
            if isinstance(item, Opened):
                head = _head(item.query_id, created, item.model, kind="chat.completion.chunk")
                yield _event(_chunk(head, {"role": "assistant", "content": "", "refusal": None}, tells_usage))
            elif isinstance(item, Query):
                yield from map(_event, _last_chunks(item, created, tells_usage))
                yield DONE
            elif isinstance(item, Waiting):
                yield KEEP_ALIVE
            else:
                yield _event(_chunk(head, _delta(item), tells_usage))


def usage_shown(usage: "Usage") -> JsonDict:
    """Tokens as OpenAI counts them: input includes cached ones, output those of the reasoning."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "audio_tokens": usage.audio_input_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.audio_output_tokens,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def gateway_member(query: Query, answer: "QueryAnswer", warnings: list[str]) -> JsonDict:
    """What the gateway itself tells of an answer."""
    cost = answer.cost_usd
    from llm_gateway.domain.money import usd

    return {
        "query_id": query.id,
        "provider": answer.provider,
        "cost_usd": None if cost is None else usd(cost),
        "cache": CacheShown.model_validate(answer.cache).model_dump(mode="json"),
        "attempts": [AttemptShown.model_validate(attempt).model_dump(mode="json") for attempt in answer.attempts],
        "warnings": warnings,
    }


def _head(query_id: str, created: int, model: str, *, kind: str) -> JsonDict:
    return {
        "id": f"chatcmpl-{query_id.removeprefix(QUERY_PREFIX)}",
        "object": kind,
        "created": created,
        "model": model,
        "system_fingerprint": None,
    }


def _message(answer: "QueryAnswer") -> JsonDict:
    output = answer.output
    calls = output.tool_calls
    reasoning = output.reasoning
    return {
        "role": "assistant",
        "content": output.text,
        "refusal": None,
        "annotations": [],
        **({"tool_calls": [_call(call) for call in calls]} if calls else {}),
        **({"reasoning": reasoning.text} if reasoning and reasoning.text else {}),
        **_details(answer),
    }


def _call(call: "ToolCall") -> JsonDict:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _details(answer: "QueryAnswer") -> JsonDict:
    """A turn that comes back with them lets the model go on with its thought."""
    if not answer.output.reasoning or not answer.output.reasoning.items:
        return {}
    from llm_gateway.wire.openai.turns import details_of

    return {"reasoning_details": details_of(answer.output.reasoning.items)}


def _logprobs(answer: "QueryAnswer") -> JsonDict | None:
    told = answer.output.logprobs
    return None if told is None else {"content": [dict(token) for token in told], "refusal": None}


def tier_of(answer: "QueryAnswer") -> str | None:
    tier = answer.usage.service_tier
    return tier if tier in _HOW_SERVED else None


def _delta(item: "Delta") -> JsonDict:
    match item:
        case TextDelta():
            return {"content": item.text}
        case ReasoningDelta():
            return {"reasoning": item.text}
        case ToolCallDelta():
            return {"tool_calls": [_piece(item)]}


def _piece(item: ToolCallDelta) -> JsonDict:
    named = {"id": item.id, "type": "function"} if item.id is not None else {}
    function = {"name": item.name} if item.name is not None else {}
    return {"index": item.index, **named, "function": {**function, "arguments": item.arguments}}


def _chunk(head: JsonDict, delta: JsonDict, tells_usage: bool, **finish: Any) -> JsonDict:
    usage = {"usage": None} if tells_usage else {}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, **finish}
    return {**head, "choices": [choice], **usage}


def _last_chunks(query: Query, created: int, tells_usage: bool) -> Iterator[JsonDict]:
    """The last of them carries the member `gateway`."""
    if query.answer is None:
        raise ValueError("a stream cannot be done without an answer")
    answer = query.answer
    head = _head(query.id, created, answer.model, kind="chat.completion.chunk")
    told = {"gateway": gateway_member(query, answer, [*answer.warnings])}
    finish = {"finish_reason": answer.finish_reason or "stop", "logprobs": _logprobs(answer)}
    last = {**_chunk(head, _details(answer), tells_usage, **finish), "service_tier": tier_of(answer)}
    if not tells_usage:
        yield {**last, **told}
        return
    yield last
    yield {**head, "choices": [], "usage": usage_shown(answer.usage), **told}


def _event(chunk: JsonDict) -> bytes:
    # JSON text has no raw line breaks, so one data line holds it.
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"
