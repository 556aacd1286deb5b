"""Writes the Python client's types from `openapi.json`: what is sent as `TypedDict`s, what is answered as pydantic models.

Answers are read leniently, so that a client of today reads the gateway of tomorrow: a word that an enumeration does not have yet
is kept as it is, and bounds are the gateway's business.
"""

import keyword
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]

_WIDTH: Final = 120
_INDENT: Final = "    "
_REF: Final = "#/components/schemas/"
_PLAIN: Final = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "array": "list[Any]",
}
# Names that pydantic's models have already.
_TAKEN: Final = frozenset({"copy", "dict", "json", "schema", "validate", "construct"})
_HEADER: Final = (
    '"""{told}\n\nWritten by `make openapi` from the gateway\'s own description of its API; do not edit.\n"""\n\n'
)
REQUESTS: Final = _HEADER.format(told="What is sent to a gateway.") + (
    "from __future__ import annotations\n\nfrom typing import Any, Literal, NotRequired, TypedDict\n"
)
ANSWERS: Final = _HEADER.format(told="What a gateway answers.") + (
    "from __future__ import annotations\n\nfrom typing import Any, Literal\n\nfrom pydantic import Field\n\n"
    "from llm_gateway_client.reading import Answer\n"
)


def request_types(document: Schema) -> str:
    """The module with what request bodies may hold."""
    bodies = [operation.get("requestBody", {}) for operation in _operations(document)]
    return _Types(document["components"]["schemas"]).requests(bodies)


def answer_types(document: Schema) -> str:
    """The module with what responses and the events of streams hold."""
    return _Types(document["components"]["schemas"]).answers([each["responses"] for each in _operations(document)])


def _operations(document: Schema) -> list[Schema]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


@dataclass(frozen=True, slots=True)
class _Types:
    schemas: Mapping[str, Schema]

    def requests(self, roots: Iterable[Any]) -> str:
        parts = [self._enumeration(name) or self._typed_dict(name) for name in self._reachable(roots)]
        return "\n\n".join([REQUESTS, *parts])

    def answers(self, roots: Iterable[Any]) -> str:
        parts = [self._enumeration(name, is_open=True) or self._model(name) for name in self._reachable(roots)]
        return "\n\n".join([ANSWERS, *parts])

    def _reachable(self, roots: Iterable[Any]) -> list[str]:
        found: set[str] = set()
        ahead = list(roots)
        while ahead:
            new = {name for name in _referred(ahead.pop()) if name not in found}
            found |= new
            ahead += [self.schemas[name] for name in new]
        return sorted(found)

    def _enumeration(self, name: str, *, is_open: bool = False) -> str | None:
        schema = self.schemas[name]
        return f"{name} = {_type(schema, is_open=is_open)}\n" if "properties" not in schema else None

    def _typed_dict(self, name: str) -> str:
        schema, fields = self.schemas[name], self._fields(name)
        types = {field: _type(each) if required else f"NotRequired[{_type(each)}]" for field, each, required in fields}
        if any(keyword.iskeyword(field) for field in types):
            members = "".join(f'{_INDENT}"{field}": {each!r},\n' for field, each in types.items())
            return f'{name} = TypedDict("{name}", {{\n{members}}})\n{_docstring(schema, "")}'
        members = "".join(f"{_INDENT}{field}: {types[field]}\n{_docstring(each)}" for field, each, _ in fields)
        return f"class {name}(TypedDict):\n{_docstring(schema)}\n{members}"

    def _model(self, name: str) -> str:
        lines = (self._answered(*field) for field in self._fields(name))
        return f"class {name}(Answer):\n{_docstring(self.schemas[name])}\n{''.join(lines)}"

    def _answered(self, field: str, schema: Schema, required: bool) -> str:
        told = _type(schema, is_open=True)
        name = f"{field}_" if keyword.iskeyword(field) or field in _TAKEN else field
        if not required and "None" not in told.split(" | ") and told != "Any":
            told = f"{told} | None"
        given = [] if required else ["default=None"]
        given += [f'alias="{field}"'] if name != field else []
        default = " = None" if given == ["default=None"] else f" = Field({', '.join(given)})" if given else ""
        return f"{_INDENT}{name}: {told}{default}\n{_docstring(schema)}"

    def _fields(self, name: str) -> list[tuple[str, Schema, bool]]:
        schema = self.schemas[name]
        required = set(schema.get("required", ()))
        return [(field, each, field in required) for field, each in schema["properties"].items()]


def _referred(part: Any) -> Iterator[str]:
    """The names of all schemas that `part` refers to itself."""
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].removeprefix(_REF)
        for each in part.values():
            yield from _referred(each)
    elif isinstance(part, list):
        for each in part:
            yield from _referred(each)


def _type(schema: Schema, *, is_open: bool = False) -> str:
    """`schema` as Python's type checkers know it. Raises ValueError for a kind of schema that the API has not had so far."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_REF)
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        words = f"Literal[{', '.join(map(repr, schema['enum']))}]"
        return f"{words} | str" if is_open else words
    for of in ("anyOf", "oneOf", "allOf"):
        if of in schema:
            told = [_type(each, is_open=is_open) for each in schema[of]]
            other = ["dict[str, Any]"] if is_open and "discriminator" in schema else []
            return " | ".join(dict.fromkeys(" | ".join([*told, *other]).split(" | "))) if len(told) > 1 else told[0]
    return _plain_type(schema, is_open=is_open)


def _plain_type(schema: Schema, *, is_open: bool) -> str:
    kind = schema.get("type")
    if kind is None:
        return "Any"
    if kind == "array" and "items" in schema:
        return f"list[{_type(schema['items'], is_open=is_open)}]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"dict[str, {_type(values, is_open=is_open) if isinstance(values, Mapping) else 'Any'}]"
    if kind not in _PLAIN:
        raise ValueError(f"No type is known for {schema}.")
    return _PLAIN[kind]


def _docstring(schema: Schema, indent: str = _INDENT) -> str:
    text = schema.get("description", "").replace("\\", "\\\\").replace('"""', "'''")
    if not text:
        return ""
    text = f"{text} " if text.endswith('"') else text
    width = _WIDTH - len(indent)
    lines = textwrap.wrap(f'"""{text}"""', width, break_long_words=False, break_on_hyphens=False)
    if len(lines) > 1:
        lines = [*textwrap.wrap(f'"""{text}', width, break_long_words=False, break_on_hyphens=False), '"""']
    return "".join(f"{indent}{line.rstrip()}\n" for line in lines)
