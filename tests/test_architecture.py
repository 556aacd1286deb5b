"""What the layout promises: one file per endpoint, light imports, one reader of the environment, one published document."""

import ast
import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from llm_gateway import endpoints
from llm_gateway.access import Dialect, Endpoint
from llm_gateway.endpoints import ENDPOINTS, SCHEDULES, WORKERS
from llm_gateway.entrypoints.openapi import openapi_json

from functions.__main__ import every_endpoint, every_schedule, every_worker

# The others are other vendors' APIs, which they describe themselves.
DESCRIBED = [row for row in ENDPOINTS if row.dialect is Dialect.NATIVE]
ROOT = Path(__file__).parent.parent
FUNCTIONS = ROOT / "functions"
PACKAGE = ROOT / "layers/gateway/python/llm_gateway"
DOCUMENT = PACKAGE / "wire/openapi.json"
ROWS = {row.name: row for row in endpoints.ROWS}
# A cold start that needs them imports them then.
HEAVY = ["openai", "anthropic", "tiktoken", "genai_prices", "jsonschema", "re2", "aws_cdk"]


def _module(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


# The functions


def test_functions_is_the_table() -> None:
    assert {path.name for path in FUNCTIONS.glob("*") if path.name != "__pycache__"} == {
        "__init__.py",
        "__main__.py",
        *(f"{name}.py" for name in ROWS),
    }


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_function_is_one_short_file(name: str) -> None:
    text = (FUNCTIONS / f"{name}.py").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) <= 15, f"functions/{name}.py has {len(lines)} lines: what it does belongs behind it"


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_a_function_names_its_own_route(row: Endpoint) -> None:
    docstring = ast.get_docstring(_module(FUNCTIONS / f"{row.name}.py")) or ""
    assert docstring.startswith(f"{row.method} {row.path}: ")


@pytest.mark.parametrize("name", sorted(ROWS))
def test_a_function_defines_its_handler_and_nothing_else(name: str) -> None:
    module = _module(FUNCTIONS / f"{name}.py")
    defined = [
        node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    assert defined == [name]
    (handler,) = [node for node in module.body if isinstance(node, ast.FunctionDef)]
    assert ast.get_docstring(handler)
    assigned = {node.id for node in ast.walk(module) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    assert "handler" in assigned


def test_every_row_is_mounted_under_its_own_name() -> None:
    assert [mounted.row for mounted in every_endpoint()] == list(ENDPOINTS)
    assert list(every_worker()) == [row.name for row in WORKERS]
    assert list(every_schedule()) == [row.name for row in SCHEDULES]


def test_no_two_rows_are_alike() -> None:
    assert len(ROWS) == len(ENDPOINTS) + len(WORKERS) + len(SCHEDULES)
    assert len({(row.method, row.path) for row in ENDPOINTS}) == len(ENDPOINTS)


def test_a_lambda_ends_no_later_than_api_gateway_waits() -> None:
    for row in ENDPOINTS:
        assert row.timeout_s <= (900 if row.streams else 29), row.name


# Imports

_PROBE = """
import json, sys
from importlib import import_module
loaded = {}
for name in sys.argv[1].split(","):
    import_module(f"functions.{name}")
    loaded[name] = sorted(set(sys.modules) & set(sys.argv[2].split(",")))
print(json.dumps(loaded))
"""


def _python(*arguments: str) -> str:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "COVERAGE", "COV_"))
    }
    path = os.pathsep.join([str(ROOT), str(PACKAGE.parent)])
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment | {"PYTHONPATH": path},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_function_imports_what_it_may_never_need() -> None:
    loaded = json.loads(_python("-c", _PROBE, ",".join(sorted(ROWS)), ",".join(HEAVY)))
    # One process for all of them: the first that is named brought it in.
    assert {name: heavy for name, heavy in loaded.items() if heavy} == {}


def test_no_function_needs_an_environment_to_be_imported() -> None:
    _python(
        "-I",
        "-c",
        f"import sys; sys.path[:0] = {[str(ROOT), str(PACKAGE.parent)]!r}\n"
        + "\n".join(f"import functions.{name}" for name in ROWS),
    )


# The environment


def _uses_environment(path: Path) -> bool:
    return any(
        (isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "putenv"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and any("env" in name.name for name in node.names))
        for node in ast.walk(_module(path))
    )


def test_one_module_reads_the_environment() -> None:
    readers = {path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py") if _uses_environment(path)}
    # tiktoken takes the folder of its rank files from a variable and from nowhere else: that one is set. Command lines
    # set those of a deployment's stack, for the settings to read.
    assert readers == {"settings.py", "instruments/tokens.py", "entrypoints/stack_outputs.py"}
    assert "os.environ[" not in (PACKAGE / "settings.py").read_text(encoding="utf-8")


def test_functions_do_not_touch_the_environment() -> None:
    assert [path.name for path in FUNCTIONS.glob("*.py") if _uses_environment(path)] == []


# The published document


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return document


def test_the_published_document_is_the_codes_own() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == openapi_json(every_endpoint()), (
        "wire/openapi.json is not what the code says any more: `make openapi` writes it anew"
    )


def test_printing_the_document_is_how_it_is_written() -> None:
    assert _python("-m", "functions", "--print-openapi") == openapi_json(every_endpoint())


def test_the_document_lists_exactly_the_table() -> None:
    published = {(method.upper(), path) for path, methods in _document()["paths"].items() for method in methods}
    assert published == {(row.method, row.path) for row in DESCRIBED}


@pytest.mark.parametrize("row", DESCRIBED, ids=lambda row: row.name)
def test_an_operation_says_what_its_row_says(row: Endpoint) -> None:
    operation = _document()["paths"][row.path][row.method.lower()]
    assert operation["description"]
    assert str(row.status) in operation["responses"]
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    problems = {status: told for status, told in operation["responses"].items() if status >= "400"}
    assert all(told["content"] == problem for told in problems.values())
    parameters = {parameter["name"]: parameter["in"] for parameter in operation.get("parameters", [])}
    assert {name for name, place in parameters.items() if place == "path"} == set(re.findall(r"\{(\w+)\}", row.path))
    if row.permission is None:
        assert operation["security"] == []
    else:
        assert operation["x-permission"] == row.permission.value
        assert operation["security"] == [{"bearer": []}, {"api_key": []}]
        assert {"default", "401", "403"} <= set(problems)
    answer = operation["responses"][str(row.status)].get("content", {})
    assert row.status == 204 or len(answer) == 1
    assert ("text/event-stream" in answer) == row.streams


def test_the_document_holds_nothing_of_the_frameworks_own() -> None:
    assert not {"HTTPValidationError", "ValidationError"} & set(_document()["components"]["schemas"])
    text = DOCUMENT.read_text(encoding="utf-8")
    assert not [name for name in _document()["components"]["schemas"] if "__" in name], "two schemas have one name"
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert referred <= set(_document()["components"]["schemas"])
    assert "Bearer realm" not in text


def test_credentials_are_only_ever_written() -> None:
    schemas = _document()["components"]["schemas"]
    assert "api_key" in schemas["CredentialsInput"]["properties"]
    told = {name: set(schema.get("properties", {})) for name, schema in schemas.items() if name != "CredentialsInput"}
    # An entry of the audit log tells its own hash.
    told["AuditEntry"].remove("hash")
    assert not [name for name, fields in told.items() if {"api_key", "secret_hash", "hash", "owner"} & fields]
    # A key's own secrets are told by those two answers that are shown once.
    assert [name for name, fields in told.items() if {"secret", "signing_secret"} & fields] == ["KeyIssued"]
