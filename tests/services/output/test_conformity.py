"""Conformity: what is wrong with a value, in few words and little time, whatever the schema is."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from llm_gateway.services.output.conformity import faults
from llm_gateway.services.output.patterns import TooMuchWork
from llm_gateway.services.output.schemas import check_schema

from tests.adapters.steps import steps
from tests.patience import LATE_S

MOST_STEPS = 600_000
MANY = ["x" * 1_000] * 1_000


def found(value: Any, schema: dict[str, Any]) -> list[str]:
    check_schema(schema)
    return faults(value, schema, gives_up=lambda: False)


@pytest.mark.parametrize(
    ("value", "schema", "fault"),
    [
        ({"name": 7}, {"properties": {"name": {"type": "string"}}}, "$.name: 7 is not of type 'string'"),
        ([[1, "x"]], {"items": {"items": {"type": "integer"}}}, "$[0][1]: 'x' is not of type 'integer'"),
        ("b", {"pattern": "^a"}, "$: 'b' does not match '^a'"),
        ({"x1": "no"}, {"patternProperties": {"^x": {"type": "integer"}}}, "$.x1: 'no' is not of type 'integer'"),
        (
            {"x1": 1, "y": 2, "z": 3},
            {"patternProperties": {"^x": {}}, "properties": {"y": {}}, "additionalProperties": False},
            "$: Additional properties are not allowed ('z' was unexpected)",
        ),
        (
            {"x": 1, "z": "a"},
            {"patternProperties": {"x": {}}, "additionalProperties": {"type": "integer"}},
            "$.z: 'a' is not of type 'integer'",
        ),
        ([1, 1.0], {"uniqueItems": True}, "$: [1, 1.0] has non-unique elements"),
        ([{"a": [1], "b": 2}, {"b": 2.0, "a": [1]}], {"uniqueItems": True}, "has non-unique elements"),
        ({"a": 1, "b": 2}, {"properties": {"a": {}}, "unevaluatedProperties": False}, "('b' was unexpected)"),
        # The nearest of several alternatives, rather than that none of them is it.
        (
            {"a": {}},
            {"properties": {"a": {"anyOf": [{"type": "null"}, {"type": "object", "required": ["name"]}]}}},
            "$.a: 'name' is a",
        ),
        (10**31, {"maximum": 10**30}, "is greater than the maximum"),
    ],
)
@pytest.mark.holds("LLM05", "API10")
def test_a_fault_is_named_with_its_path(value: Any, schema: dict[str, Any], fault: str) -> None:
    (said,) = found(value, schema)

    assert fault in said


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("ab", {"pattern": "b"}),
        (7, {"pattern": "b", "patternProperties": {"a": False}, "additionalProperties": False, "uniqueItems": True}),
        ({"x": 1}, {"patternProperties": {"^x": {}}, "additionalProperties": False}),
        ([1, True, "1", [1], {"a": 1}, None, 0, False, 1.5], {"uniqueItems": True}),
        ([1, 1], {"uniqueItems": False}),
        (1.0, {"type": "integer"}),
        ("tomorrow", {"format": "date"}),
        ({"next": {"next": {}}}, {"properties": {"next": {"$ref": "#"}}}),
        (10**400, {"type": "integer", "minimum": 10**399}),
        # By Draft 7 this would be a list of schemas, one for each place.
        ([1], {"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": [{"type": "integer"}]}),
    ],
)
def test_a_value_that_conforms(value: Any, schema: dict[str, Any]) -> None:
    assert found(value, schema) == []


@pytest.mark.parametrize(
    ("value", "schema", "kept"),
    [
        (MANY, {"items": {"type": "integer"}}, "… is not of type 'integer'"),
        (MANY, {"type": "integer"}, "… is not of type 'integer'"),
        (MANY, {"anyOf": [{"items": {"type": "integer"}}, {"items": {"type": "null"}}]}, "… is not valid under any"),
        (MANY, {"enum": ["y" * 500] * 100}, "… is not one of ['yyyy"),
        (MANY, {"contains": {"const": 1}}, "… does not contain items matching"),
        (MANY, {"items": False}, "Expected at most 0 items but found 1000 extra"),
        (MANY, {"uniqueItems": True}, "… has non-unique elements"),
        (MANY, {"not": {}}, "… should not be valid under"),
        (MANY, {"allOf": [False]}, "False schema does not allow"),
        ("x" * 10_000, {"pattern": "y"}, "… does not match 'y'"),
        ({"k" * 9_000 + str(n): 1 for n in range(9)}, {"additionalProperties": False}, "Additional properties are not"),
        ({"k" * 9_000: 1}, {"additionalProperties": {"type": "null"}}, "1 is not of type 'null'"),
        ({"a": 1}, {"required": ["r" * 10_000]}, "'rrrr"),
    ],
)
def test_faults_are_told_in_few_words(value: Any, schema: dict[str, Any], kept: str) -> None:
    said = found(value, schema)

    assert kept in said[0]
    assert 1 <= len(said) <= 5
    assert max(map(len, said)) < 600


TREE = {"oneOf": [{"type": "array", "items": {"$ref": "#"}}, {"type": "array", "items": {"$ref": "#"}, "minItems": 1}]}


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (deep(60), TREE),
        (deep(60), {"allOf": [TREE], "unevaluatedItems": False}),
        ({f"k{n}": n for n in range(20_000)}, {"patternProperties": {f"{n}x": {} for n in range(100)}}),
    ],
)
def test_a_schema_that_takes_too_long_is_given_up(value: Any, schema: dict[str, Any]) -> None:
    check_schema(schema)
    until = time.monotonic() + 0.3

    with pytest.raises(TooMuchWork):
        faults(value, schema, gives_up=lambda: time.monotonic() > until)

    assert time.monotonic() - until < LATE_S


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ("a" * 50_000 + "!", {"pattern": "^(a+)+$"}),
        ({"a" * 50_000 + "!": 1}, {"patternProperties": {"^(a+)+$": {}}, "additionalProperties": False}),
        ({"a" * 50_000 + "!": 1}, {"propertyNames": {"pattern": "^(a+)+$"}}),
        ([{"n": n} for n in range(20_000)], {"uniqueItems": True}),
        (["x"] * 50_000, {"anyOf": [{"items": {"type": "integer", "minimum": n}} for n in range(100)]}),
        (["x" * 1_000] * 1_000, {"allOf": [{"anyOf": [{"type": "null"}, {"type": "object"}]}] * 100}),
    ],
)
@pytest.mark.holds("API4", "LLM10", "STRIDE-D")
def test_what_would_take_for_ever_takes_no_time(value: Any, schema: dict[str, Any]) -> None:
    made = steps(lambda: found(value, schema))

    assert made < MOST_STEPS, made


SCALARS = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5, "", "a", "ab", "1"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["a", "ab", "b"]), inner),
    max_leaves=8,
)
PARTS = st.sampled_from(
    [{}, True, False, {"type": "integer"}, {"type": "string"}, {"pattern": "b"}, {"uniqueItems": True}]
)


@given(
    VALUES,
    st.fixed_dictionaries(
        {},
        optional={
            "pattern": st.sampled_from(["^a", "b$", "1"]),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), PARTS),
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), PARTS),
            "additionalProperties": PARTS,
            "uniqueItems": st.booleans(),
            "items": PARTS,
        },
    ),
)
def test_the_bounds_change_no_verdict(value: Any, schema: dict[str, Any]) -> None:
    assert (found(value, schema) == []) == Draft202012Validator(schema).is_valid(value)
