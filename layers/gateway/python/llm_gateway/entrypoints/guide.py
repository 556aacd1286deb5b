"""The command line for the user's guide: `python -m llm_gateway.entrypoints.guide docs/guide` writes what the code knows."""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from llm_gateway.wire.error_codes import ERROR_CODES

JsonDict = dict[str, Any]

_HEAD: Final = """\
# Reference

Every endpoint and every field, written from the API's own description by `python -m llm_gateway.entrypoints.guide docs/guide`.
A gateway serves the description itself: `/openapi.json` for programs, `/docs` for people. Fields marked * are required. The
vendors describe what lies below `/v1`; [the vendors' own clients](../drop-in.md) says what becomes of each of their parameters.

"""
_BOUNDS: Final = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "above {}"),
    ("maximum", "at most {}"),
    ("minLength", "{} characters or more"),
    ("maxLength", "{} characters at most"),
    ("minItems", "{} items or more"),
    ("maxItems", "{} items at most"),
    ("maxProperties", "{} members at most"),
    ("pattern", "like `{}`"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the reference, and the table of error codes into the page of errors."""
    parser = argparse.ArgumentParser(prog="python -m llm_gateway.entrypoints.guide", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args(arguments).folder
    (folder / "reference.md").write_text(reference(), encoding="utf-8")
    errors = folder / "errors.md"
    errors.write_text(with_codes(errors.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


def with_codes(page: str) -> str:
    """`page` with the table of error codes as it is now."""
    rows = "".join(
        f"| `{name}` | {code.status} | {_cell(code.meaning)} | {_cell(code.remedy)} |\n"
        for name, code in ERROR_CODES.items()
    )
    table = f"\n| code | status | what it means | what to do |\n|---|--:|---|---|\n{rows}"
    return re.sub(r"(<!-- codes -->\n)(\n\|[^\n]*(\n\|[^\n]*)*\n)?", lambda mark: mark[1] + table, page)


def reference() -> str:
    """The description as a page: endpoints by their tag, then the objects that they take and give."""
    document = json.loads(files("llm_gateway.wire").joinpath("openapi.json").read_text(encoding="utf-8"))
    lines = [_HEAD, "## Endpoints\n"]
    for tag in document["tags"]:
        lines += [f"### {tag['name']}\n", *_endpoints(document["paths"], tag["name"])]
    lines.append("## Objects\n")
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += _object(name, schema)
    return "\n".join(lines).rstrip() + "\n"


def _endpoints(paths: JsonDict, tag: str) -> Iterator[str]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            if tag in operation["tags"]:
                yield from _endpoint(method.upper(), path, operation)


def _endpoint(method: str, path: str, operation: JsonDict) -> Iterator[str]:
    yield f"#### `{method} {path}`\n"
    yield f"{operation['description']}\n"
    facts = [f"permission `{operation['x-permission']}`"] if "x-permission" in operation else ["public"]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    if body:
        facts.append(f"takes {_type(body)}")
    for status, answer in operation["responses"].items():
        contents = [content.get("schema") for content in answer.get("content", {}).values()]
        content = contents[0] if contents else None
        if status.startswith("2"):
            facts.append(f"answers {status}" + (f" with {_type(content)}" if content else ""))
    told = "; ".join(facts)
    yield f"{told[:1].upper()}{told[1:]}.\n"
    if parameters := operation.get("parameters"):
        yield from _table(("parameter", "in", "type", ""), map(_parameter, parameters))


def _parameter(parameter: JsonDict) -> tuple[str, ...]:
    schema = parameter["schema"]
    told = _with_bounds(parameter.get("description", ""), schema)
    return f"`{parameter['name']}`{_star(parameter.get('required'))}", parameter["in"], _type(schema), told


def _object(name: str, schema: JsonDict) -> Iterator[str]:
    yield f"### {name}\n"
    if schema.get("description"):
        yield f"{schema['description']}\n"
    if "enum" in schema:
        yield f"One of {_listed(schema['enum'])}.\n"
    if fields := schema.get("properties"):
        required = schema.get("required", ())
        yield from _table(("field", "type", ""), (_field(field, told, required) for field, told in fields.items()))


def _field(name: str, schema: JsonDict, required: Sequence[str]) -> tuple[str, ...]:
    told = _with_bounds(schema.get("description", ""), schema)
    return f"`{name}`{_star(name in required)}", _type(schema), told


def _star(required: Any) -> str:
    return "*" if required else ""


def _with_bounds(told: str, schema: JsonDict) -> str:
    kinds = [schema, *schema.get("anyOf", ())]
    bounds = [
        words.format(_number(kind[name])) for kind in kinds for name, words in _BOUNDS if kind.get(name) is not None
    ]
    return f"{told} ({', '.join(bounds)})".strip() if bounds else told


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _type(schema: JsonDict) -> str:
    """A type in few words, with links to the objects that it names."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(kind) for kind in schema[several]))
    if "enum" in schema or "const" in schema:
        return _listed(schema.get("enum", [schema.get("const")]))
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _listed(values: Sequence[Any]) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _table(head: Sequence[str], rows: "Iterator[tuple[str, ...]] | map[tuple[str, ...]]") -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield f"| {' | '.join(_cell(cell) for cell in row)} |"
    yield ""


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
