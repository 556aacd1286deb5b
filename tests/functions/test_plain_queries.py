"""A query without a prompt, a role or a policy imports nothing of them; one that has any imports it then."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_PROGRAM = """
import json, sys
from llm_gateway.domain.keys import Role
from llm_gateway.domain.pii import PiiRule
from llm_gateway.entrypoints.http import app_of
from starlette.testclient import TestClient
from functions.run_query import run_query
from functions.stream_query import stream_query
from tests.adapters.gateway import FakeGateway
from tests.adapters.engine import provider

gateway = FakeGateway()
gateway.outside.provider_store.add(provider("local"))
path, body, rules = json.loads(sys.argv[1])
secret = gateway.new_key(Role.ADMIN, pii=tuple(map(PiiRule, rules)))[1]
with TestClient(app_of(run_query, stream_query, gateway=lambda: gateway)) as client:
    response = client.post(path, json=body, headers={"Authorization": f"Bearer {secret}"})
assert response.status_code in (200, 202), response.text
print(json.dumps(sorted(sys.modules)))
"""
QUERY = "/api/v1/llm/query"
QUESTION: dict[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "system": {"text": "Be brief."}}
OF_PROMPTS = (
    "llm_gateway.services.prompts",
    "llm_gateway.domain.prompts.choices",
    "llm_gateway.services.queries.assembly",
)
OF_POLICIES = ("llm_gateway.services.privacy", "stdnum", "phonenumbers")
FOR_TEMPLATES = ("jinja2", "llm_gateway.services.prompts.engine")


def imported(path: str, body: dict[str, Any], *, rules: Sequence[str] = ()) -> list[str]:
    """The modules of a process of its own that has answered one query."""
    parts = [str(ROOT), *(entry for entry in sys.path if entry)]
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps([path, body, rules])],
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")}
        | {"PYTHONPATH": os.pathsep.join(parts)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


@pytest.mark.parametrize(
    ("path", "body"),
    [(QUERY, QUESTION), (QUERY, QUESTION | {"mode": "async"}), (f"{QUERY}/stream", QUESTION)],
    ids=["sync", "async", "stream"],
)
def test_a_plain_query_imports_nothing_of_prompts(path: str, body: dict[str, Any]) -> None:
    came = imported(path, body)
    assert [module for module in came if module.startswith((*OF_PROMPTS, *OF_POLICIES, *FOR_TEMPLATES))] == []


def test_a_policy_brings_what_it_takes_and_no_library_without_a_candidate() -> None:
    came = imported(QUERY, QUESTION, rules=["mask"])
    assert "llm_gateway.services.privacy.policies" in came
    assert not {"stdnum", "phonenumbers"} & set(came)
    asked = QUESTION | {"messages": [{"role": "user", "content": "DE89 3704 0044 0532 0130 00"}]}
    assert "stdnum.iban" in imported(QUERY, asked, rules=["mask"])


def test_a_role_without_places_to_fill_needs_no_engine() -> None:
    came = imported(QUERY, QUESTION | {"system": {"roles": ["analyst"]}})
    assert "llm_gateway.services.prompts.shipped" in came
    assert not set(FOR_TEMPLATES) & set(came)


def test_a_template_brings_the_engine() -> None:
    came = imported(QUERY, QUESTION | {"system": {"roles": ["coder"]}})
    assert set(FOR_TEMPLATES) <= set(came)
