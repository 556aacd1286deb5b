"""The access matrix: every endpoint, for every role, and for everybody who is none. An endpoint without a row fails."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

import pytest
from httpx2 import Client
from llm_gateway.access import Endpoint
from llm_gateway.domain.key_secrets import secret_of
from llm_gateway.domain.keys import Role
from llm_gateway.endpoints import BASE_PATH, ENDPOINTS
from starlette.applications import Starlette

from tests.adapters.authors import BY
from tests.adapters.gateway import FakeGateway
from tests.entrypoints.access import (
    ACCESS,
    ADMIN,
    ASKERS,
    AUDITOR,
    CALLER,
    GUARDED,
    OPERATOR,
    PUBLIC,
    cells_of,
    path_of,
)
from tests.entrypoints.conftest import PROMPTS, PROVIDER, PROVIDERS, QUERY, QUESTION, TEST, Api, Lines, check_lines
from tests.entrypoints.contract import code_in

rows = pytest.mark.parametrize("row", GUARDED, ids=lambda row: row.name)
roles = pytest.mark.parametrize("role", Role)


@pytest.fixture
def stocked(api: Api) -> dict[str, str]:
    return stock(api)


@pytest.fixture(scope="module")
def house(app: Starlette, client: Client) -> tuple[Api, dict[str, str]]:
    """One with a stock for all who may not change it, and nothing else."""
    gateway = FakeGateway()
    app.state.gateway = lambda: gateway
    api = Api(client, gateway)
    return api, stock(api)


@pytest.fixture
def closed(app: Starlette, house: tuple[Api, dict[str, str]], lines: Lines) -> Iterator[tuple[Api, dict[str, str]]]:
    """The house, an hour after others were refused: an address that fails too often is told to wait."""
    api, _ = house
    app.state.gateway = lambda: api.gateway
    api.gateway.outside.clock.move(seconds=3600)
    yield house
    check_lines(lines, api)


def stock(api: Api) -> dict[str, str]:
    """The ids of a provider, of a key, of a prompt with a label, and of a query that a key of its own has asked."""
    api.register()
    prompt = api.write(tests=[TEST])
    api.call("PUT", f"{PROMPTS}/{prompt['id']}/labels/production", {"version": 1})
    run = api.call("POST", f"{PROMPTS}/{prompt['id']}/tests", {}).json()
    numbers = {"version": "1", "other": "1", "label": "production", "run_id": run["run_id"], "model": "local/small"}
    _, somebody = api.gateway.new_key(CALLER)
    asked = api.call("POST", QUERY, QUESTION, role=None, headers={"X-Api-Key": somebody})
    key, _ = api.gateway.new_key(CALLER)
    ids = {"provider_id": PROVIDER["id"], "key_id": key.id, "prompt_id": prompt["id"], "query_id": asked.json()["id"]}
    ids["erasure_id"] = api.call("POST", "/api/v1/llm/erasures", {"subject": "customer 41"}, role=Role.ADMIN).json()[
        "id"
    ]
    return ids | numbers


@pytest.mark.holds("API9")
def test_the_matrix_has_every_endpoint() -> None:
    assert set(ACCESS) == {(row.method, row.path.removeprefix(BASE_PATH)) for row in GUARDED}
    assert {(row.method, row.path) for row in ENDPOINTS if row.permission is None} == PUBLIC


@roles
@rows
@pytest.mark.holds("API5", "STRIDE-E")
def test_what_is_nobodys_or_ones_own(api: Api, stocked: dict[str, str], row: Endpoint, role: Role) -> None:
    cells = cells_of(row)
    if cells.own and role in ASKERS:
        stocked["query_id"] = api.call("POST", QUERY, QUESTION, role=role).json()["id"]
    response = api.call(row.method, path_of(row, **stocked), cells.body, role=role)
    if role in cells.may:
        assert response.status_code == cells.status, response.text
    else:
        assert (response.status_code, code_in(response.json())) == (403, "forbidden")


@roles
@pytest.mark.parametrize("row", [row for row in GUARDED if cells_of(row).own], ids=lambda row: row.name)
@pytest.mark.holds("API1")
def test_what_is_anothers(api: Api, stocked: dict[str, str], row: Endpoint, role: Role) -> None:
    cells = cells_of(row)
    response = api.call(row.method, path_of(row, **stocked), cells.body, role=role)
    expected = cells.anothers.get(role, 404) if role in cells.may else 403
    assert response.status_code == expected, response.text
    if expected == 404:
        assert response.json()["code"] == "query_not_found"


def expired(api: Api) -> str:
    _, secret = api.gateway.new_key(ADMIN, expires_at=api.gateway.outside.clock.now() + timedelta(seconds=1))
    api.gateway.outside.clock.move(seconds=1)
    return secret


def revoked(api: Api) -> str:
    api.secret(ADMIN)
    key, secret = api.gateway.new_key(ADMIN)
    api.gateway.key_changes.revoke(key.id, expected=None, by=BY)
    return secret


def rotated(api: Api) -> str:
    key, secret = api.gateway.new_key(ADMIN)
    api.gateway.key_changes.rotate(key.id, overlap=timedelta(), by=BY)
    return secret


def wrong(api: Api) -> str:
    key, _ = api.gateway.new_key(ADMIN)
    return secret_of(key.id.removeprefix("key_"), "w" * 43)


def unknown(_: Api) -> str:
    return secret_of("01ARZ3NDEKTSV4RRFFQ69G5FAV", "w" * 43)


def mistyped(api: Api) -> str:
    return api.secret(ADMIN)[:-1]


def signing_only(api: Api) -> str:
    return api.gateway.new_key(ADMIN, require_signature=True)[1]


NOBODIES: Final[dict[str, Callable[[Api], str | None]]] = {
    "no key": lambda _: None,
    "malformed": lambda _: "sk-somebody-elses-form",
    **{each.__name__: each for each in (mistyped, unknown, wrong, rotated, expired, revoked, signing_only)},
}


@pytest.mark.parametrize("nobody", NOBODIES)
@rows
@pytest.mark.holds("API2", "STRIDE-S")
def test_nobody_else_gets_in(closed: tuple[Api, dict[str, str]], row: Endpoint, nobody: str) -> None:
    api, stocked = closed
    secret = NOBODIES[nobody](api)
    headers = {"X-Api-Key": secret} if secret else {}
    call = (row.method, path_of(row, **stocked), cells_of(row).body)
    api.refused(*call, role=None, headers=headers, status=401, code="unauthenticated")


@pytest.mark.parametrize("nobody", NOBODIES)
@pytest.mark.parametrize(("method", "path"), sorted(PUBLIC))
def test_what_is_public_is_everybodys(api: Api, method: str, path: str, nobody: str) -> None:
    secret = NOBODIES[nobody](api)
    address = path.replace("{code}", "forbidden")
    response = api.call(method, address, role=None, headers={"X-Api-Key": secret} if secret else {})
    assert response.status_code == 200


@roles
@pytest.mark.holds("API3")
def test_what_a_role_sees_of_providers(api: Api, role: Role) -> None:
    api.register(limits={"requests_per_minute": 5})
    (listed,) = api.call("GET", PROVIDERS, role=role).json()["items"]
    assert listed == api.call("GET", f"{PROVIDERS}/local", role=role).json()
    sees_all = role in (ADMIN, OPERATOR, AUDITOR)
    assert (listed["limits"] is not None) is sees_all
    assert (listed["credentials"].get("hint") is not None) is sees_all
    assert listed["credentials"]["configured"] is True


@roles
def test_who_may_make_a_live_call(api: Api, role: Role) -> None:
    """An auditor reads, and causes nothing."""
    api.register()
    response = api.call("GET", f"{PROVIDERS}/local/status?probe=true", role=role)
    assert response.status_code == (200 if role in (ADMIN, OPERATOR) else 403), response.text
