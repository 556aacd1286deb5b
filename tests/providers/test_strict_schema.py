"""Which schemas OpenAI's strict mode takes."""

import pytest
from llm_gateway.providers.strict_schema import fits_strict_mode

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


def holding(schema: object, **more) -> dict:
    """An object that strict mode takes if it takes `schema`."""
    return {"type": "object", "properties": {"x": schema}, "required": ["x"], "additionalProperties": False, **more}


@pytest.mark.parametrize(
    "schema",
    [
        CITY,
        holding(CITY),
        holding({"type": "array", "items": CITY}),
        holding({"anyOf": [CITY, {"type": "null"}]}),
        holding({"$ref": "#/$defs/city"}, **{"$defs": {"city": CITY}}),
        holding({"type": "integer", "minimum": 0, "description": "Years."}),
        {"type": "object", "properties": {}, "additionalProperties": False},
    ],
)
def test_fits(schema: dict) -> None:
    assert fits_strict_mode(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "array", "items": CITY},
        {"type": "string"},
        holding({"type": "object"}),
        holding({"type": ["object", "null"]}),
        holding({**CITY, "required": []}),
        holding({"type": "array", "items": {**CITY, "additionalProperties": True}}),
        holding({"anyOf": [{"type": "null"}, {"type": "object", "properties": {}}]}),
        holding({"$ref": "#/$defs/city"}, **{"$defs": {"city": {"type": "object"}}}),
        holding({"type": "string", "default": "x"}),
        holding({"allOf": [CITY]}),
        holding(True),
    ],
)
def test_does_not_fit(schema: dict) -> None:
    assert not fits_strict_mode(schema)
