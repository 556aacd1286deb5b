"""Who gets in: what is taken for a key, and what is said to those who have none."""

import hmac
from collections.abc import Callable
from datetime import timedelta

import pytest
from llm_gateway.domain.key_secrets import secret_of
from llm_gateway.domain.keys import Role

from tests.adapters.authors import BY
from tests.entrypoints.conftest import PROVIDERS, QUERY, Api


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


def wrong_random(secret: str) -> str:
    return secret_of(secret.split("_", 2)[1], "w" * 43)


@pytest.mark.parametrize(
    "change",
    [
        wrong_random,
        lambda secret: secret.upper(),
        lambda _: secret_of("01ARZ3NDEKTSV4RRFFQ69G5FAV", "w" * 43),
        lambda secret: "_".join(secret.split("_", 2)[:2]),
        lambda secret: "_".join(secret.split("_", 2)[:2]) + "_",
        lambda secret: "llmgw__" + secret.split("_", 2)[2],
        lambda secret: "key_" + secret.split("_", 2)[1],
        lambda _: "x" * 5000,
        lambda _: "llmgw_\xe9\xff_\xe9".encode("latin-1"),
        lambda _: "llmgw_*_*",
    ],
)
def test_all_wrong_keys_are_refused_alike(api: Api, change: Callable[[str], str | bytes]) -> None:
    wrong = change(api.secret(Role.ADMIN))
    problem = api.refused("GET", PROVIDERS, role=None, headers={"X-Api-Key": wrong}, status=401, code="unauthenticated")
    another = api.refused("GET", PROVIDERS, role=None, headers={"X-Api-Key": "?"}, status=401, code="unauthenticated")
    assert problem | {"request_id": ""} == another | {"request_id": ""}


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: secret + "x",
        lambda secret: secret[:-1],
        lambda secret: secret[:40] + secret[41:],
        lambda _: "llmgw_" + "x" * 5000 + "_x",
    ],
)
def test_a_typo_is_called_one(api: Api, change: Callable[[str], str]) -> None:
    headers = {"X-Api-Key": change(api.secret(Role.ADMIN))}
    problem = api.refused("GET", PROVIDERS, role=None, headers=headers, status=401, code="unauthenticated")
    assert "mistyped: its checksum is wrong" in problem["detail"]


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
    old, secret = api.gateway.new_key(Role.ADMIN)
    rotated = api.gateway.key_changes.rotate(old.id, overlap=timedelta(hours=1), by=BY).key
    api.call("GET", PROVIDERS, role=None, headers={"X-Api-Key": secret})
    # All of them, whichever matches.
    mine = old.secrets[0].hash
    assert compared == [(mine, each.hash) for each in rotated.secrets]
