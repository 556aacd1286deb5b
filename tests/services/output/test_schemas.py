"""Schemas that callers send: which can be used, what is said of the others, and that none takes long to look through."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gateway.errors import ValidationFailed
from llm_gateway.services.output.conformity import faults
from llm_gateway.services.output.patterns import TooMuchWork
from llm_gateway.services.output.schemas import check_schema
from referencing.exceptions import Unresolvable

from tests.adapters.steps import steps

MOST_STEPS = 600_000
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "additionalProperties": False,
}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


def doubled(times: int) -> dict[str, Any]:
    """Two references to two references to two…: 2^times schemas in one place."""
    parts = {str(n): {"allOf": [{"$ref": f"#/$defs/{n - 1}"} for _ in "ab"]} for n in range(1, times + 1)}
    return {"$defs": {"0": {"type": "integer"}, **parts}, "$ref": f"#/$defs/{times}"}


def refused(schema: dict[str, Any]) -> str:
    with pytest.raises(ValidationFailed) as caught:
        check_schema(schema)

    (error,) = caught.value.errors
    assert error.field == "output.schema"
    assert len(caught.value.detail) < 1_000
    return error.message


@pytest.mark.parametrize(
    "schema",
    [
        PERSON,
        {},
        {"$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}}}, "$ref": "#/$defs/node"},
        {"properties": {"child": {"$ref": "#"}, "$ref": {"type": "string"}, "$schema": {"type": "string"}}},
        {"definitions": {"x": {"type": "integer"}}, "items": {"$ref": "#/definitions/x"}},
        {"$id": "https://example.com/a", "$defs": {"b": {"$anchor": "here"}}, "allOf": [{"$ref": "#here"}]},
        {"$defs": {"a": {"$id": "b", "$anchor": "c"}}, "$ref": "b#c"},
        {"$defs": {"a": True}, "$ref": "#/$defs/a"},
        {"items": {"$dynamicRef": "#node"}, "$dynamicAnchor": "node"},
        {"const": {"$ref": "#/not/a/reference"}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"},
        {"pattern": "^(a+)+$"},
        {"anyOf": [{"const": n} for n in range(900)]},
        {"properties": {f"p{n}": {"type": "string"} for n in range(2_000)}},
        nested(40),
        doubled(7),
    ],
)
def test_a_schema_that_can_be_used(schema: dict[str, Any]) -> None:
    check_schema(schema)


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ({"type": "objekt"}, "is not a JSON schema: 'objekt' is not valid .* at \\$.type"),
        ({"properties": {"a": 7}}, "7 is not of type 'object', 'boolean' at \\$.properties.a"),
        ({"$ref": 3}, "is not a JSON schema"),
        ({"description": ["x" * 5_000]}, "xxx… is not of type 'string' at \\$.description"),
        ({"pattern": "["}, "'\\[' at \\$.pattern is not a regular expression"),
        ({"properties": {"a": {"pattern": "(?!x)"}}}, "at \\$.properties.a.pattern .* do without look-arounds"),
        ({"patternProperties": {r"(a)\1": {}}}, "do without look-arounds, back-references"),
        ({"pattern": "(" * 20_000}, "is not a regular expression"),
        ({"patternProperties": {str(n): {} for n in range(101)}}, "has too many patterns: 100 at most"),
        ({"$ref": "#/nowhere"}, "refers to '#/nowhere', which is no schema in it"),
        ({"properties": {"deep": {"items": {"$ref": "#/$defs/nobody"}}}}, "'#/\\$defs/nobody'"),
        ({"definitions": {"x": {"$ref": "#/nowhere"}}}, "'#/nowhere'"),
        ({"$dynamicRef": "#nowhere"}, "'#nowhere'"),
        ({"$ref": "#/a", "a": "text"}, "put that under \\$defs"),
        ({"$ref": "#/a/x", "a": "text"}, "put that under \\$defs"),
        ({"$ref": "#/a/0", "a": [7]}, "put that under \\$defs"),
        ({"$ref": "#/properties", "properties": {"a": {}}}, "put that under \\$defs"),
        ({"$ref": "https://example.com/other.json"}, "'https://example.com/other.json', which is no schema in it"),
        ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, "which is no schema in it"),
        ({"$ref": "file:///etc/passwd"}, "'file:///etc/passwd'"),
        ({"$ref": "http://["}, "'http://\\['"),
        ({"$id": "http://[", "allOf": [{"$ref": "x"}]}, "has an \\$id that is no URI"),
        ({"items": {"$schema": "http://json-schema.org/draft-07/schema#"}}, "has a \\$schema within it"),
        ({"patternProperties": {"a": {}}, "allOf": [{"unevaluatedProperties": False}]}, "only one of them"),
        ({"$ref": "#"}, "refers to itself without end"),
        ({"properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}, "itself without end"),
        ({"$defs": {"a": {"not": {"if": {"$ref": "#/$defs/a"}}}}}, "itself without end"),
        ({"$dynamicAnchor": "x", "dependentSchemas": {"a": {"$dynamicRef": "#x"}}}, "itself without end"),
        (nested(5_000), "nested too deeply"),
        (nested(100), "nested too deeply"),
        (doubled(12), "more than 1000 schemas"),
        (doubled(60), "schemas one within another"),
        ({"enum": [[] for _ in range(5_000)]}, "has too many parts: 5000"),
        ({"description": "x" * 131_072}, "is too large: 128 KiB"),
        ({"const": "\ud800"}, "half of a surrogate pair"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused_before_anybody_is_asked(schema: dict[str, Any], said: str) -> None:
    messages: list[str] = []
    made = steps(lambda: messages.append(refused(schema)))

    assert re.search(said, messages[0]), messages[0]
    assert made < MOST_STEPS, made


@pytest.fixture
def asked_for() -> Iterator[list[str]]:
    """What was asked of a server on this machine; its address is in front."""
    requests: list[str] = []

    class Remembers(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            requests.append(self.rfile.readline().decode())

    with socketserver.TCPServer(("127.0.0.1", 0), Remembers) as server:
        requests.append(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield requests
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef", "$schema", "$id", "$recursiveRef"])
def test_nothing_is_ever_fetched(asked_for: list[str], keyword: str) -> None:
    (address,) = asked_for
    schema = {keyword: f"{address}/schema.json", "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {"type": "string"}}}

    try:
        check_schema(schema)
    except ValidationFailed:
        assert keyword in ("$ref", "$dynamicRef")
    else:
        assert faults([1], schema, gives_up=lambda: False) == ["$[0]: 1 is not of type 'string'"]

    # Nor where nobody has checked it before.
    with suppress(Unresolvable):
        faults([1], schema, gives_up=lambda: False)
    assert asked_for == [address]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["a", "#", "#/a", "#b", "x:"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "$ref"]), inner, max_size=3),
    max_leaves=8,
)
KEYWORDS = st.sampled_from(
    """$ref $dynamicRef $anchor $dynamicAnchor $id $defs $schema definitions a allOf anyOf oneOf not if then else properties
    patternProperties additionalProperties items pattern prefixItems contains uniqueItems unevaluatedProperties const enum
    unevaluatedItems dependentSchemas type required multipleOf maximum minItems propertyNames dependentRequired""".split()  # noqa: SIM905
)
SCHEMAS = st.recursive(
    st.booleans() | st.dictionaries(KEYWORDS, VALUES, max_size=2),
    lambda inner: st.dictionaries(
        KEYWORDS,
        inner | st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        max_size=4,
    ),
    max_leaves=12,
).filter(lambda schema: isinstance(schema, dict))


@settings(max_examples=400)
@given(SCHEMAS, VALUES)
def test_a_schema_that_was_let_through_tells_right_from_wrong(schema: dict[str, Any], value: Any) -> None:
    try:
        check_schema(schema)
    except ValidationFailed:
        return
    try:
        assert isinstance(faults(value, schema, gives_up=lambda: False), list)
    except (OverflowError, TooMuchWork):
        return
