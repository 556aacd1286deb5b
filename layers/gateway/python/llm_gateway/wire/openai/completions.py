"""Chat Completions: what OpenAI's clients read, whole or chunk by chunk."""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
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
_ONE_CALL: Final = (
    "The model asked for several tools at once, and parallel_tool_calls is false: only the first is told."
)
_HOW_SERVED: Final = ("auto", "default", "flex", "scale", "priority", "fast", "ultrafast")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How an answer is to be told: whether a stream tells the usage, and whether at most one tool call is handed out."""

    tells_usage: bool = False
    one_call: bool = False


def completion(query: Query, answer: "QueryAnswer", manner: Manner) -> JsonDict:
    """The answer whole: a `chat.completion`, with a member `gateway`."""
    return {
        **_head(query.id, int(query.created_at.timestamp()), answer.model, kind="chat.completion"),
        "choices": [
            {
                "index": 0,
                "message": _message(answer, manner),
                "logprobs": _logprobs(answer),
                "finish_reason": answer.finish_reason or "stop",
            }
        ],
        "usage": usage_shown(answer.usage),
        "service_tier": tier_of(answer),
        "gateway": gateway_member(query, answer, _warnings(answer, manner)),
    }


def chunks(items: Items, *, manner: Manner, created: int) -> Generator[bytes, None, None]:
    """`data:` events: a chunk for each piece, the finish reason, the usage where it is wanted, and `[DONE]`."""
    head: JsonDict = {}
    with closing(items):
        for item in items:
            if isinstance(item, Opened):
                head = _head(item.query_id, created, item.model, kind="chat.completion.chunk")
                yield _event(_chunk(head, {"role": "assistant", "content": "", "refusal": None}, manner))
            elif isinstance(item, Query):
                yield from map(_event, _last_chunks(item, created, manner))
                yield DONE
            elif isinstance(item, Waiting):
                yield KEEP_ALIVE
            elif (delta := _delta(item, manner)) is not None:
                yield _event(_chunk(head, delta, manner))


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


def _message(answer: "QueryAnswer", manner: Manner) -> JsonDict:
    output = answer.output
    calls = output.tool_calls[:1] if manner.one_call else output.tool_calls
    reasoning = output.reasoning
    return {
        "role": "assistant",
        "content": output.text,
        "refusal": None,
        "annotations": [],
        **({"tool_calls": [_call(call) for call in calls]} if calls else {}),
        # A turn that comes back with it lets the model go on with its thought.
        **({"reasoning": _reasoning(reasoning)} if reasoning and (reasoning.text or reasoning.items) else {}),
    }


def _call(call: "ToolCall") -> JsonDict:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _reasoning(reasoning: Any) -> JsonDict:
    from llm_gateway.wire.answers import ReasoningShown

    return ReasoningShown.model_validate(reasoning).model_dump(mode="json")


def _logprobs(answer: "QueryAnswer") -> JsonDict | None:
    told = answer.output.logprobs
    return None if told is None else {"content": [dict(token) for token in told], "refusal": None}


def tier_of(answer: "QueryAnswer") -> str | None:
    tier = answer.usage.service_tier
    return tier if tier in _HOW_SERVED else None


def _warnings(answer: "QueryAnswer", manner: Manner) -> list[str]:
    is_cut = manner.one_call and len(answer.output.tool_calls) > 1
    return [*answer.warnings, *([_ONE_CALL] if is_cut else [])]


def _delta(item: "Delta", manner: Manner) -> JsonDict | None:
    """None for what OpenAI's chunks have no place for."""
    match item:
        case TextDelta():
            return {"content": item.text}
        case ToolCallDelta() if item.index == 0 or not manner.one_call:
            return {"tool_calls": [_piece(item)]}
        case ToolCallDelta() | ReasoningDelta():
            return None


def _piece(item: ToolCallDelta) -> JsonDict:
    named = {"id": item.id, "type": "function"} if item.id is not None else {}
    function = {"name": item.name} if item.name is not None else {}
    return {"index": item.index, **named, "function": {**function, "arguments": item.arguments}}


def _chunk(head: JsonDict, delta: JsonDict, manner: Manner, **finish: Any) -> JsonDict:
    usage = {"usage": None} if manner.tells_usage else {}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None, **finish}
    return {**head, "choices": [choice], **usage}


def _last_chunks(query: Query, created: int, manner: Manner) -> Iterator[JsonDict]:
    """The last of them carries the member `gateway`."""
    if query.answer is None:
        raise ValueError("a stream cannot be done without an answer")
    answer = query.answer
    head = _head(query.id, created, answer.model, kind="chat.completion.chunk")
    told = {"gateway": gateway_member(query, answer, _warnings(answer, manner))}
    finish = {"finish_reason": answer.finish_reason or "stop", "logprobs": _logprobs(answer)}
    last = {**_chunk(head, {}, manner, **finish), "service_tier": tier_of(answer)}
    if not manner.tells_usage:
        yield {**last, **told}
        return
    yield last
    yield {**head, "choices": [], "usage": usage_shown(answer.usage), **told}


def _event(chunk: JsonDict) -> bytes:
    # JSON text has no raw line breaks, so one data line holds it.
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"
