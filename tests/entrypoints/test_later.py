"""Queries that are answered later, cancelled or erased."""

from typing import Any

import pytest
from llm_gateway.domain.keys import Role
from llm_gateway.domain.waits import MOST_WAITS

from tests.entrypoints.conftest import QUERY, QUESTION, Api


def _later(api: Api, *, role: Role = Role.CALLER, **changes: Any) -> dict[str, Any]:
    response = api.call("POST", QUERY, QUESTION | {"mode": "async"} | changes, role=role)
    assert response.status_code == 202, response.text
    accepted: dict[str, Any] = response.json()
    assert response.headers["Location"] == accepted["status_url"]
    return accepted


@pytest.fixture(autouse=True)
def _somebody_to_ask(api: Api) -> None:
    api.register()


def test_a_query_that_is_taken_on(api: Api) -> None:
    accepted = _later(api, priority="high", timeout_s=840)
    at = f"{QUERY}/{accepted['id']}"
    assert accepted == {
        "id": accepted["id"],
        "status": "queued",
        "status_url": f"{at}/status",
        "result_url": f"{at}/result",
    }
    assert [(sent.query_id, sent.priority) for sent in api.gateway.outside.queue.sent] == [(accepted["id"], "high")]
    assert api.gateway.outside.models.asked == []
    status = api.call("GET", accepted["status_url"], role=Role.CALLER)
    assert status.json()["status"] == "queued"
    result = api.call("GET", accepted["result_url"], role=Role.CALLER)
    assert result.status_code == 202
    assert int(result.headers["Retry-After"]) >= 1
    assert result.json() == status.json()


def test_what_cannot_be_asked_is_not_taken_on(api: Api) -> None:
    later = QUESTION | {"mode": "async"}
    api.refused("POST", QUERY, later | {"provider": "nobody"}, status=404, code="provider_not_found")
    api.refused("POST", QUERY, later | {"timeout_s": 841}, status=422, code="validation_failed")
    api.refused("POST", QUERY, later | {"priority": "urgent"}, status=422, code="validation_failed")
    assert api.gateway.outside.queue.sent == []


def test_a_queued_query_that_is_cancelled(api: Api) -> None:
    query_id = _later(api)["id"]
    for _ in range(2):
        cancelled = api.call("POST", f"{QUERY}/{query_id}/cancel", role=Role.CALLER)
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    result = api.call("GET", f"{QUERY}/{query_id}/result", role=Role.CALLER)
    assert (result.status_code, result.json()["status"], result.json()["error"]) == (200, "cancelled", None)


def test_what_is_at_its_end_stays_as_it_is(api: Api) -> None:
    query_id = api.call("POST", QUERY, QUESTION, role=Role.CALLER).json()["id"]
    assert api.call("POST", f"{QUERY}/{query_id}/cancel", role=Role.CALLER).json()["status"] == "succeeded"
    assert api.call("GET", f"{QUERY}/{query_id}/result", role=Role.CALLER).json()["output"]["text"] == "Hello!"


def test_a_query_that_is_erased_is_gone(api: Api) -> None:
    query_id = api.call("POST", QUERY, QUESTION, role=Role.CALLER, headers={"Idempotency-Key": "one"}).json()["id"]
    erased = api.call("DELETE", f"{QUERY}/{query_id}", role=Role.CALLER)
    assert (erased.status_code, erased.content) == (204, b"")
    for method, path in (
        ("GET", "/status"),
        ("GET", "/result"),
        ("GET", "/stream"),
        ("POST", "/cancel"),
        ("DELETE", ""),
    ):
        api.refused(method, f"{QUERY}/{query_id}{path}", role=Role.CALLER, status=404, code="query_not_found")
    again = api.call("POST", QUERY, QUESTION, role=Role.CALLER, headers={"Idempotency-Key": "one"})
    assert again.json()["id"] != query_id
    assert "Idempotent-Replayed" not in again.headers


@pytest.mark.parametrize(("method", "path"), [("POST", "/cancel"), ("DELETE", "")])
def test_somebody_elses_query_is_left_alone(api: Api, method: str, path: str) -> None:
    query_id = _later(api, role=Role.ADMIN)["id"]
    api.refused(method, f"{QUERY}/{query_id}{path}", role=Role.CALLER, status=404, code="query_not_found")
    assert api.call("GET", f"{QUERY}/{query_id}/status").json()["status"] == "queued"
    theirs = _later(api, role=Role.CALLER)["id"]
    assert api.call(method, f"{QUERY}/{theirs}{path}", role=Role.ADMIN).status_code in (200, 204)


@pytest.mark.parametrize(("method", "path"), [("POST", "/cancel"), ("DELETE", ""), ("GET", "/stream")])
@pytest.mark.parametrize(
    ("query_id", "status", "code"),
    [("nonsense", 404, "query_not_found"), ("qry_01ARZ3NDEKTSV4RRFFQ69G5FAV", 410, "query_expired")],
)
def test_ids_of_nothing(api: Api, method: str, path: str, query_id: str, status: int, code: str) -> None:
    api.refused(method, f"{QUERY}/{query_id}{path}", status=status, code=code)


@pytest.mark.parametrize("wait_s", ["-1", "21", "x", "nan", "inf", ""])
@pytest.mark.parametrize("what", ["status", "result"])
def test_one_waits_no_longer_than_api_gateway(api: Api, what: str, wait_s: str) -> None:
    query_id = _later(api)["id"]
    problem = api.refused("GET", f"{QUERY}/{query_id}/{what}?wait_s={wait_s}", status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "wait_s"


@pytest.mark.parametrize("path", ["/status?wait_s=1", "/result?wait_s=1", "/stream"])
def test_a_key_that_waits_too_often_is_told_when_to_come_again(api: Api, path: str) -> None:
    outside = api.gateway.outside
    query_id = _later(api, role=Role.CALLER)["id"]
    key_id = api.call("GET", "/api/v1/llm/keys/self", role=Role.CALLER).json()["id"]
    for _ in range(MOST_WAITS):
        outside.waits.begin(key_id, lasting_s=20, now=outside.clock.now())
    problem = api.refused("GET", f"{QUERY}/{query_id}{path}", role=Role.CALLER, status=429, code="rate_limited")
    assert "waits for 10" in problem["detail"]
    refused = api.call("GET", f"{QUERY}/{query_id}{path}", role=Role.CALLER)
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    assert api.call("GET", f"{QUERY}/{query_id}/status", role=Role.CALLER).status_code == 200
