"""Keys over the API: made, shown, changed, rotated, revoked."""

import json
from datetime import timedelta
from typing import Any

import pytest
from llm_gateway.domain.keys import Role
from llm_gateway.domain.signatures import signing_secret
from llm_gateway.errors import DependencyUnavailable
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from tests.adapters.in_process import client_of
from tests.entrypoints.conftest import PROVIDERS, QUERY, QUESTION, Api
from tests.entrypoints.contract import TIMESTAMP

KEYS = "/api/v1/llm/keys"
FULL: dict[str, Any] = {
    "name": "Support team",
    "role": "caller",
    "limits": {"requests_per_minute": 60, "tokens_per_minute": 90_000, "burst": 10},
    "budget_usd": {"amount": "25.00", "period": "month", "allow_unpriced": True},
    "allow": {"providers": ["openai"], "models": ["gpt-4.1-*"]},
    "pii": ["mask", "local_only"],
    "retention_days": 7,
    "log_bodies": 0.25,
    "tags": ["support", "eu"],
    "expires_at": "2999-01-31T00:00:00.000Z",
    "require_signature": False,
}
PLAIN: dict[str, Any] = {"name": "Plain", "role": "caller"}
BY_DEFAULT: dict[str, Any] = {
    "limits": {"requests_per_minute": None, "tokens_per_minute": None, "burst": None},
    "budget_usd": None,
    "allow": {"providers": None, "models": None},
    "pii": [],
    "retention_days": None,
    "log_bodies": 0,
    "tags": [],
    "expires_at": None,
    "require_signature": False,
}
SHOWN_ONCE = {"secret", "signing_secret", "warnings"}


def make(api: Api, **said: Any) -> dict[str, Any]:
    response = api.call("POST", KEYS, PLAIN | said)
    assert response.status_code == 201, response.text
    made: dict[str, Any] = response.json()
    return made


def opens(api: Api, secret: str) -> bool:
    status = api.call("GET", f"{KEYS}/self", role=None, headers={"X-Api-Key": secret}).status_code
    assert status in (200, 401)
    return status == 200


@pytest.mark.parametrize(
    ("said", "shown"), [("-0", "0"), ("-0.00", "0.00"), (0, "0"), (0.1, "0.1"), ("007.50", "7.50")]
)
def test_an_amount_is_shown_as_it_counts(api: Api, said: Any, shown: str) -> None:
    assert make(api, budget_usd={"amount": said, "period": "day"})["budget_usd"]["amount"] == shown


def without(made: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in made.items() if name not in (*SHOWN_ONCE, *names)}


def test_a_key_with_everything_said(api: Api) -> None:
    response = api.call("POST", KEYS, FULL)
    made = response.json()
    assert response.status_code == 201
    assert (response.headers["Location"], response.headers["ETag"]) == (f"{KEYS}/{made['id']}", '"1"')
    assert {name: made[name] for name in FULL} == FULL
    assert made["id"].startswith("key_")
    assert (made["status"], made["revision"], made["last_used_at"], made["warnings"]) == ("active", 1, None, [])
    assert made["hint"] == f"…{made['secret'][-4:]}"
    pepper = api.gateway.outside.pepper.value()
    assert made["signing_secret"] == signing_secret(pepper, key_id=made["id"], generation=1)
    assert TIMESTAMP.fullmatch(made["created_at"])
    assert opens(api, made["secret"])


def test_a_key_with_nothing_said_but_its_role(api: Api) -> None:
    made = make(api)
    assert {name: made[name] for name in BY_DEFAULT} == BY_DEFAULT
    nothing = make(api, **dict.fromkeys(BY_DEFAULT))
    assert {name: nothing[name] for name in BY_DEFAULT} == BY_DEFAULT


def test_secrets_are_shown_once(api: Api) -> None:
    made = make(api)
    shown = api.call("GET", f"{KEYS}/{made['id']}").json()
    (listed,) = [key for key in api.call("GET", KEYS).json()["items"] if key["id"] == made["id"]]
    patched = api.call("PATCH", f"{KEYS}/{made['id']}", {}).json()
    assert shown == listed == without(made)
    assert without(patched, "revision", "updated_at") == without(made, "revision", "updated_at")
    kept = repr(vars(api.gateway.outside.key_store))
    assert made["secret"] not in kept
    assert made["signing_secret"] not in kept


def test_a_replayed_creation_has_no_secrets_and_keeps_none(api: Api) -> None:
    first = api.call("POST", KEYS, PLAIN, headers={"Idempotency-Key": "once"})
    again = api.call("POST", KEYS, PLAIN, headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert "Idempotent-Replayed" not in first.headers
    made, replayed = first.json(), again.json()
    assert without(replayed) == without(made)
    assert (replayed["secret"], replayed["signing_secret"]) == (None, None)
    (warning,) = replayed["warnings"]
    assert "rotate" in warning
    kept = repr(vars(api.gateway.outside.idempotency))
    assert made["id"] in kept
    assert made["secret"] not in kept
    assert made["signing_secret"] not in kept
    assert len(api.call("GET", KEYS).json()["items"]) == 2


def test_a_replayed_rotation_has_no_secrets_either(api: Api) -> None:
    made = make(api)
    rotate, headers = f"{KEYS}/{made['id']}/rotate", {"Idempotency-Key": "once"}
    first, again = (api.call("POST", rotate, {"overlap_s": 60}, headers=headers).json() for _ in range(2))
    assert without(again) == without(first)
    assert (again["secret"], again["signing_secret"]) == (None, None)
    assert opens(api, first["secret"])
    bare = [api.call("POST", rotate, headers={"Idempotency-Key": "bare"}) for _ in range(2)]
    assert [response.headers.get("Idempotent-Replayed") for response in bare] == [None, "true"]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"name": ""}, "name", "must have at least 1 character(s)"),
    ({"name": None}, "name", "must be a string"),
    ({"role": "king"}, "role", "must be 'admin', 'operator', 'prompt_editor', 'caller' or 'auditor'"),
    ({"limits": {"requests_per_minute": 0}}, "limits.requests_per_minute", "must be at least 1"),
    ({"limits": {"requests": 5}}, "limits.requests", "is not a known field"),
    ({"budget_usd": {"amount": "25.00"}}, "budget_usd.period", "is required"),
    ({"budget_usd": {"amount": "-1", "period": "day"}}, "budget_usd.amount", "must be at least 0"),
    *(
        (
            {"budget_usd": {"amount": amount, "period": "day"}},
            "budget_usd.amount",
            "must be a number in plain digits, such as 25.00",
        )
        for amount in ("much", "1_000", " 1", "1e3", "NaN", "\N{ARABIC-INDIC DIGIT ONE}", "1.", "")
    ),
    ({"budget_usd": {"amount": "1", "period": "week"}}, "budget_usd.period", "must be 'day' or 'month'"),
    ({"allow": {"models": ["a*b"]}}, "allow.models[0]", "may end in *, and have none elsewhere"),
    ({"allow": {"providers": ["Not a slug"]}}, "allow.providers[0]", "must match ^[a-z0-9][a-z0-9-]{0,62}$"),
    ({"pii": ["shout"]}, "pii[0]", "must be 'log', 'mask', 'local_only' or 'block'"),
    ({"pii": ["mask", "mask"]}, "pii", "'mask' is there twice"),
    ({"retention_days": 0}, "retention_days", "must be at least 1"),
    ({"log_bodies": 1.5}, "log_bodies", "must be at most 1"),
    ({"log_bodies": True}, "log_bodies", "must be a number"),
    ({"tags": ["a", "a"]}, "tags", "'a' is there twice"),
    ({"tags": [" a"]}, "tags[0]", "must be printable, without white space around it"),
    ({"tags": ["a\n"]}, "tags[0]", "must be printable, without white space around it"),
    ({"tags": [str(number) for number in range(11)]}, "tags", "must have at most 10 item(s)"),
    (
        {"expires_at": "2001-01-01T00:00:00Z"},
        "expires_at",
        "must be in the future, or null for a key that does not expire",
    ),
    ({"expires_at": 4102444800}, "expires_at", "must be a time as text, such as 2027-01-31T00:00:00Z"),
    ({"expires_at": "tomorrow"}, "expires_at", "must be a time as text, such as 2027-01-31T00:00:00Z"),
    ({"expires_at": "2999-01-01T00:00:00"}, "expires_at", "must be a time as text, such as 2027-01-31T00:00:00Z"),
    ({"expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at", "must be a time as text, such as 2027-01-31T00:00:00Z"),
    ({"require_signature": "yes"}, "require_signature", "must be true or false"),
    ({"id": "key_mine"}, "id", "is not a known field"),
    ({"revision": 1}, "revision", "is not a known field"),
]


@pytest.mark.parametrize(("said", "field", "message"), WRONG)
def test_a_wrong_key_is_told_what_is_wrong(api: Api, said: dict[str, Any], field: str, message: str) -> None:
    before = api.call("GET", KEYS).json()
    problem = api.refused("POST", KEYS, PLAIN | said, status=422, code="validation_failed")
    assert problem["errors"] == [{"field": field, "message": message}]
    assert [key["id"] for key in api.call("GET", KEYS).json()["items"]] == [key["id"] for key in before["items"]]


@pytest.mark.parametrize(("said", "field", "message"), WRONG)
def test_a_wrong_change_is_told_what_is_wrong(api: Api, said: dict[str, Any], field: str, message: str) -> None:
    made = make(api)
    problem = api.refused("PATCH", f"{KEYS}/{made['id']}", said, status=422, code="validation_failed")
    ((told),) = problem["errors"]
    assert told["field"] == field
    if said != {"name": None}:
        assert told["message"] == message
    assert api.call("GET", f"{KEYS}/{made['id']}").json() == without(made)


@pytest.mark.parametrize("field", ["name", "role"])
def test_a_new_key_needs_a_name_and_a_role(api: Api, field: str) -> None:
    said = {name: value for name, value in PLAIN.items() if name != field}
    problem = api.refused("POST", KEYS, said, status=422, code="validation_failed")
    assert problem["errors"] == [{"field": field, "message": "is required"}]


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        ({}, {}),
        ({"name": "Sales"}, {"name": "Sales"}),
        ({"limits": {"burst": None}}, {"limits": {**FULL["limits"], "burst": None}}),
        ({"limits": {"burst": 3}}, {"limits": {**FULL["limits"], "burst": 3}}),
        ({"limits": None}, {"limits": BY_DEFAULT["limits"]}),
        ({"budget_usd": {"amount": "30.5"}}, {"budget_usd": {**FULL["budget_usd"], "amount": "30.5"}}),
        ({"budget_usd": None}, {"budget_usd": None}),
        ({"allow": {"models": None}}, {"allow": {"providers": ["openai"], "models": None}}),
        ({"allow": {"models": []}}, {"allow": {"providers": ["openai"], "models": []}}),
        ({"tags": ["new"]}, {"tags": ["new"]}),
        (dict.fromkeys(BY_DEFAULT), BY_DEFAULT),
    ],
)
def test_a_change_merges(api: Api, patch: dict[str, Any], expected: dict[str, Any]) -> None:
    made = make(api, **FULL)
    response = api.call("PATCH", f"{KEYS}/{made['id']}", patch, headers={"If-Match": '"1"'})
    changed = response.json()
    assert (response.status_code, response.headers["ETag"], changed["revision"]) == (200, '"2"', 2)
    assert {name: changed[name] for name in FULL} == FULL | expected
    assert api.call("GET", f"{KEYS}/{made['id']}").json() == changed


def test_a_first_budget_needs_all_of_it(api: Api) -> None:
    made = make(api)
    patch = {"budget_usd": {"amount": "30"}}
    problem = api.refused("PATCH", f"{KEYS}/{made['id']}", patch, status=422, code="validation_failed")
    assert problem["errors"] == [{"field": "budget_usd.period", "message": "is required"}]


def test_a_stale_revision_changes_nothing(api: Api) -> None:
    path = f"{KEYS}/{make(api)['id']}"
    api.call("PATCH", path, {"name": "Second"})
    stale = {"If-Match": '"1"'}
    api.refused("PATCH", path, {"name": "Third"}, headers=stale, status=412, code="revision_conflict")
    api.refused("DELETE", path, headers=stale, status=412, code="revision_conflict")
    assert api.call("GET", path).json()["name"] == "Second"
    assert api.call("DELETE", path, headers={"If-Match": '"2"'}).status_code == 204


def test_a_change_of_role_holds_at_once(api: Api) -> None:
    made = make(api)
    headers = {"X-Api-Key": made["secret"]}
    api.refused("GET", KEYS, role=None, headers=headers, status=403, code="forbidden")
    api.call("PATCH", f"{KEYS}/{made['id']}", {"role": "auditor"})
    assert api.call("GET", KEYS, role=None, headers=headers).status_code == 200


def test_a_revoked_key_is_there_to_read_and_no_more(api: Api) -> None:
    made = make(api)
    path = f"{KEYS}/{made['id']}"
    assert api.call("DELETE", path).status_code == 204
    assert not opens(api, made["secret"])
    shown = api.call("GET", path)
    assert (shown.status_code, shown.json()["status"]) == (200, "revoked")
    for method, where, body in (("DELETE", path, None), ("PATCH", path, {}), ("POST", f"{path}/rotate", None)):
        api.refused(method, where, body, status=404, code="key_not_found")
    assert made["id"] in [key["id"] for key in api.call("GET", KEYS).json()["items"]]
    api.gateway.outside.clock.move(days=90)
    api.refused("GET", path, status=404, code="key_not_found")
    assert made["id"] not in [key["id"] for key in api.call("GET", KEYS).json()["items"]]


def test_an_expired_key_is_shown_as_such(api: Api) -> None:
    ends = api.gateway.outside.clock.now() + timedelta(hours=1)
    made = make(api, expires_at=ends.isoformat())
    api.gateway.outside.clock.move(hours=1)
    assert api.call("GET", f"{KEYS}/{made['id']}").json()["status"] == "expired"
    assert not opens(api, made["secret"])
    assert api.call("PATCH", f"{KEYS}/{made['id']}", {"expires_at": None}).json()["status"] == "active"
    assert opens(api, made["secret"])


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE", "POST"])
@pytest.mark.parametrize("key_id", ["key_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nobody", "admins", "key_", "k" * 3000, "%00"])
def test_an_unknown_key_is_not_found(api: Api, method: str, key_id: str) -> None:
    path = f"{KEYS}/{key_id}" + ("/rotate" if method == "POST" else "")
    api.refused(method, path, {} if method == "PATCH" else None, status=404, code="key_not_found")


@pytest.mark.parametrize("body", [None, {}, {"overlap_s": 0}])
def test_a_rotation_ends_the_old_secrets(api: Api, body: dict[str, Any] | None) -> None:
    made = make(api)
    response = api.call("POST", f"{KEYS}/{made['id']}/rotate", body)
    rotated = response.json()
    assert (response.status_code, rotated["revision"]) == (200, 2)
    assert rotated["signing_secret"] != made["signing_secret"]
    assert (opens(api, made["secret"]), opens(api, rotated["secret"])) == (False, True)


def test_during_an_overlap_both_secrets_are_valid(api: Api) -> None:
    made = make(api)
    rotated = api.call("POST", f"{KEYS}/{made['id']}/rotate", {"overlap_s": 86_400}).json()
    assert (opens(api, made["secret"]), opens(api, rotated["secret"])) == (True, True)
    api.gateway.outside.clock.move(days=1)
    assert (opens(api, made["secret"]), opens(api, rotated["secret"])) == (False, True)


@pytest.mark.parametrize(
    ("body", "field"),
    [({"overlap_s": 86_401}, "overlap_s"), ({"overlap_s": -1}, "overlap_s"), ({"overlap": 1}, "overlap")],
)
def test_a_wrong_rotation_rotates_nothing(api: Api, body: dict[str, Any], field: str) -> None:
    made = make(api)
    problem = api.refused("POST", f"{KEYS}/{made['id']}/rotate", body, status=422, code="validation_failed")
    assert [error["field"] for error in problem["errors"]] == [field]
    api.refused("POST", f"{KEYS}/{made['id']}/rotate", content=b"{", status=400, code="malformed_request")
    assert opens(api, made["secret"])


@pytest.mark.parametrize("role", Role)
def test_everybody_reads_the_own_key(api: Api, role: Role) -> None:
    own = api.call("GET", f"{KEYS}/self", role=role).json()
    assert (own["role"], own["budget"]) == (role, None)
    assert f"…{api.secret(role)[-4:]}" == own["hint"]
    assert own["id"] == f"key_{api.secret(role).split('_')[1]}"


def test_pages_of_keys(api: Api) -> None:
    made = [make(api)["id"] for _ in range(3)]
    first = api.call("GET", f"{KEYS}?limit=2").json()
    second = api.call("GET", f"{KEYS}?limit=2&cursor={first['next_cursor']}").json()
    assert [key["id"] for page in (first, second) for key in page["items"]][1:] == made
    assert second["next_cursor"] is None
    api.refused("GET", f"{KEYS}?cursor=x", status=400, code="malformed_request")


# The last admin


@pytest.mark.parametrize(
    ("method", "body"),
    [("DELETE", None), ("PATCH", {"role": "operator"}), ("PATCH", {"expires_at": "2999-01-01T00:00:00Z"})],
)
def test_the_last_admin_stays(api: Api, method: str, body: dict[str, Any] | None) -> None:
    own = f"{KEYS}/{api.call('GET', f'{KEYS}/self').json()['id']}"
    problem = api.refused(method, own, body, status=409, code="last_admin")
    assert "another admin key" in problem["detail"]
    make(api, role="admin")
    assert api.call(method, own, body).status_code in (200, 204)


# The last use


def test_when_a_key_was_used_last(api: Api) -> None:
    made = make(api)
    path = f"{KEYS}/{made['id']}"
    assert api.call("GET", path).json()["last_used_at"] is None
    assert opens(api, made["secret"])
    first = api.call("GET", path).json()["last_used_at"]
    assert TIMESTAMP.fullmatch(first)
    assert opens(api, made["secret"])
    assert api.call("GET", path).json()["last_used_at"] == first
    assert [key_id for key_id, _ in api.gateway.outside.key_uses.noted].count(made["id"]) == 1


def test_a_use_that_is_refused_is_one_too(api: Api) -> None:
    made = make(api)
    api.refused("POST", PROVIDERS, {}, role=None, headers={"X-Api-Key": made["secret"]}, status=403, code="forbidden")
    assert api.call("GET", f"{KEYS}/{made['id']}").json()["last_used_at"] is not None


@pytest.mark.parametrize(
    ("path", "body"),
    [(f"{QUERY}/stream", QUESTION), ("/v1/chat/completions", {"model": "small", **QUESTION})],
)
def test_a_use_that_is_answered_by_a_stream_is_one_too(api: Api, path: str, body: dict[str, Any]) -> None:
    api.register()
    made = make(api)
    answer = api.call("POST", path, body, role=None, headers={"X-Api-Key": made["secret"]})
    assert answer.status_code == 200
    assert api.call("GET", f"{KEYS}/{made['id']}").json()["last_used_at"] is not None


@pytest.mark.parametrize("path", [QUERY, f"{QUERY}/stream", "/v1/chat/completions", PROVIDERS])
def test_a_use_is_noted_before_the_last_of_its_answer(api: Api, app: Starlette, path: str) -> None:
    """With that, Lambda freezes a process behind its web adapter."""
    api.register()
    made, noted = make(api), list[bool]()

    async def watched(scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body"):
                noted.append(made["id"] in [key_id for key_id, _ in api.gateway.outside.key_uses.noted])
            await send(message)

        await app(scope, receive, sending)

    with client_of(watched) as client:
        client.post(path, json={"model": "small", **QUESTION}, headers={"X-Api-Key": made["secret"]})
    assert noted == [True]


def test_a_use_that_cannot_be_noted_is_answered_all_the_same(api: Api) -> None:
    made = make(api)
    api.gateway.outside.key_uses.fault = DependencyUnavailable("away")
    assert api.call("GET", PROVIDERS, role=None, headers={"X-Api-Key": made["secret"]}).status_code == 200


def test_the_secrets_are_in_no_log(api: Api, lines: Any) -> None:
    made = make(api)
    rotated = api.call("POST", f"{KEYS}/{made['id']}/rotate").json()
    assert lines.named("request")
    logged = json.dumps(lines.written)
    for secret in (made["secret"], made["signing_secret"], rotated["secret"], rotated["signing_secret"]):
        assert secret not in logged
