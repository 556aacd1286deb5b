"""Whatever a client gets wrong: the status and the code of the contract, and nothing is written."""

import json
from typing import Any

import httpx2
import pytest
from llm_gateway.domain.keys import Role
from ulid import ULID

from tests.end_to_end.calling import API, Client, eventually, question
from tests.end_to_end.stack import Stack

GOOD = json.dumps(question()).encode()
UNKNOWN = f"qry_{ULID()}"
LARGE = json.dumps(question("x" * 5_000_000)).encode()

CASES: dict[str, tuple[str, str, bytes | None, int, str]] = {
    "unknown field": ("POST", "/query", b'{"messages": [], "temprature": 1}', 422, "validation_failed"),
    "wrong type": ("POST", "/query", b'{"messages": [{"role": "user", "content": 5}]}', 422, "validation_failed"),
    "nothing asked": ("POST", "/query", b"{}", 422, "validation_failed"),
    "missing body": ("POST", "/query", b"", 400, "malformed_request"),
    "bad JSON": ("POST", "/query", b'{"messages": [', 400, "malformed_request"),
    "not an object": ("POST", "/query", b'"Hello"', 422, "validation_failed"),
    "5 MB": ("POST", "/query", LARGE, 413, "payload_too_large"),
    "5 MB streamed": ("POST", "/query/stream", LARGE, 413, "payload_too_large"),
    "unknown provider": ("POST", "/query", GOOD[:-1] + b', "provider": "nobody"}', 404, "provider_not_found"),
    "unknown provider later": (
        "POST",
        "/query",
        GOOD[:-1] + b', "provider": "nobody", "mode": "async"}',
        404,
        "provider_not_found",
    ),
    "too patient": ("POST", "/query", GOOD[:-1] + b', "timeout_s": 29}', 422, "validation_failed"),
    "unknown query": ("GET", f"/query/{UNKNOWN}/status", None, 404, "query_not_found"),
    "unknown result": ("GET", f"/query/{UNKNOWN}/result", None, 404, "query_not_found"),
    "unknown stream": ("GET", f"/query/{UNKNOWN}/stream", None, 404, "query_not_found"),
    "cancel of nothing": ("POST", f"/query/{UNKNOWN}/cancel", None, 404, "query_not_found"),
    "erasure of nothing": ("DELETE", f"/query/{UNKNOWN}", None, 404, "query_not_found"),
    "expired": ("GET", "/query/qry_01AAAAAAAAAAAAAAAAAAAAAAAA/status", None, 410, "query_expired"),
    "no id at all": ("GET", "/query/nonsense/result", None, 404, "query_not_found"),
    "longer wait than allowed": ("GET", f"/query/{UNKNOWN}/status?wait_s=21", None, 422, "validation_failed"),
    "no such route": ("GET", "/questions", None, 404, "route_not_found"),
    "other method": ("PUT", "/query", GOOD, 405, "method_not_allowed"),
}


def problem(response: httpx2.Response, *, status: int, code: str) -> dict[str, Any]:
    assert response.headers["content-type"] == "application/problem+json", response.text
    found: dict[str, Any] = response.json()
    assert (response.status_code, found["status"], found["code"]) == (status, status, code), found
    assert found["request_id"] == response.headers["x-request-id"]
    return found


@pytest.fixture(scope="module", autouse=True)
def _nothing_is_under_way(stack: Stack) -> None:
    """What other tests have queued is dealt with, or stays: what is stored then changes by a test's own request alone."""
    eventually(lambda: stack.stored()["queued"] == [0, 0], within_s=30, every_s=0.5)


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_named_and_leaves_nothing(name: str, client: Client, stack: Stack) -> None:
    method, path, content, status, code = CASES[name]
    before = stack.stored()

    response = client.send(method, path, content=content)

    problem(response, status=status, code=code)
    assert stack.stored() == before


def test_another_form_than_json_is_refused(client: Client) -> None:
    response = client.send("POST", "/query", content=GOOD, headers={"Content-Type": "text/plain"})
    problem(response, status=415, code="unsupported_media_type")


@pytest.mark.parametrize("key", [None, "llmgw_nonsense", "llmgw_01KAWZ00000000000000000000_of-nobody"])
def test_without_a_key_there_is_no_way_in(key: str | None, http: httpx2.Client, stack: Stack) -> None:
    before = stack.stored()
    response = Client(http, key).send("POST", "/query", content=GOOD)
    problem(response, status=401, code="unauthenticated")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert stack.stored() == before


@pytest.mark.parametrize(
    ("role", "method", "path", "body"),
    [
        (Role.AUDITOR, "POST", "/query", question()),
        (Role.OPERATOR, "POST", "/query/stream", question()),
        (Role.CALLER, "POST", "/providers", {"name": "Mine"}),
        (Role.AUDITOR, "DELETE", "/providers/nobody", None),
    ],
)
def test_a_role_may_do_what_it_may(
    role: Role, method: str, path: str, body: Any, stack: Stack, http: httpx2.Client
) -> None:
    client = stack.client(http, role)
    before = stack.stored()
    problem(client.send(method, path, body), status=403, code="forbidden")
    assert stack.stored() == before


def test_somebody_elses_query_is_not_there(client: Client, provider, stack: Stack, http: httpx2.Client) -> None:
    mine = client.ask(question(provider=provider.id))["id"]
    other, admin, auditor = (stack.client(http, role) for role in (Role.CALLER, Role.ADMIN, Role.AUDITOR))
    for path in (f"/query/{mine}/status", f"/query/{mine}/result", f"/query/{mine}/stream"):
        problem(other.send("GET", path), status=404, code="query_not_found")
    problem(other.send("POST", f"/query/{mine}/cancel"), status=404, code="query_not_found")
    problem(other.send("DELETE", f"/query/{mine}"), status=404, code="query_not_found")
    assert admin.result(mine)["id"] == mine
    assert auditor.status(mine)["status"] == "succeeded"
    problem(auditor.send("GET", f"/query/{mine}/result"), status=403, code="forbidden")


def test_what_is_public_needs_no_key(http: httpx2.Client) -> None:
    assert http.get("/health").status_code == 200
    assert f"{API}/query" in http.get("/openapi.json").json()["paths"]
    assert "html" in http.get("/docs").headers["content-type"]
