"""Who gets in, and what each role may do."""

import hmac
import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from llm_gateway.access import Endpoint
from llm_gateway.domain.keys import Role
from llm_gateway.endpoints import ENDPOINTS

from tests.entrypoints.conftest import PROVIDERS, QUERY, Api

# The contract's table of roles, for the routes as it names them.
_EVERYBODY = set(Role)
_PROVIDERS_MANAGERS = {Role.ADMIN, Role.OPERATOR}
_ASKERS = {Role.ADMIN, Role.PROMPT_EDITOR, Role.CALLER}
_MAY = {
    ("POST", "/api/v1/llm/providers"): _PROVIDERS_MANAGERS,
    ("GET", "/api/v1/llm/providers"): _EVERYBODY,
    ("GET", "/api/v1/llm/providers/{provider_id}"): _EVERYBODY,
    ("PUT", "/api/v1/llm/providers/{provider_id}"): _PROVIDERS_MANAGERS,
    ("DELETE", "/api/v1/llm/providers/{provider_id}"): _PROVIDERS_MANAGERS,
    ("GET", "/api/v1/llm/providers/{provider_id}/status"): _PROVIDERS_MANAGERS | {Role.AUDITOR},
    ("POST", "/api/v1/llm/query"): _ASKERS,
    ("POST", "/api/v1/llm/query/stream"): _ASKERS,
    ("GET", "/api/v1/llm/query/{query_id}/status"): _ASKERS | {Role.AUDITOR},
    ("GET", "/api/v1/llm/query/{query_id}/result"): _ASKERS,
    ("GET", "/api/v1/llm/query/{query_id}/stream"): _ASKERS,
    ("POST", "/api/v1/llm/query/{query_id}/cancel"): _ASKERS,
    ("DELETE", "/api/v1/llm/query/{query_id}"): _ASKERS,
}
_PUBLIC = {("GET", "/health"), ("GET", "/openapi.json"), ("GET", "/docs"), ("GET", "/errors/{code}")}
_GUARDED = [row for row in ENDPOINTS if (row.method, row.path) not in _PUBLIC]


def _call(row: Endpoint) -> tuple[str, str, dict[str, str] | None]:
    path = re.sub(r"\{\w+\}", "nobody", row.path)
    return row.method, path, {} if row.method in ("POST", "PUT", "PATCH") else None


def test_no_more_is_public_than_the_contract_says() -> None:
    assert {(row.method, row.path) for row in ENDPOINTS if row.permission is None} == _PUBLIC


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("row", _GUARDED, ids=lambda row: row.name)
def test_a_role_may_what_the_contract_says(api: Api, row: Endpoint, role: Role) -> None:
    assert (row.method, row.path) in _MAY, (
        f"{row.name} is in the table of endpoints, but not in this test's table of roles"
    )
    response = api.call(*_call(row), role=role)
    if role in _MAY[row.method, row.path]:
        assert response.status_code not in (401, 403)
    else:
        assert (response.status_code, response.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("row", _GUARDED, ids=lambda row: row.name)
def test_nobody_gets_in_without_a_key(api: Api, row: Endpoint) -> None:
    api.refused(*_call(row), role=None, status=401, code="unauthenticated")


@pytest.mark.parametrize(("method", "path"), sorted(_PUBLIC))
def test_what_is_public_needs_no_key(api: Api, method: str, path: str) -> None:
    path = path.replace("{code}", "rate_limited")
    assert api.call(method, path, role=None).status_code == 200
    assert api.call(method, path, role=None, headers={"X-Api-Key": "nonsense"}).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_a_key_is_taken_as_bearer_token(api: Api, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {api.secret(Role.CALLER)}"}
    assert api.call("GET", PROVIDERS, role=None, headers=headers).status_code == 200


def test_a_key_is_taken_as_x_api_key(api: Api) -> None:
    assert api.call("GET", PROVIDERS, role=None, headers={"X-Api-Key": api.secret(Role.CALLER)}).status_code == 200


def test_the_same_key_may_be_sent_twice(api: Api) -> None:
    secret = api.secret(Role.CALLER)
    headers = {"Authorization": f"Bearer {secret}", "X-Api-Key": secret}
    assert api.call("GET", PROVIDERS, role=None, headers=headers).status_code == 200


def test_two_different_keys_are_none(api: Api) -> None:
    headers = {"Authorization": f"Bearer {api.secret(Role.ADMIN)}", "X-Api-Key": api.secret(Role.CALLER)}
    api.refused("GET", PROVIDERS, role=None, headers=headers, status=401, code="unauthenticated")


@pytest.mark.parametrize(("name", "form"), [("Authorization", "Bearer {}"), ("X-Api-Key", "{}")])
def test_one_header_with_two_different_keys_is_none(api: Api, name: str, form: str) -> None:
    mine, other = form.format(api.secret(Role.ADMIN)), form.format(api.secret(Role.CALLER))
    for lines in ([mine, other], [other, mine], [mine, "nonsense"], ["", mine], [mine, other, mine]):
        headers = [(name, line) for line in lines]
        problem = api.refused("GET", PROVIDERS, role=None, headers=headers, status=401, code="unauthenticated")
        assert problem["detail"].startswith(f"{name} ")
    assert api.call("GET", PROVIDERS, role=None, headers=[(name, mine)] * 2).status_code == 200


@pytest.mark.parametrize("authorization", ["Basic {}", "Token {}", "{}", "Bearer", "Bearer ", "", "Digest x"])
def test_another_scheme_is_no_key(api: Api, authorization: str) -> None:
    headers = {"Authorization": authorization.format(api.secret(Role.ADMIN))}
    api.refused("GET", PROVIDERS, role=None, headers=headers, status=401, code="unauthenticated")


def test_another_scheme_is_not_made_good_by_x_api_key(api: Api) -> None:
    headers = {"Authorization": "Basic dTpw", "X-Api-Key": api.secret(Role.ADMIN)}
    api.refused("GET", PROVIDERS, role=None, headers=headers, status=401, code="unauthenticated")


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: secret + "x",
        lambda secret: secret[:-1],
        lambda secret: secret.upper(),
        lambda secret: secret.split("_", 2)[0] + "_01ARZ3NDEKTSV4RRFFQ69G5FAV_" + secret.split("_", 2)[2],
        lambda secret: "_".join(secret.split("_", 2)[:2]) + "_",
        lambda secret: "_".join(secret.split("_", 2)[:2]),
        lambda secret: "llmgw__" + secret.split("_", 2)[2],
        lambda secret: "key_" + secret.split("_", 2)[1],
        lambda _: "x" * 5000,
        lambda _: "llmgw_" + "x" * 5000 + "_x",
        lambda _: "llmgw_\xe9\xff_\xe9".encode("latin-1"),
        lambda _: "llmgw_*_*",
    ],
)
def test_all_wrong_keys_are_refused_alike(api: Api, change: Callable[[str], str | bytes]) -> None:
    wrong = change(api.secret(Role.ADMIN))
    problem = api.refused("GET", PROVIDERS, role=None, headers={"X-Api-Key": wrong}, status=401, code="unauthenticated")
    another = api.refused("GET", PROVIDERS, role=None, headers={"X-Api-Key": "?"}, status=401, code="unauthenticated")
    assert problem | {"request_id": ""} == another | {"request_id": ""}


def test_a_key_ends_on_time(api: Api) -> None:
    expires_at = api.gateway.outside.clock.now() + timedelta(hours=1)
    _, secret = api.gateway.new_key(Role.CALLER, expires_at=expires_at)
    headers = {"X-Api-Key": secret}
    assert api.call("GET", PROVIDERS, role=None, headers=headers).status_code == 200
    api.gateway.outside.clock.move(hours=1)
    api.refused("GET", PROVIDERS, role=None, headers=headers, status=401, code="unauthenticated")


def test_a_revoked_key_stops_at_once(api: Api) -> None:
    assert api.call("GET", PROVIDERS, role=Role.CALLER).status_code == 200
    api.revoke(api.secret(Role.CALLER))
    api.refused("GET", PROVIDERS, role=Role.CALLER, status=401, code="unauthenticated")


def test_permission_comes_before_the_body(api: Api) -> None:
    api.refused("POST", PROVIDERS, content=b"{", role=Role.CALLER, status=403, code="forbidden")
    api.refused("POST", QUERY, content=b"{", role=None, status=401, code="unauthenticated")


def test_secrets_are_compared_in_constant_time(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(left: str, right: str) -> bool:
        compared.append((left, right))
        return compare_digest(left, right)

    compare_digest = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", compare)
    api.call("GET", PROVIDERS)
    key = api.gateway.outside.key_store.find(f"key_{api.secret(Role.ADMIN).split('_')[1]}")
    assert key is not None
    assert compared == [(key.secret_hash, key.secret_hash)]
    # A key that does not exist costs the same work as one that does.
    api.call("GET", PROVIDERS, role=None, headers={"X-Api-Key": "llmgw_01ARZ3NDEKTSV4RRFFQ69G5FAV_x"})
    assert len(compared) == 2
