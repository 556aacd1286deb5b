"""Structured output: a model's text parsed and held against the asked schema, and the one request to mend it."""

import json
from dataclasses import replace
from typing import Any

from llm_gateway.domain.chat import (
    ChatAnswer,
    ChatRequest,
    FinishReason,
    JsonObject,
    Message,
    MessageRole,
    OutputFormat,
    TextPart,
)
from llm_gateway.domain.strict_json import InvalidJson, parse
from llm_gateway.ports.system import Cancelled, never
from llm_gateway.services.output.conformity import faults


class InvalidOutput(Exception):
    """The text is not what was asked for; the message says why, to the model."""


def parsed_output(answer: ChatAnswer, output: OutputFormat, *, gives_up: Cancelled = never) -> Any:
    """The answer's text as JSON where JSON was asked for, else None. Raises `InvalidOutput`, and `TooMuchWork` soon after
    `gives_up` says so.

    An answer that calls tools, or that a filter stopped, has no output to hold against anything.
    """
    expects_json = output.type != "text"
    if not expects_json or answer.finish_reason in (FinishReason.TOOL_CALLS, FinishReason.CONTENT_FILTER):
        return None
    value = _parsed(answer.text or "")
    if output.schema is not None:
        _check(value, output.schema, gives_up)
    return value


def repairing(request: ChatRequest, answer: ChatAnswer, complaint: str) -> ChatRequest:
    """`request` carried on by a turn that shows the model its answer and says what is wrong with it."""
    asked_again = f"That answer cannot be used: {complaint}. Answer again, with the corrected JSON alone."
    turns = (
        Message(role=MessageRole.ASSISTANT, content=(TextPart(text=answer.text or "(nothing)"),)),
        Message(role=MessageRole.USER, content=(TextPart(text=asked_again),)),
    )
    return replace(request, messages=(*request.messages, *turns))


def in_words(request: ChatRequest) -> ChatRequest:
    """`request` with its form asked for as an instruction, for a model that has no field for it."""
    wish = "Answer with JSON alone, without a code block."
    if request.output.schema is not None:
        wish += f" It must match this JSON schema: {json.dumps(dict(request.output.schema))}"
    system = f"{request.system}\n\n{wish}" if request.system else wish
    return replace(request, system=system, output=OutputFormat())


def _parsed(text: str) -> Any:
    try:
        return parse(_without_fence(text))
    except InvalidJson as fault:
        raise InvalidOutput(f"it {fault}") from None


def _without_fence(text: str) -> str:
    """Models without a JSON mode like to wrap it as a code block."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3]
    return text


def _check(value: Any, schema: JsonObject, gives_up: Cancelled) -> None:
    try:
        found = faults(value, schema, gives_up=gives_up)
    except RecursionError:
        raise InvalidOutput("it is nested too deeply") from None
    except OverflowError:
        raise InvalidOutput("it holds a number that is too large") from None
    if found:
        raise InvalidOutput("it does not match the schema (" + "; ".join(found) + ")")
