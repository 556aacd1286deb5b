"""Structured output: a model's text parsed and held against the asked schema, and the one request to mend it."""

from dataclasses import replace
from typing import Any, Final

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
from llm_gateway.domain.faults import ResponseValidationFailed
from llm_gateway.domain.json_wish import wish_for_json
from llm_gateway.domain.strict_json import InvalidJson, parse
from llm_gateway.errors import DeadlineExceeded, ValidationFailed
from llm_gateway.ports.system import Cancelled, Clock, never
from llm_gateway.services.output.conformity import faults
from llm_gateway.services.output.patterns import TooMuchWork

_SHORTEST_CHECK_S: Final = 0.5
_LONGEST_CHECK_S: Final = 5


class InvalidOutput(Exception):
    """The text is not what was asked for; the message says why, to the model."""


def checked(answer: ChatAnswer, output: OutputFormat, *, until_s: float, limit: str, clock: Clock) -> ChatAnswer:
    """`answer` with its parsed JSON, where JSON was asked for. A query that ends at `until_s`, as `limit` says, leaves a few
    seconds for this.

    Raises `ResponseValidationFailed`, `DeadlineExceeded` where the query's time is up, and `ValidationFailed` for a schema that
    takes longer than a few seconds to hold the answer against.
    """
    if output.type == "text":
        return answer
    now_s = clock.monotonic_s()
    ends_s = min(max(until_s, now_s + _SHORTEST_CHECK_S), now_s + _LONGEST_CHECK_S)
    try:
        return replace(answer, json=parsed_output(answer, output, gives_up=lambda: clock.monotonic_s() > ends_s))
    except InvalidOutput as fault:
        detail = f"The model's answer does not have the asked form: {fault}."
        raise ResponseValidationFailed(detail, answer=answer, complaint=str(fault)) from None
    except TooMuchWork:
        if clock.monotonic_s() >= until_s:
            raise DeadlineExceeded(f"The query's time was up before its answer was validated ({limit}).") from None
        message = "takes too long to hold an answer against: simplify its patterns, and parts that refer to themselves"
        raise ValidationFailed.of("output.schema", message) from None


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
    wish = wish_for_json(request.output.schema)
    system = f"{request.system}\n\n{wish}" if request.system else wish
    return replace(request, system=system, output=OutputFormat())


def _parsed(text: str) -> Any:
    try:
        return parse(json_in(text))
    except InvalidJson as fault:
        raise InvalidOutput(f"it {fault}") from None


def json_in(text: str) -> str:
    """Models without a JSON mode like to wrap it as a code block, and some servers leave the model's thoughts before it."""
    text = text.strip()
    thoughts, end, rest = text.partition("</think>")
    if end and not thoughts.startswith(("{", "[", '"')):
        text = rest.strip()
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
