"""Answers in Anthropic's shape."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.chat import FinishReason, ReasoningItem, ToolCall, Usage
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.money import usd
from llm_gateway.domain.strict_json import InvalidJson, parse
from llm_gateway.wire.anthropic import thoughts
from llm_gateway.wire.attempts import AttemptShown

if TYPE_CHECKING:
    from llm_gateway.domain.queries import Output, Query, QueryAnswer

JsonDict = dict[str, Any]

_TIERS: Final = ("standard", "priority", "batch")
_REASONS: Final = {
    FinishReason.STOP: "end_turn",
    FinishReason.LENGTH: "max_tokens",
    FinishReason.TOOL_CALLS: "tool_use",
    FinishReason.CONTENT_FILTER: "refusal",
}


def message_of(query: "Query", answer: "QueryAnswer") -> JsonDict:
    """The whole answer, with the gateway's own member."""
    return {
        **head(query.id, answer.model),
        "content": list(blocks_of(answer.output)),
        **ending(answer),
        "usage": usage_of(answer.usage),
        "gateway": gateway_of(query, answer),
    }


def message_id(query_id: str) -> str:
    """The answer's id in the vendor's form."""
    return f"msg_{query_id.removeprefix(QUERY_PREFIX)}"


def head(query_id: str, model: str) -> JsonDict:
    """What is known of an answer before it begins."""
    return {
        "id": message_id(query_id),
        "type": "message",
        "role": "assistant",
        "model": model,
        "container": None,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }


def ending(answer: "QueryAnswer") -> JsonDict:
    """Why the model stopped."""
    output, reason = answer.output, answer.finish_reason
    struck = output.stop_sequence if reason is FinishReason.STOP else None
    refused = {"type": "refusal", "category": None, "explanation": None}
    return {
        "stop_reason": "stop_sequence" if struck is not None else _REASONS[reason] if reason else None,
        "stop_sequence": struck,
        "stop_details": refused if reason is FinishReason.CONTENT_FILTER else None,
    }


def blocks_of(output: "Output") -> Iterator[JsonDict]:
    """Thoughts, text and calls, in the places that they had."""
    items = output.reasoning.items if output.reasoning else ()
    own = all(item.vendor == thoughts.VENDOR for item in items)
    if not own and output.reasoning and output.reasoning.text:
        yield thinking(output.reasoning.text)
    if items and not own:
        yield thoughts.sealed(items)
    waiting = list(items) if own else []
    yield from _up_to(0, waiting)
    if output.text:
        yield {"type": "text", "text": output.text, "citations": None}
    for place, call in enumerate(output.tool_calls, 1):
        yield from _up_to(place, waiting)
        yield tool_use(call)
    yield from (dict(item.item) for item in waiting)


def _up_to(place: int, waiting: list[ReasoningItem]) -> Iterator[JsonDict]:
    while waiting and waiting[0].after <= place:
        yield dict(waiting.pop(0).item)


def thinking(text: str) -> JsonDict:
    """A thought for people to read."""
    return {"type": "thinking", "thinking": text, "signature": ""}


def tool_use(call: ToolCall) -> JsonDict:
    return {"type": "tool_use", "id": call.id, "name": call.name, "input": _input(call.arguments)}


def _input(arguments: str) -> JsonDict:
    """Arguments as an object. What a model wrote that is none comes as the text that it is."""
    try:
        found = parse(arguments or "{}")
    except InvalidJson:
        found = None
    return found if isinstance(found, dict) else {"arguments": arguments}


def usage_of(usage: Usage) -> JsonDict:
    """As Anthropic counts: without what was read from a cache, or written to one."""
    written = usage.cache_write_tokens
    hour = min(usage.cache_write_1h_tokens, written)
    return {
        "input_tokens": max(0, usage.input_tokens - usage.cached_input_tokens - written),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "cache_creation": {"ephemeral_5m_input_tokens": written - hour, "ephemeral_1h_input_tokens": hour},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        "server_tool_use": None,
        "service_tier": usage.service_tier if usage.service_tier in _TIERS else None,
    }


def gateway_of(query: "Query", answer: "QueryAnswer") -> JsonDict:
    """What the gateway tells of an answer beside it."""
    cache: JsonDict = {"hit": answer.cache.hit}
    if answer.cache.hit:
        saved = answer.cache.saved_usd
        cache |= {"age_s": answer.cache.age_s, "saved_usd": None if saved is None else usd(saved)}
    return {
        "query_id": query.id,
        "provider": answer.provider,
        "cost_usd": None if answer.cost_usd is None else usd(answer.cost_usd),
        "cache": cache,
        "attempts": _attempts(answer.attempts),
        "warnings": list(answer.warnings),
    }


def _attempts(attempts: Sequence[Any]) -> list[JsonDict]:
    return [AttemptShown.model_validate(attempt).model_dump(mode="json") for attempt in attempts]
