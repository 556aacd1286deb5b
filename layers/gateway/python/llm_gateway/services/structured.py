"""Structured output: a model's text parsed and held against the asked schema, and the one request to mend it."""

import json
from dataclasses import replace
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, Any

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
from llm_gateway.errors import ValidationFailed

if TYPE_CHECKING:
    from referencing import Resource
    from referencing._core import Resolver

_MOST_FAULTS = 5


class InvalidOutput(Exception):
    """The text is not what was asked for; the message says why, to the model."""


def check_schema(schema: JsonObject) -> None:
    """Raises `ValidationFailed` for a schema by which nothing can be validated: better now than after a paid answer."""
    from jsonschema import Draft202012Validator, SchemaError
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = DRAFT202012.create_resource(schema)
    try:
        Draft202012Validator.check_schema(schema)
        # An empty registry: a reference to another document is never fetched.
        _look_up_references(resource, Registry().resolver_with_root(resource))
    except SchemaError as error:
        raise ValidationFailed.of("output.schema", f"is not a JSON schema: {error.message[:200]}") from None
    except Unresolvable:
        raise ValidationFailed.of("output.schema", "refers to something that is not in it") from None
    except RecursionError:
        raise ValidationFailed.of("output.schema", "is nested too deeply") from None


def parsed_output(answer: ChatAnswer, output: OutputFormat) -> Any:
    """The answer's text as JSON where JSON was asked for, else None. Raises `InvalidOutput`.

    An answer that calls tools, or that a filter stopped, has no output to hold against anything.
    """
    expects_json = output.type != "text"
    if not expects_json or answer.finish_reason in (FinishReason.TOOL_CALLS, FinishReason.CONTENT_FILTER):
        return None
    value = _parsed(answer.text or "")
    if output.schema is not None:
        _validate(value, output.schema)
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
        value = json.loads(_without_fence(text), parse_constant=_refuse, parse_float=_finite)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidOutput("it holds half of a surrogate pair, which is no text") from None
    except json.JSONDecodeError as error:
        raise InvalidOutput(f"it is not JSON ({error.msg} at line {error.lineno}, column {error.colno})") from None
    except (RecursionError, ValueError):
        raise InvalidOutput("it is nested too deeply, or holds a number that is none in JSON") from None
    return value


def _without_fence(text: str) -> str:
    """Models without a JSON mode like to wrap it as a code block."""
    text = text.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        return text[text.index("\n") : -3]
    return text


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _finite(number: str) -> float:
    """Python reads a number that is too large for it as infinite, which JSON is not."""
    value = float(number)
    return value if isfinite(value) else _refuse(number)


def _look_up_references(resource: "Resource[Any]", resolver: "Resolver[Any]") -> None:
    reference = resource.contents.get("$ref") if isinstance(resource.contents, dict) else None
    if reference is not None:
        resolver.lookup(reference)
    for part in resource.subresources():
        _look_up_references(part, resolver.in_subresource(part))


def _validate(value: Any, schema: JsonObject) -> None:
    from jsonschema import Draft202012Validator
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    # An empty registry: a reference to another document is never fetched.
    validator = Draft202012Validator(schema, registry=Registry())
    try:
        found = islice(validator.iter_errors(value), _MOST_FAULTS)
        faults = [f"{error.json_path}: {error.message[:300]}" for error in found]
    except Unresolvable:
        raise ValidationFailed.of("output.schema", "refers to something that is not in it") from None
    except RecursionError:
        raise ValidationFailed.of("output.schema", "refers to itself without end") from None
    except OverflowError:
        raise InvalidOutput("it holds a number that is too large") from None
    if faults:
        raise InvalidOutput("it does not match the schema (" + "; ".join(faults) + ")")
