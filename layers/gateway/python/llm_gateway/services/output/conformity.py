"""Conformity: what is wrong with a value by a JSON schema that a caller wrote, found within bounds that no schema can stretch.

jsonschema alone would match patterns with `re`, compare items pairwise, follow branching recursion to its end, and quote whole
values in its messages.
"""

import json
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.domain.chat import JsonObject
from llm_gateway.ports.system import Cancelled
from llm_gateway.services.output.patterns import TooMuchWork, matches

if TYPE_CHECKING:
    from jsonschema import ValidationError

_MOST_FAULTS: Final = 5
_LONGEST_VALUE: Final = 100
_LONGEST_MESSAGE: Final = 300
_LONGEST_PATH: Final = 200

Keyword = Callable[[Any, Any, Any, Any], "Iterator[ValidationError] | None"]


def faults(value: Any, schema: JsonObject, *, gives_up: Cancelled) -> list[str]:
    """The first few faults, each with its path, none for a value that conforms; by Draft 2020-12, whatever `$schema` says.

    `schema` is one that `check_schema` let through. Raises `TooMuchWork` soon after `gives_up` says so, and `RecursionError`
    and `OverflowError` for values that are nested too deeply or hold numbers that are too large.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from jsonschema.validators import extend
    from referencing import Registry

    keywords = _bounded({**Draft202012Validator.VALIDATORS}, gives_up)
    bounded: Any = extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]
    # It would have a part that refers to the whole validated by another draft, without the bounds.
    schema = {keyword: part for keyword, part in schema.items() if keyword != "$schema"}
    # An empty registry: a reference to another document is never fetched.
    errors = bounded(schema, registry=Registry()).iter_errors(value)
    return [_told(best_match([error])) for error in islice(errors, _MOST_FAULTS)]


def _bounded(keywords: dict[str, Keyword], gives_up: Cancelled) -> dict[str, Keyword]:
    def found(pattern: str, text: str) -> bool:
        if gives_up():
            raise TooMuchWork
        return matches(pattern, text)

    own = _matching(keywords["additionalProperties"], found)
    own["uniqueItems"] = _unique_items
    return {name: _within_bounds(keyword, gives_up) for name, keyword in {**keywords, **own}.items()}


def _within_bounds(keyword: Keyword, gives_up: Cancelled) -> Keyword:
    """`keyword`, applied as long as there is time, and telling of few faults in few words."""

    def applied(validator: Any, wanted: Any, value: Any, schema: Any) -> "Iterator[ValidationError]":
        if gives_up():
            raise TooMuchWork
        for error in islice(keyword(validator, wanted, value, schema) or (), _MOST_FAULTS):
            if len(error.message) > _LONGEST_MESSAGE:
                error.message = brief(error.message, value)
            yield error

    return applied


def _matching(additional: Keyword, found: Callable[[str, str], bool]) -> dict[str, Keyword]:
    """The keywords that match patterns; `unevaluatedProperties` is another, which no schema has beside `patternProperties`."""
    from jsonschema import ValidationError

    def match_text(_validator: Any, wanted: Any, value: Any, _schema: Any) -> "Iterator[ValidationError]":
        if isinstance(value, str) and not found(wanted, value):
            yield ValidationError(f"{value!r} does not match {wanted!r}")

    def match_names(validator: Any, wanted: Any, value: Any, _schema: Any) -> "Iterator[ValidationError]":
        for pattern, part in wanted.items() if isinstance(value, dict) else ():
            for name in value:
                if found(pattern, name):
                    yield from validator.descend(value[name], part, path=name, schema_path=pattern)

    def match_no_name(validator: Any, wanted: Any, value: Any, schema: Any) -> "Iterator[ValidationError] | None":
        if isinstance(value, dict) and "patternProperties" in schema:
            patterns = schema["patternProperties"]
            known = {name: True for name in value if any(found(pattern, name) for pattern in patterns)}
            schema = {"properties": {**schema.get("properties", {}), **known}}
        return additional(validator, wanted, value, schema)

    return {"pattern": match_text, "patternProperties": match_names, "additionalProperties": match_no_name}


def _unique_items(_validator: Any, wanted: Any, value: Any, _schema: Any) -> "Iterator[ValidationError]":
    from jsonschema import ValidationError

    if wanted and isinstance(value, list):
        distinct = {json.dumps(_without_fractions(item), sort_keys=True) for item in value}
        if len(distinct) < len(value):
            yield ValidationError(f"{value!r} has non-unique elements")


def _without_fractions(value: Any) -> Any:
    """1.0 is 1 in JSON Schema; `true` is not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _without_fractions(part) for name, part in value.items()}
    return [_without_fractions(part) for part in value] if isinstance(value, list) else value


def _told(error: "ValidationError") -> str:
    path = error.json_path
    if len(path) > _LONGEST_PATH:
        path = f"{path[: _LONGEST_PATH // 2]}…{path[-_LONGEST_PATH // 2 :]}"
    return f"{path}: {brief(error.message, error.instance)}"


def brief(message: str, value: Any) -> str:
    """The message of a fault that `value` has. Most begin with the whole value; what is wrong with it comes after."""
    if len(message) <= _LONGEST_MESSAGE:
        return message
    whole = repr(value)
    if len(whole) > _LONGEST_VALUE and message.startswith(whole):
        message = f"{whole[:_LONGEST_VALUE]}…{message[len(whole) :]}"
    return message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}…"
