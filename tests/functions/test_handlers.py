"""Each function behind API Gateway, with everything behind it as it will be: the environment, the stores, a vendor's SDK."""

import base64
import json
import re
from typing import Any

import pytest
from llm_gateway.access import Endpoint
from llm_gateway.domain.keys import Role
from llm_gateway.endpoints import ENDPOINTS

from tests.adapters.upstream import ScriptedUpstream
from tests.entrypoints.contract import code_in
from tests.entrypoints.paths import with_a_slash_too_many
from tests.functions.conftest import Deployed

PROVIDERS = "/api/v1/llm/providers"
QUERY = "/api/v1/llm/query"


def _provider(provider_id: str, base_url: str = "http://127.0.0.1:9/v1", **changes: Any) -> dict[str, Any]:
    described = {
        "id": provider_id,
        "name": provider_id,
        "kind": "openai_compatible",
        "base_url": base_url,
        "default_model": "small",
        "priority": 1_000,
        "retry": {"max_attempts": 1},
        "credentials": {"api_key": "sk-a-vendors-own-secret-1f3a"},
    }
    return described | changes


def _path(row: Endpoint) -> str:
    return re.sub(r"\{\w+\}", "nobody", row.path.replace("{code}", "rate_limited"))


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_every_function_answers_its_own_route(deployed: Deployed, row: Endpoint) -> None:
    answer = deployed.invoke(row.name, row.method, _path(row), role=None)
    if row.permission is None:
        assert answer["statusCode"] == 200
    else:
        assert answer["statusCode"] == 401
        assert answer["headers"]["www-authenticate"]
        assert code_in(json.loads(answer["body"])) == "unauthenticated"


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_no_function_answers_another_route(deployed: Deployed, row: Endpoint) -> None:
    for other in ENDPOINTS:
        if other.path != row.path and not other.path.startswith(row.path + "/"):
            # Not 405 either: the route takes the method.
            assert deployed.invoke(row.name, other.method, _path(other))["statusCode"] == 404


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_with_a_slash_too_many_a_functions_route_is_not_there(deployed: Deployed, row: Endpoint) -> None:
    """API Gateway may send such a request to the route's function, or to the one for unknown paths."""
    for sent in with_a_slash_too_many(row):
        for function in (row.name, "get_health"):
            answer = deployed.invoke(function, row.method, sent)
            assert (answer["statusCode"], code_in(json.loads(answer["body"]))) == (404, "route_not_found")


def test_the_fallback_tells_unknown_routes_from_unknown_methods(deployed: Deployed) -> None:
    answer = deployed.invoke("get_health", "GET", "/api/v1/llm/nope", role=None)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (404, "route_not_found")
    answer = deployed.invoke("get_health", "PATCH", PROVIDERS, role=None)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (405, "method_not_allowed")
    assert set(answer["headers"]["allow"].split(", ")) == {"GET", "POST"}


def test_a_provider_from_its_making_to_its_end(deployed: Deployed) -> None:
    one = f"{PROVIDERS}/lifecycle"
    made = deployed.invoke("create_provider", "POST", PROVIDERS, _provider("lifecycle"))
    assert made["statusCode"] == 201
    assert made["headers"]["location"] == f"/v1{one}"
    assert made["headers"]["etag"] == '"1"'
    assert made["headers"]["content-type"] == "application/json"
    taken = deployed.invoke("create_provider", "POST", PROVIDERS, _provider("lifecycle"))
    assert (taken["statusCode"], json.loads(taken["body"])["code"]) == (409, "already_exists")
    read = json.loads(deployed.invoke("get_provider", "GET", one)["body"])
    assert read == json.loads(made["body"])
    assert read["credentials"]["hint"] == "…1f3a"
    written = deployed.invoke("update_provider", "PUT", one, read, headers={"If-Match": '"1"'})
    assert json.loads(written["body"])["revision"] == 2
    stale = deployed.invoke("update_provider", "PUT", one, read)
    assert (stale["statusCode"], json.loads(stale["body"])["code"]) == (412, "revision_conflict")
    kept = deployed.invoke("delete_provider", "DELETE", one, headers={"if-match": '"1"'})
    assert kept["statusCode"] == 412
    gone = deployed.invoke("delete_provider", "DELETE", one, headers={"if-match": '"2"'})
    assert (gone["statusCode"], gone["body"]) == (204, "")
    assert deployed.invoke("delete_provider", "DELETE", one)["statusCode"] == 404
    assert deployed.invoke("get_provider", "GET", one)["statusCode"] == 404


def test_a_list_in_pages(deployed: Deployed) -> None:
    for number in range(3):
        deployed.invoke("create_provider", "POST", PROVIDERS, _provider(f"aa-page-{number}"))
    first = json.loads(deployed.invoke("list_providers", "GET", f"{PROVIDERS}?limit=2", role=Role.CALLER)["body"])
    assert [item["id"] for item in first["items"]] == ["aa-page-0", "aa-page-1"]
    assert [item["limits"] for item in first["items"]] == [None, None]
    next_page = f"{PROVIDERS}?limit=1&cursor={first['next_cursor']}"
    second = json.loads(deployed.invoke("list_providers", "GET", next_page)["body"])
    assert [item["id"] for item in second["items"]] == ["aa-page-2"]
    for query, status in (("limit=0", 422), ("limit=101", 422), ("cursor=x", 400), ("cursor=", 400)):
        assert deployed.invoke("list_providers", "GET", f"{PROVIDERS}?{query}")["statusCode"] == status


def test_a_question_and_its_answer(deployed: Deployed) -> None:
    with ScriptedUpstream() as upstream:
        deployed.invoke("create_provider", "POST", PROVIDERS, _provider("asked", upstream.openai_base_url))
        question = {
            "messages": [{"role": "user", "content": "Grüezi \N{GRINNING FACE}"}],
            "provider": "asked",
            "fallback": [],
        }
        answer = deployed.invoke("run_query", "POST", QUERY, question, role=Role.CALLER)
        assert answer["statusCode"] == 200, answer["body"]
        (sent,) = upstream.requests
        assert sent.body["messages"][-1]["content"] == question["messages"][0]["content"]  # type: ignore[index]
        assert sent.headers["authorization"] == "Bearer sk-a-vendors-own-secret-1f3a"
    shown = json.loads(answer["body"])
    assert int(answer["headers"]["x-gateway-overhead-ms"]) == shown["latency_ms"]["overhead"]
    status = deployed.invoke("get_query_status", "GET", f"{QUERY}/{shown['id']}/status", role=Role.AUDITOR)
    assert json.loads(status["body"])["status"] == "succeeded"
    result = deployed.invoke("get_query_result", "GET", f"{QUERY}/{shown['id']}/result", role=Role.CALLER)
    assert json.loads(result["body"]) == shown
    deployed.invoke("delete_provider", "DELETE", f"{PROVIDERS}/asked")


def test_a_provider_that_is_away(deployed: Deployed) -> None:
    deployed.invoke("create_provider", "POST", PROVIDERS, _provider("away"))
    question = {"messages": [{"role": "user", "content": "x"}], "provider": "away", "fallback": []}
    answer = deployed.invoke("run_query", "POST", QUERY, question)
    problem = json.loads(answer["body"])
    assert (answer["statusCode"], problem["code"]) == (503, "no_provider_available"), answer["body"]
    assert [attempt["error_code"] for attempt in problem["attempts"]] == ["provider_error"]
    assert int(answer["headers"]["retry-after"]) >= 1
    assert answer["headers"]["content-type"] == "application/problem+json"
    assert "127.0.0.1" not in answer["body"]
    deployed.invoke("delete_provider", "DELETE", f"{PROVIDERS}/away")


def test_roles_hold_behind_api_gateway(deployed: Deployed) -> None:
    for role in (Role.CALLER, Role.AUDITOR, Role.PROMPT_EDITOR):
        answer = deployed.invoke("create_provider", "POST", PROVIDERS, _provider(f"by-{role.value}"), role=role)
        assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (403, "forbidden")


def test_a_body_in_base64_is_read(deployed: Deployed) -> None:
    text = base64.b64encode(b'{"name": 5}').decode()
    answer = deployed.invoke("create_provider", "POST", PROVIDERS, text, is_base64_encoded=True)
    assert answer["statusCode"] == 422
    assert "name" in [fault["field"] for fault in json.loads(answer["body"])["errors"]]


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (None, {}, 400),
        ("", {}, 400),
        ("{", {}, 400),
        ("{}", {"Content-Type": "text/plain"}, 415),
        ("{}", {}, 422),
        ("x" * (5 * 1024 * 1024), {}, 413),
    ],
)
def test_bad_bodies(deployed: Deployed, body: str | None, headers: dict[str, str], status: int) -> None:
    answer = deployed.invoke("create_provider", "POST", PROVIDERS, body, headers=headers)
    assert answer["statusCode"] == status
    assert json.loads(answer["body"])["request_id"] == answer["headers"]["x-request-id"]


def test_ids_arrive_as_they_were_sent(deployed: Deployed) -> None:
    for provider_id in ("%C3%A4", "a%20b", "%00", "..%2F..", "%"):
        answer = deployed.invoke("get_provider", "GET", f"{PROVIDERS}/{provider_id}")
        assert answer["statusCode"] == 404
    answer = deployed.invoke("get_query_status", "GET", f"{QUERY}/qry_01ARZ3NDEKTSV4RRFFQ69G5FAV/status")
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (410, "query_expired")


def test_public_documents(deployed: Deployed) -> None:
    health = deployed.invoke("get_health", "GET", "/health", role=None)
    assert json.loads(health["body"]) == {"status": "ok"}
    document = deployed.invoke("get_openapi", "GET", "/openapi.json", role=None)
    assert json.loads(document["body"])["openapi"].startswith("3.1")
    page = deployed.invoke("get_docs", "GET", "/docs", role=None)
    assert page["headers"]["content-type"].startswith("text/html")
    assert "openapi.json" in page["body"]
