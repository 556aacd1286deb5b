"""Which JSON schemas Bedrock's structured output takes; all others are asked for in words."""

from collections.abc import Iterator
from typing import Any, Final

from llm_gateway.domain.chat import JsonObject

# https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html, "Supported JSON Schema features".
_KEYWORDS: Final = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "allOf"}
    | {"$ref", "$defs", "title", "description", "default"}
)
_NAMED: Final = ("properties", "$defs")
_LISTED: Final = ("anyOf", "allOf")


def takes(schema: JsonObject) -> bool:
    """Whether Bedrock guarantees the form: every object is closed, and nothing is asked but what its grammars know."""
    return all(_fits(part) for part in _parts(dict(schema)))


def _fits(schema: object) -> bool:
    if not isinstance(schema, dict) or not schema.keys() <= _KEYWORDS:
        return False
    kind = schema.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema
    return not is_object or schema.get("additionalProperties") is False


def _parts(schema: object) -> Iterator[object]:
    """`schema` and every schema within it."""
    yield schema
    if not isinstance(schema, dict):
        return
    inner: list[Any] = [schema["items"]] if "items" in schema else []
    for keyword in _NAMED:
        named = schema.get(keyword)
        inner += named.values() if isinstance(named, dict) else ()
    for keyword in _LISTED:
        listed = schema.get(keyword)
        inner += listed if isinstance(listed, list) else ()
    for part in inner:
        yield from _parts(part)
