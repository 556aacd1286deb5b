"""A cold start waits for what the request needs, and for no more: what each function imports is written down, and holds."""

import json
from typing import Any

import pytest

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
