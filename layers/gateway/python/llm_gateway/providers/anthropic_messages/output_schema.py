"""Which JSON schemas Anthropic's structured output takes, and in which form; all others are asked for in words."""

from collections.abc import Iterator
from typing import Any

from llm_gateway.domain.chat import JsonObject


def output_schema(schema: JsonObject | None) -> dict[str, Any] | None:
    """The schema as the API wants it, or None where it has no such form.

    The SDK moves keywords that the API does not know into descriptions, and closes every object. That only narrows what
    is allowed, except where an object is meant to be open: closed, nothing could be said in it.
    """
    from anthropic import transform_schema

    if schema is None or any(_is_open_object(part) for part in _parts(dict(schema))):
        return None
    try:
        return transform_schema(dict(schema))
    except ValueError:
        return None


def _is_open_object(schema: dict[str, Any]) -> bool:
    if "definitions" in schema:
        # References into an older keyword, which would lead nowhere.
        return True
    others = schema.get("additionalProperties")
    if isinstance(others, dict) or "patternProperties" in schema:
        return True
    kind = schema.get("type")
    may_be_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    return may_be_object and others is not False and not schema.get("properties")


def _parts(value: object) -> Iterator[dict[str, Any]]:
    """Every object within a schema; one that is no schema itself (a map of properties, say) does no harm."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)
