"""A cold start waits for what the request needs, and for no more: what each function imports is written down, and holds."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from llm_gateway.endpoints import ROWS

from local_aws.synthesis import GATEWAY_PACKAGE
from tests.adapters.gateway_processes import REPOSITORY
from tests.functions.imports import WRITTEN_DOWN, measured

_NEVER_FOR_HEALTH = ("llm_gateway.services", "llm_gateway.stores", "botocore", "pynamodb", "tenacity")
_NEVER_FOR_READING = (
    "llm_gateway.domain.gates",
    "llm_gateway.providers",
    "llm_gateway.instruments.prices",
    "llm_gateway.instruments.tokens",
    "llm_gateway.services.queries.asking",
    "llm_gateway.services.queries.booking",
    "llm_gateway.services.queries.dispatch",
    "llm_gateway.services.queries.planning",
    "llm_gateway.stores.gates",
    "tenacity",
)


@pytest.fixture(scope="module")
def imports() -> dict[str, Any]:
    return measured()


def test_functions_import_what_is_written_down(imports: dict[str, Any]) -> None:
    """A longer list is a slower start. See what brings the new ones in before `python -m tests.functions.imports` writes it."""
    assert imports == json.loads(WRITTEN_DOWN.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("name", "never"),
    [
        ("get_health", _NEVER_FOR_HEALTH),
        ("get_query_status", _NEVER_FOR_READING),
        ("get_query_result", _NEVER_FOR_READING),
    ],
)
def test_nothing_comes_that_the_answer_has_no_use_for(
    imports: dict[str, Any], name: str, never: tuple[str, ...]
) -> None:
    came = [*imports[name]["loaded"], *imports[name]["then"]]
    assert [module for module in came if module.startswith(never)] == []


def test_no_function_imports_fastapi() -> None:
    """It would take half as long again to start."""
    names = [row.name for row in ROWS]
    program = f"""
import sys
sys.modules["fastapi"] = None
from importlib import import_module
for name in {names!r}:
    import_module(f"functions.{{name}}")
"""
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}:{GATEWAY_PACKAGE}"}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
