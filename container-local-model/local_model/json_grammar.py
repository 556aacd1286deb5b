"""JSON Schema to a llama.cpp grammar, so that an answer cannot break the schema it was asked for.

The grammar may admit fewer documents than the schema, never more: a keyword that it cannot hold is refused by name instead
of being passed over. Whitespace is at most one space after `:` and `,`, because small models get lost in it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from local_model.errors import InvalidRequest
from local_model.number_grammar import integer_rule, number_rule

MAX_RULES = 2_000
MAX_DEPTH = 48
# llama.cpp expands a repetition into as many rules and refuses large ones.
MAX_REPEAT = 1_000
MAX_REPEATS_IN_ALL = 20_000

_HEX = "[0-9a-fA-F]"
# Surrogates are left out: a lone one is a string that cannot be encoded again.
_CHAR = rf'[^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" ([0-9a-cefA-CEF] {_HEX}{{3}} | [dD] [0-7] {_HEX}{{2}}))'
_DAY = '[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])'
_HOUR = '("0" [0-9] | "1" [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{3})? "Z"'

_SHARED = {
    "value": "object | array | string | number | boolean | null",
    "object": '"{" (pair (comma pair)*)? "}"',
    "pair": "string colon value",
    "array": '"[" (value (comma value)*)? "]"',
    "string": r'"\"" char* "\""',
    "char": _CHAR,
    "number": '"-"? ("0" | [1-9] [0-9]{0,15}) ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?',
    "integer": '"0" | "-"? [1-9] [0-9]{0,15}',
    "boolean": '"true" | "false"',
    "null": '"null"',
    "comma": '"," " "?',
    "colon": '":" " "?',
}
_FORMATS = {
    "date": _DAY,
    "time": _HOUR,
    "date-time": f'{_DAY} "T" {_HOUR}',
    "uuid": f'{_HEX}{{8}} ("-" {_HEX}{{4}}){{3}} "-" {_HEX}{{12}}',
}
_ANNOTATIONS = frozenset(
    {"$schema", "$id", "$comment", "$defs", "definitions", "title", "description"}
    | {"default", "example", "examples", "deprecated", "readOnly", "writeOnly"}
)
_KEYWORDS: Mapping[str, frozenset[str]] = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "string": frozenset({"minLength", "maxLength", "format"}),
    "integer": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "number": frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}),
    "boolean": frozenset(),
    "null": frozenset(),
}
_REPETITION = re.compile(r"\{(\d+),?(\d*)\}")


def grammar_for_any_object() -> str:
    return _text({"root": "object", **_SHARED})


def grammar_for_schema(schema: Mapping[str, Any], *, field: str) -> str:
    """Raises InvalidRequest naming the place under `field` that cannot be converted."""
    conversion = _Conversion(schema, field=field)
    grammar = _text({"root": conversion.rule_for(schema, at=field), **conversion.rules, **_SHARED})
    if sum(int(count) for pair in _REPETITION.findall(grammar) for count in pair if count) > MAX_REPEATS_IN_ALL:
        raise InvalidRequest("the schema's lengths and counts are too large together", param=field)
    return grammar


def _text(rules: Mapping[str, str]) -> str:
    return "".join(f"{name} ::= {body}\n" for name, body in rules.items())


class _Conversion:
    """Walks a schema once; `rules` collects what has to have a name."""

    def __init__(self, schema: Mapping[str, Any], *, field: str) -> None:
        self.rules: dict[str, str] = {}
        self._schema = schema
        self._field = field
        self._named_refs: dict[str, str] = {}
        self._depth = 0

    def rule_for(self, schema: object, *, at: str) -> str:
        """The name of a rule for this schema."""
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, dict):
            raise InvalidRequest("a schema must be an object", param=at)
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise InvalidRequest("the schema is nested too deeply", param=self._field)
        body = self._body(schema, at=at)
        self._depth -= 1
        return body if body in _SHARED or body in self.rules else self._named(body)

    def _named(self, body: str) -> str:
        if len(self.rules) >= MAX_RULES:
            raise InvalidRequest("the schema is too large", param=self._field)
        name = f"r{len(self.rules)}"
        self.rules[name] = body
        return name

    def _body(self, schema: dict[str, Any], *, at: str) -> str:
        if "$ref" in schema:
            _only(schema, {"$ref"}, at=at)
            return self._reference(schema["$ref"], at=f"{at}.$ref")
        if "anyOf" in schema:
            _only(schema, {"anyOf"}, at=at)
            return self._any_of(schema["anyOf"], at=f"{at}.anyOf")
        if "const" in schema:
            _only(schema, {"const", "type"}, at=at)
            return _choice([schema["const"]], schema, at=f"{at}.const")
        if "enum" in schema:
            _only(schema, {"enum", "type"}, at=at)
            return _choice(_list(schema["enum"], at=f"{at}.enum"), schema, at=f"{at}.enum")
        return self._typed(schema, at=at)

    def _typed(self, schema: dict[str, Any], *, at: str) -> str:
        types = _types(schema, at=at)
        _only(schema, {"type"}.union(*(_KEYWORDS[name] for name in types)), at=at)
        if not types:
            return "value"
        bodies = [self._of_type(name, schema, at=at) for name in types]
        return bodies[0] if len(bodies) == 1 else " | ".join(bodies)

    def _of_type(self, name: str, schema: dict[str, Any], *, at: str) -> str:
        if name == "object":
            return self._object(schema, at=at)
        if name == "array":
            return self._array(schema, at=at)
        if name == "string":
            return _string(schema, at=at)
        if name in {"integer", "number"} and any(key in schema for key in _KEYWORDS["number"]):
            rule = integer_rule if name == "integer" else number_rule
            return rule(schema, at=at)
        return name

    def _reference(self, ref: object, *, at: str) -> str:
        if not isinstance(ref, str) or not ref.startswith("#"):
            raise InvalidRequest("only references into the same schema ('#/…') are supported", param=at)
        if ref not in self._named_refs:
            # The name is taken before the target is walked, so that a schema may contain itself.
            self._named_refs[ref] = name = f"ref{len(self._named_refs)}"
            self.rules[name] = ""
            self.rules[name] = self.rule_for(_resolve(self._schema, ref, at=at), at=f"{self._field}.{ref[2:]}")
        return self._named_refs[ref]

    def _any_of(self, alternatives: object, *, at: str) -> str:
        names = [self.rule_for(each, at=f"{at}.{index}") for index, each in enumerate(_list(alternatives, at=at))]
        return " | ".join(names)

    def _array(self, schema: dict[str, Any], *, at: str) -> str:
        low, high = _bounds(schema, "minItems", "maxItems", at=at)
        item = self.rule_for(schema.get("items", True), at=f"{at}.items")
        if high == 0:
            return '"[" "]"'
        more = "*" if high is None and low <= 1 else _repeat(max(low - 1, 0), None if high is None else high - 1)
        items = f"{item} (comma {item}){more}"
        return f'"[" {items} "]"' if low else f'"[" ({items})? "]"'

    def _object(self, schema: dict[str, Any], *, at: str) -> str:
        properties = schema.get("properties", {})
        required = schema.get("required", [])
        if not isinstance(properties, dict):
            raise InvalidRequest("it must be an object", param=f"{at}.properties")
        if not isinstance(required, list):
            raise InvalidRequest("it must be a list", param=f"{at}.required")
        if unknown := [name for name in required if name not in properties]:
            raise InvalidRequest(f"{unknown[0]!r} is required but not in properties", param=f"{at}.required")
        if not properties:
            return self._map(schema, at=at)
        pairs = [
            (f"{_literal(name)} colon {self.rule_for(value, at=f'{at}.properties.{name}')}", name in required)
            for name, value in properties.items()
        ]
        return f'"{{" {self._members(pairs)} "}}"'

    def _members(self, pairs: list[tuple[str, bool]]) -> str:
        """Members in the schema's order. `first` begins the object at this member, `rest` goes on after an earlier one."""
        first = rest = ""
        for pair, is_required in reversed(pairs):
            member = self._named(pair)
            if is_required:
                first, rest = f"{member} {rest}", f"comma {member} {rest}"
            else:
                alone = f"{member} {rest}"
                first, rest = f"{alone} | {first}" if first else f"({alone})?", f"(comma {member})? {rest}"
            first, rest = self._named(first), self._named(rest)
        return first

    def _map(self, schema: dict[str, Any], *, at: str) -> str:
        extra = schema.get("additionalProperties", True)
        if extra is False:
            return '"{" "}"'
        if extra is True:
            return "object"
        pair = f"string colon {self.rule_for(extra, at=f'{at}.additionalProperties')}"
        return f'"{{" ({pair} (comma {pair})*)? "}}"'


def _types(schema: dict[str, Any], *, at: str) -> list[str]:
    if "type" not in schema:
        if implied := [name for name in ("object", "array") if _KEYWORDS[name] & schema.keys()]:
            return implied[:1]
        return []
    given = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not given or any(name not in _KEYWORDS for name in given if isinstance(name, str)) or not _all_text(given):
        raise InvalidRequest(f"unknown type {schema['type']!r}", param=f"{at}.type")
    return given


def _all_text(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


def _only(schema: dict[str, Any], known: Iterable[str], *, at: str) -> None:
    for keyword in schema:
        if keyword not in known and keyword not in _ANNOTATIONS:
            raise InvalidRequest(f"the keyword {keyword!r} is not supported here", param=f"{at}.{keyword}")


def _list(value: object, *, at: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise InvalidRequest("it must be a list with at least one entry", param=at)
    return value


def _resolve(schema: Mapping[str, Any], ref: str, *, at: str) -> object:
    target: Any = schema
    for step in ref.removeprefix("#").split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, dict) or name not in target:
            raise InvalidRequest(f"nothing is at {ref!r}", param=at)
        target = target[name]
    return target


def _bounds(schema: dict[str, Any], low_name: str, high_name: str, *, at: str) -> tuple[int, int | None]:
    low, high = schema.get(low_name, 0), schema.get(high_name)
    for name, value in ((low_name, low), (high_name, high)):
        if value is not None and (type(value) is not int or not 0 <= value <= MAX_REPEAT):
            raise InvalidRequest(f"it must be a whole number from 0 to {MAX_REPEAT}", param=f"{at}.{name}")
    if high is not None and high < low:
        raise InvalidRequest(f"it is less than {low_name}", param=f"{at}.{high_name}")
    return low, high


def _repeat(low: int, high: int | None) -> str:
    return f"{{{low},{'' if high is None else high}}}"


def _string(schema: dict[str, Any], *, at: str) -> str:
    low, high = _bounds(schema, "minLength", "maxLength", at=at)
    if "format" in schema:
        body = _FORMATS.get(schema["format"]) if isinstance(schema["format"], str) else None
        if body is None or low or high is not None:
            raise InvalidRequest(f"the format {schema['format']!r} is not supported here", param=f"{at}.format")
        return rf'"\"" {body} "\""'
    if not low and high is None:
        return "string"
    return rf'"\"" char{_repeat(low, high)} "\""'


def _choice(values: list[Any], schema: dict[str, Any], *, at: str) -> str:
    if "type" in schema:
        types = _types(schema, at=at)
        values = [value for value in values if _json_types(value) & set(types)]
    if not values:
        raise InvalidRequest("no value has the type that the schema asks for", param=at)
    return " | ".join(_literal(value) for value in values)


def _json_types(value: object) -> set[str]:
    if value is None:
        return {"null"}
    if isinstance(value, bool):
        return {"boolean"}
    if isinstance(value, int | float):
        return {"integer", "number"} if value == int(value) else {"number"}
    return {"string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"}


def _literal(value: object) -> str:
    """The value's JSON as a grammar literal. Beyond ASCII also its escaped form, because not every vocabulary can spell it."""
    spelt = json.dumps(value, ensure_ascii=False)
    escaped = json.dumps(value).replace("\x7f", "\\u007f")
    return _quoted(spelt) if spelt == escaped else f"({_quoted(spelt)} | {_quoted(escaped)})"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
