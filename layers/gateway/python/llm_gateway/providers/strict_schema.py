"""Which JSON schemas OpenAI's strict mode takes: it guarantees their form, and refuses all others with a 400."""

from collections.abc import Iterator
from typing import Any, Final

# https://developers.openai.com/api/docs/guides/structured-outputs, "Supported schemas".
_KEYWORDS: Final = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf"}
    | {"$ref", "$defs", "title", "description", "minItems", "maxItems"}
    | {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)


def fits_strict_mode(schema: dict[str, Any]) -> bool:
    """An object at the root; in every object all properties required and no others allowed; only supported keywords."""
    return schema.get("type") == "object" and all(_fits(part) for part in _parts(schema))


def _parts(schema: object) -> Iterator[object]:
    """`schema` and every schema within it."""
    yield schema
    if not isinstance(schema, dict):
        return
    for keyword in ("properties", "$defs"):
        inner = schema.get(keyword)
        for part in inner.values() if isinstance(inner, dict) else ():
            yield from _parts(part)
    for part in schema.get("anyOf") or ():
        yield from _parts(part)
    if "items" in schema:
        yield from _parts(schema["items"])


def _fits(schema: object) -> bool:
    if not isinstance(schema, dict) or not schema.keys() <= _KEYWORDS:
        return False
    kind = schema.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema
    if not is_object:
        return True
    properties = schema.get("properties", {})
    return schema.get("additionalProperties") is False and set(schema.get("required", ())) == set(properties)
