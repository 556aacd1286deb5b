"""Answers in the shape of OpenAI's Responses API: the resource, and the items of its output."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.chat import FinishReason, ReasoningItem
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.wire import sealed_thoughts
from llm_gateway.wire.openai.completions import gateway_member, tier_of
from llm_gateway.wire.openai.responses.turns import VENDOR

if TYPE_CHECKING:
    from llm_gateway.domain.chat import ToolCall, Usage
    from llm_gateway.domain.queries import Output, Query, QueryAnswer
    from llm_gateway.wire.openai.responses.requests import ResponsesBody

JsonDict = dict[str, Any]

# What the vendor's resource has for features that are not offered here.
_NOTHING: Final = (
    "access_programs",
    "conversation",
    "image",
    "input_transformations",
    "max_tool_calls",
    "moderation",
    "previous_response_id",
    "prompt_cache_diagnostics",
    "tool_usage",
)
# Open Responses wants a number of each, as OpenAI gives it where the request names none.
_USUAL: Final = 1.0
_NO_PENALTIES: Final = {"presence_penalty": 0.0, "frequency_penalty": 0.0}
_USUAL_TIER: Final = "default"


def response_of(query: "Query", answer: "QueryAnswer", *, body: "ResponsesBody") -> JsonDict:
    """The whole answer, with the gateway's own member."""
    output = list(items_of(query.id, answer))
    return finished(
        query, answer, output, head=head(query.id, answer.model, int(query.created_at.timestamp()), body=body)
    )


def finished(query: "Query", answer: "QueryAnswer", output: list[JsonDict], *, head: JsonDict) -> JsonDict:
    """The resource `head` as it is at its end."""
    ended = query.completed_at
    return {
        **head,
        **ending(answer),
        "completed_at": int(ended.timestamp()) if ended else head["created_at"],
        "model": answer.model,
        "output": output,
        "usage": usage_of(answer.usage),
        "service_tier": tier_of(answer) or _USUAL_TIER,
        "gateway": gateway_member(query, answer, list(answer.warnings)),
    }


def head(query_id: str, model: str, created: int, *, body: "ResponsesBody") -> JsonDict:
    """What is known of an answer before it begins: who answers, and what was asked."""
    return {
        "id": item_id("resp", query_id),
        "object": "response",
        "created_at": created,
        "completed_at": None,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": model,
        "output": [],
        "usage": None,
        "service_tier": body.service_tier or "auto",
        **dict.fromkeys(_NOTHING),
        **_asked(body),
    }


def _asked(body: "ResponsesBody") -> JsonDict:
    thinking, text = body.reasoning, body.text
    form = text.format.shown() if text and text.format else {"type": "text"}
    choice = body.tool_choice
    return {
        "background": False,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        **_NO_PENALTIES,
        "parallel_tool_calls": body.parallel_tool_calls is not False,
        "prompt": body.prompt.model_dump() if body.prompt else None,
        "prompt_cache_key": body.prompt_cache_key,
        "prompt_cache_options": body.prompt_cache_options,
        "prompt_cache_retention": body.prompt_cache_retention,
        "reasoning": {
            "effort": thinking.effort if thinking else None,
            "summary": thinking.summary if thinking else None,
        },
        "safety_identifier": body.safety_identifier,
        "store": False,
        "temperature": _USUAL if body.temperature is None else body.temperature,
        "text": {"format": form, **({"verbosity": text.verbosity} if text and text.verbosity else {})},
        "tool_choice": "auto" if choice is None else choice if isinstance(choice, str) else choice.model_dump(),
        "tools": [tool.shown() for tool in body.tools or ()],
        "top_logprobs": body.top_logprobs or 0,
        "top_p": _USUAL if body.top_p is None else body.top_p,
        "truncation": "disabled",
        "user": body.user,
    }


def ending(answer: "QueryAnswer") -> JsonDict:
    """How the answer came to its end. What a model says when it refuses is its answer."""
    match answer.finish_reason:
        case FinishReason.LENGTH:
            return {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
        case FinishReason.CONTENT_FILTER if not answer.output.text:
            return {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}
    return {"status": "completed"}


def item_id(prefix: str, query_id: str, number: int = 0) -> str:
    """The id of an item in the vendor's form."""
    return f"{prefix}_{query_id.removeprefix(QUERY_PREFIX)}" + (f"_{number}" if number else "")


def usage_of(usage: "Usage") -> JsonDict:
    """Tokens as OpenAI counts them: input includes cached ones, output those of the reasoning."""
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_input_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def items_of(query_id: str, answer: "QueryAnswer") -> Iterator[JsonDict]:
    """Thoughts, messages and calls, in the places that they had. Thoughts of another vendor are packed into one item."""
    output = answer.output
    thoughts = output.reasoning.items if output.reasoning else ()
    own = all(item.vendor == VENDOR for item in thoughts)
    if output.reasoning and (not own or not thoughts):
        yield thought(item_id("rs", query_id), output.reasoning.text, thoughts)
    yield from _in_place(query_id, answer, list(thoughts) if own else [])


def _in_place(query_id: str, answer: "QueryAnswer", thoughts: list[ReasoningItem]) -> Iterator[JsonDict]:
    """OpenAI's own thoughts stand as they came; the marks among them say where each message was, and how long."""
    output, text = answer.output, answer.output.text or ""
    marks = [item for item in thoughts if item.item.get("type") == "message"]
    lengths = [item.item.get("length") for item in marks]
    fit = bool(marks) and all(type(length) is int for length in lengths) and sum(lengths) == len(text)  # type: ignore[arg-type]
    said = 0

    def up_to(place: int) -> Iterator[JsonDict]:
        nonlocal text, said
        while thoughts and thoughts[0].after <= place:
            item = thoughts.pop(0).item
            if item.get("type") != "message":
                yield dict(item)
            elif fit:
                piece, text = text[: item["length"]], text[item["length"] :]
                yield message(item_id("msg", query_id, said), piece, answer, phase=item.get("phase"))
                said += 1

    yield from up_to(0)
    if text and not fit:
        yield message(item_id("msg", query_id), text, answer)
    for place, each in enumerate(output.tool_calls, 1):
        yield from up_to(place)
        yield call(item_id("fc", query_id, place - 1), each)
    yield from up_to(len(output.tool_calls) + 1)


def message(given_id: str, text: str, answer: "QueryAnswer", *, phase: Any = None) -> JsonDict:
    """A message that is whole. What a model says when it refuses is told as a refusal, and so is text that a filter cut off."""
    refused = answer.finish_reason is FinishReason.CONTENT_FILTER
    part = {"type": "refusal", "refusal": text} if refused else output_text(text, answer.output)
    status = "incomplete" if answer.finish_reason is FinishReason.LENGTH else "completed"
    told = {"phase": phase} if phase else {}
    return {"id": given_id, "type": "message", "role": "assistant", "status": status, "content": [part], **told}


def output_text(text: str, output: "Output | None" = None) -> JsonDict:
    logprobs = output.logprobs if output else None
    return {
        "type": "output_text",
        "text": text,
        "annotations": [],
        "logprobs": [dict(token) for token in logprobs or ()],
    }


def call(given_id: str, told: "ToolCall") -> JsonDict:
    return {
        "id": given_id,
        "type": "function_call",
        "status": "completed",
        "call_id": told.id,
        "name": told.name,
        "arguments": told.arguments,
    }


def thought(given_id: str, text: str | None, items: Sequence[ReasoningItem]) -> JsonDict:
    """A reasoning item for what has none of its own: the words for people, and the thoughts packed for the way back."""
    return {
        "id": given_id,
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": text}] if text else [],
        "encrypted_content": sealed_thoughts.sealed(items) if items else None,
    }
