"""A grammar admits only documents that its schema allows, and the documents that a model would write."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from local_model.errors import InvalidRequest
from local_model.json_grammar import grammar_for_any_object, grammar_for_schema
from local_model.number_grammar import integer_rule, number_rule

from tests.local_model.gbnf import as_regex

PERSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Person",
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 5},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "mail": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"enum": ["a", "ü", 'q"\\']}, "minItems": 1, "maxItems": 2},
    },
    "required": ["name", "tags"],
    "additionalProperties": False,
}

CASES = [
    (PERSON, [{"name": "Bo", "tags": ["a"]}, {"name": "Bo", "age": 120, "mail": None, "tags": ["ü", 'q"\\']}]),
    (
        {"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "boolean"}}},
        [{}, {"a": None}, {"b": True}],
    ),
    ({"type": "object", "properties": {}, "additionalProperties": {"type": "integer"}}, [{}, {"x": 1, "y": -20}]),
    ({"type": "object", "additionalProperties": False}, [{}]),
    ({"type": "object"}, [{}, {"a": [1, {"b": "c"}]}]),
    ({}, ["text", 1, None, [True], {"a": 0.5}]),
    (True, ["text"]),
    ({"type": ["string", "null"], "maxLength": 2}, [None, "", "éé"]),
    ({"type": "array"}, [[], [1, "a"]]),
    ({"type": "array", "items": {"type": "boolean"}, "maxItems": 0}, [[]]),
    ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, [[True, False], [True] * 5]),
    ({"const": [1.5]}, [[1.5]]),
    ({"enum": [1, "1", None]}, [1, "1", None]),
    ({"type": "string", "enum": ["a", 1]}, ["a"]),
    ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, [0, 0.5, 0.125]),
    ({"type": "number", "minimum": -1.5, "maximum": 2}, [-1, -0.5, 1.75, 2]),
    ({"type": "string", "format": "date"}, ["2026-11-22"]),
    ({"type": "string", "format": "date-time"}, ["2026-11-22T10:20:30Z"]),
    ({"type": "string", "format": "uuid"}, ["12345678-1234-1234-1234-123456789abc"]),
    (
        {
            "$defs": {
                "node": {
                    "type": "object",
                    "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
                }
            },
            "$ref": "#/$defs/node",
        },
        [{"next": None}, {"next": {"next": {}}}],
    ),
]


def spellings(document: object) -> list[str]:
    return [
        json.dumps(document, ensure_ascii=False, separators=separators) for separators in ((",", ":"), (", ", ": "))
    ]


@pytest.mark.parametrize(("schema", "documents"), CASES)
def test_documents_that_fit_are_admitted(schema, documents):
    regex = as_regex(grammar_for_schema(schema, field="schema"))
    for document in documents:
        Draft202012Validator(schema).validate(document)
        for text in spellings(document):
            assert regex.fullmatch(text), text


SMALL_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-200, 200) | st.floats(-3, 3) | st.text('aBoü"\\', max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "age", "mail", "tags", "a"]), inner, max_size=4)
    ),
    max_leaves=6,
)


@given(SMALL_JSON)
def test_whatever_is_admitted_is_valid(document):
    for schema, _ in CASES:
        if any(as_regex_of(schema).fullmatch(text) for text in spellings(document)):
            Draft202012Validator(schema).validate(document)


def as_regex_of(schema: object, cache: dict[str, object] = {}):  # noqa: B006
    key = json.dumps(schema)
    if key not in cache:
        cache[key] = as_regex(grammar_for_schema(schema, field="schema"))
    return cache[key]


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        (PERSON, {"name": "Bo"}),
        (PERSON, {"name": "", "tags": ["a"]}),
        (PERSON, {"name": "Bo", "tags": []}),
        (PERSON, {"name": "Bo", "tags": ["a"], "more": 1}),
        (PERSON, {"name": "Bo", "age": 121, "tags": ["a"]}),
        (PERSON, {"name": "Bo", "age": 1.5, "tags": ["a"]}),
        ({"type": "string", "maxLength": 2}, "abc"),
        ({"type": "number", "exclusiveMinimum": 0}, 0),
        ({"type": "string", "format": "date"}, "2026-02-31"),
    ],
)
def test_documents_that_do_not_fit_are_not_admitted(schema, document):
    regex = as_regex(grammar_for_schema(schema, field="schema"))
    assert not any(regex.fullmatch(text) for text in spellings(document))


def test_lone_surrogates_and_raw_control_characters_are_not_admitted():
    regex = as_regex(grammar_for_schema({"type": "string"}, field="schema"))
    assert not any(regex.fullmatch(text) for text in (r'"\ud800"', r'"\uDfff"', '"\n"', '"a'))
    assert all(regex.fullmatch(text) for text in (r'"\u00e9"', r'"\ud7ff"', r'"\n"', '"é"'))


def test_any_object_is_an_object():
    regex = as_regex(grammar_for_any_object())
    assert regex.fullmatch('{"a": [1.5e3, {"b": null}]}')
    assert not regex.fullmatch("[]")
    assert not regex.fullmatch("01")


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ({"type": "string", "pattern": "^a$"}, "pattern"),
        ({"type": "string", "format": "email"}, "format"),
        ({"type": "object", "properties": {"a": {"type": "text"}}}, "properties.a.type"),
        ({"type": "object", "properties": {"a": False}}, "properties.a"),
        ({"type": "object", "required": ["b"]}, "required"),
        ({"type": "object", "required": "b"}, "required"),
        ({"type": "object", "properties": []}, "properties"),
        ({"type": "object", "patternProperties": {}}, "patternProperties"),
        ({"type": "array", "items": {"type": "integer", "multipleOf": 2}}, "items.multipleOf"),
        ({"type": "array", "uniqueItems": True}, "uniqueItems"),
        ({"type": "array", "minItems": -1}, "minItems"),
        ({"type": "array", "maxItems": 10**6}, "maxItems"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "maxItems"),
        ({"type": "integer", "minimum": "1"}, "minimum"),
        ({"type": "integer", "minimum": 10**30}, "minimum"),
        ({"type": "integer", "minimum": 2, "maximum": 1}, ""),
        ({"type": "number", "exclusiveMinimum": 0.2, "maximum": 0.8}, ""),
        ({"type": []}, "type"),
        ({"type": [{}]}, "type"),
        ({"enum": []}, "enum"),
        ({"type": "string", "enum": [1]}, "enum"),
        ({"anyOf": []}, "anyOf"),
        ({"anyOf": [{"type": "integer"}], "type": "integer"}, "type"),
        ({"oneOf": [{"type": "integer"}]}, "oneOf"),
        ({"allOf": [{"type": "integer"}]}, "allOf"),
        ({"not": {}}, "not"),
        ({"$ref": "https://example.com/schema.json"}, "$ref"),
        ({"$ref": "#/$defs/none"}, "$ref"),
        ({"$ref": 1}, "$ref"),
        ({"minLength": 1}, "minLength"),
    ],
)
def test_what_cannot_be_held_is_refused_by_name(schema, field):
    with pytest.raises(InvalidRequest) as refused:
        grammar_for_schema(schema, field="schema")
    assert refused.value.param == ".".join(filter(None, ["schema", field]))


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(2_000)}},
        {"type": "object", "properties": {f"p{n}": {"type": "string", "maxLength": 900 + n} for n in range(90)}},
    ],
)
def test_schemas_that_would_take_all_memory_are_refused(schema):
    with pytest.raises(InvalidRequest, match="too large"):
        grammar_for_schema(schema, field="schema")


def test_nesting_is_bounded():
    schema: dict = {"type": "string"}
    for _ in range(60):
        schema = {"type": "array", "items": schema}
    with pytest.raises(InvalidRequest, match="deep"):
        grammar_for_schema(schema, field="schema")


@given(st.integers(-1100, 1100), st.integers(0, 2200), st.integers(-1300, 1300))
def test_integers_between_bounds(low, span, number):
    regex = as_regex(f"root ::= {integer_rule({'minimum': low, 'maximum': low + span}, at='x')}")
    for candidate in (number, low - 1, low, low + span, low + span + 1):
        assert bool(regex.fullmatch(str(candidate))) == (low <= candidate <= low + span)
    assert not regex.fullmatch("-0")
    assert not regex.fullmatch(f"0{number}")


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 10**15))
def test_large_integers_between_bounds(one, other, number):
    low, high = sorted((one, other))
    regex = as_regex(f"root ::= {integer_rule({'minimum': low, 'maximum': high}, at='x')}")
    for candidate in (number, low, high, low - 1, high + 1):
        assert bool(regex.fullmatch(str(candidate))) == (low <= candidate <= high)


@given(st.floats(-20, 20), st.floats(2, 30), st.decimals(-30, 30, places=2))
def test_numbers_admitted_are_between_the_bounds(low, span, number):
    schema = {"exclusiveMinimum": low, "maximum": low + span}
    regex = as_regex(f"root ::= {number_rule(schema, at='x')}")
    text = str(number.normalize()) if "E" not in str(number.normalize()) else str(int(number))
    if regex.fullmatch(text):
        assert low < float(text) <= low + span
