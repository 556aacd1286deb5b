"""`Idempotency-Key`: done once, however often it is asked for."""

from typing import Any

import pytest
from httpx2 import Response
from llm_gateway.domain import faults
from llm_gateway.domain.keys import Role

from tests.entrypoints.conftest import PROVIDER, PROVIDERS, QUERY, QUESTION, Api

KEY = {"Idempotency-Key": "one"}
ROUTES = [(PROVIDERS, PROVIDER), (QUERY, QUESTION), (QUERY, QUESTION | {"mode": "async"})]
CREATING = pytest.mark.parametrize(("path", "body"), ROUTES, ids=["provider", "query", "async query"])


def _send(api: Api, path: str, body: Any, **how: Any) -> Response:
    return api.call("POST", path, body, **({"headers": KEY} | how))


def _replayed(response: Response) -> bool:
    return response.headers.get("Idempotent-Replayed") == "true"


@pytest.fixture(autouse=True)
def _somebody_to_ask(api: Api) -> None:
    api.register(id="asked", name="Asked")


@CREATING
def test_the_same_request_is_answered_with_the_same(api: Api, path: str, body: dict[str, Any]) -> None:
    first, second = _send(api, path, body), _send(api, path, body)
    assert first.status_code == second.status_code < 300
    assert first.json() == second.json()
    assert (_replayed(first), _replayed(second)) == (False, True)
    for header in ("Location", "ETag"):
        assert first.headers.get(header) == second.headers.get(header)
    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]
    assert len(api.gateway.outside.models.asked) + len(api.gateway.outside.queue.sent) <= 1


@CREATING
def test_the_same_value_is_the_same_however_it_is_written(api: Api, path: str, body: dict[str, Any]) -> None:
    _send(api, path, body)
    turned = dict(reversed(body.items()))
    assert _replayed(_send(api, path, turned))


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_number_is_the_same_however_it_is_written(api: Api, mode: str) -> None:
    written = """{"messages": [{"role": "user", "content": "Say hello."}],
        "mode": "%s", "parameters": {"temperature": %s}, "metadata": {"n": %s}}"""

    def send(*numbers: str) -> Response:
        return _send(api, QUERY, None, content=(written % (mode, *numbers)).encode())

    first = send("1", "2")
    for numbers in (("1.0", "2e0"), ("1e0", "2.00")):
        again = send(*numbers)
        assert (again.json()["id"], _replayed(again)) == (first.json()["id"], True)
    other = send("1", "true")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


@CREATING
def test_another_body_is_a_conflict(api: Api, path: str, body: dict[str, Any]) -> None:
    _send(api, path, body)
    other = body | ({"name": "Other"} if path == PROVIDERS else {"metadata": {"other": 1}})
    api.refused("POST", path, other, headers=KEY, status=409, code="idempotency_conflict")


def test_a_key_belongs_to_a_caller_and_a_route(api: Api) -> None:
    first = _send(api, QUERY, QUESTION).json()
    assert _send(api, QUERY, QUESTION, role=Role.CALLER).json()["id"] != first["id"]
    assert not _replayed(_send(api, PROVIDERS, PROVIDER))
    assert _send(api, QUERY, QUESTION).json()["id"] == first["id"]


def test_a_key_is_kept_for_a_day(api: Api) -> None:
    first = _send(api, QUERY, QUESTION).json()["id"]
    api.gateway.outside.clock.move(hours=23, minutes=59)
    assert _send(api, QUERY, QUESTION).json()["id"] == first
    api.gateway.outside.clock.move(minutes=2)
    assert _send(api, QUERY, QUESTION).json()["id"] != first


@CREATING
def test_what_is_refused_does_not_use_the_key_up(api: Api, path: str, body: dict[str, Any]) -> None:
    assert _send(api, path, body | {"nonsense": 1}).status_code == 422
    assert _send(api, path, None, content=b"{").status_code == 400
    assert _send(api, path, body, role=Role.AUDITOR).status_code == 403
    sent = _send(api, path, body)
    assert sent.status_code < 300
    assert not _replayed(sent)


def test_a_provider_that_is_taken_does_not_use_the_key_up(api: Api) -> None:
    assert _send(api, PROVIDERS, PROVIDER | {"id": "asked"}).status_code == 409
    assert _send(api, PROVIDERS, PROVIDER).status_code == 201


@pytest.mark.parametrize("fault", [faults.ProviderFailed("It failed."), RuntimeError("unforeseen")])
def test_a_failure_of_ours_does_not_use_the_key_up(api: Api, fault: Exception) -> None:
    api.gateway.outside.models.script.append(fault)
    assert _send(api, QUERY, QUESTION).status_code >= 500
    sent = _send(api, QUERY, QUESTION)
    assert (sent.status_code, _replayed(sent)) == (200, False)


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "ä", "a\x7f"])
@CREATING
def test_a_key_is_short_printable_text(api: Api, path: str, body: dict[str, Any], key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}
    problem = api.refused("POST", path, body, headers=headers, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert api.gateway.outside.models.asked == []


@CREATING
def test_two_keys_are_none(api: Api, path: str, body: dict[str, Any]) -> None:
    for lines in (["one", "two"], ["one", ""], ["one", "two", "one"]):
        headers = [("Idempotency-Key", line) for line in lines]
        problem = api.refused("POST", path, body, headers=headers, status=422, code="validation_failed")
        assert problem["errors"][0]["field"] == "Idempotency-Key"
    assert api.gateway.outside.models.asked == []
    twice = [("Idempotency-Key", "one")] * 2
    first, again = _send(api, path, body, headers=twice), _send(api, path, body)
    assert (first.status_code < 300, _replayed(again)) == (True, True)


@pytest.mark.parametrize("key", ["x", "x" * 255, "a b", "!~"])
def test_keys_that_are_taken(api: Api, key: str) -> None:
    assert _send(api, QUERY, QUESTION, headers={"Idempotency-Key": key}).status_code == 200
    assert _replayed(_send(api, QUERY, QUESTION, headers={"Idempotency-Key": key}))
