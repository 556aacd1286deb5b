"""Providers over HTTP: revisions, slugs, lists, addresses, and what each role is shown."""

import json
from typing import Any

import pytest
from llm_gateway.domain.keys import Role

from tests.entrypoints.conftest import CREDENTIAL, PROVIDER, PROVIDERS, Api
from tests.entrypoints.contract import TIMESTAMP

ONE = f"{PROVIDERS}/local"
WHOLE: dict[str, Any] = {
    "id": "openai",
    "name": "OpenAI",
    "kind": "openai",
    "base_url": None,
    "default_model": "gpt-4.1-mini",
    "models": [
        {
            "name": "gpt-4.1-mini",
            "aliases": ["mini"],
            "context_window": 1000,
            "max_output_tokens": None,
            "capabilities": ["tools", "json"],
            "input_usd_per_mtok": "0.4",
            "cached_input_usd_per_mtok": None,
            "cache_write_usd_per_mtok": None,
            "output_usd_per_mtok": "1.6",
        }
    ],
    "enabled": True,
    "priority": 10,
    "weight": 1,
    "limits": {"requests_per_minute": 500, "tokens_per_minute": 200000, "burst": None, "max_concurrent": None},
    "timeouts": {"connect_s": 5, "first_token_s": None, "total_s": None},
    "retry": {"max_attempts": 3},
    "circuit": {"failure_threshold": 5, "cooldown_s": 30},
    "location": None,
    "api": "auto",
    "region": None,
    "credentials": {"api_key": CREDENTIAL},
}


def kept(api: Api, provider_id: str) -> str | None:
    """The credential of a provider; None where it is gone."""
    provider = api.gateway.outside.provider_store.find(provider_id)
    found = api.gateway.outside.credentials.get(provider.secret or "") if provider else None
    return found.api_key if found else None


def _written(api: Api) -> list[tuple[str, int]]:
    return [(config.id, config.revision) for config in api.gateway.outside.provider_store.all()]


def test_a_provider_is_shown_as_it_was_described(api: Api) -> None:
    response = api.call("POST", PROVIDERS, WHOLE)
    shown = response.json()
    assert response.status_code == 201
    assert response.headers["Location"] == f"{PROVIDERS}/openai"
    assert response.headers["ETag"] == '"1"'
    for field in WHOLE.keys() - {"credentials", "models"}:
        assert shown[field] == WHOLE[field]
    (model,) = shown["models"]
    assert model | {"capabilities": sorted(model["capabilities"])} == WHOLE["models"][0] | {
        "capabilities": ["json", "tools"]
    }
    assert shown["credentials"] == {"configured": True, "hint": "…1f3a", "updated_at": shown["created_at"]}
    assert shown["revision"] == 1
    assert TIMESTAMP.fullmatch(shown["created_at"])
    assert shown["updated_at"] == shown["created_at"]
    got = api.call("GET", response.headers["Location"])
    assert got.json() == shown
    assert got.headers["ETag"] == '"1"'
    assert api.call("GET", PROVIDERS).json() == {"items": [shown], "next_cursor": None}


def test_what_is_left_out_has_its_default(api: Api) -> None:
    body = {"name": "Claude", "kind": "anthropic", "default_model": "claude", "credentials": {"api_key": "short"}}
    shown = api.call("POST", PROVIDERS, body).json()
    assert shown["id"] == "claude"
    for field in ("timeouts", "retry", "circuit", "location", "api", "priority", "weight", "enabled", "base_url"):
        assert shown[field] == WHOLE[field]
    assert shown["models"] == []
    assert set(shown["limits"].values()) == {None}
    assert shown["credentials"]["hint"] == "…"


def test_a_taken_id_is_refused_and_nothing_changes(api: Api) -> None:
    made = api.register()
    api.refused("POST", PROVIDERS, PROVIDER | {"name": "Other"}, status=409, code="already_exists")
    assert api.call("GET", ONE).json() == made
    assert kept(api, "local") == CREDENTIAL


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Local one", "local-one"),
        ("  OpenAI (EU)! ", "openai-eu"),
        ("Ünïcode & more", "n-code-more"),
        ("42", "42"),
        ("x" * 80, "x" * 63),
        ("a" * 62 + " b", "a" * 62),
    ],
)
def test_an_id_is_made_from_the_name(api: Api, name: str, slug: str) -> None:
    made = api.register(id=None, name=name)
    assert (made["id"], made["name"]) == (slug, name)


@pytest.mark.parametrize("name", ["日本", "…", "---", "!"])
def test_a_name_without_a_usable_character_needs_an_id(api: Api, name: str) -> None:
    problem = api.refused(
        "POST", PROVIDERS, PROVIDER | {"id": None, "name": name}, status=422, code="validation_failed"
    )
    assert problem["errors"][0]["field"] == "id"
    assert api.register(id="named", name=name)["name"] == name


@pytest.mark.parametrize("slug", ["", "A", "a_b", "-a", "a" * 64, "a b", "a/b", "a\n", "ä", "..", 5])
def test_an_id_that_is_no_slug_is_refused(api: Api, slug: Any) -> None:
    problem = api.refused("POST", PROVIDERS, PROVIDER | {"id": slug}, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "id"
    assert _written(api) == []


# Changing


def test_what_was_read_may_be_written_back(api: Api) -> None:
    api.call("POST", PROVIDERS, WHOLE)
    read = api.call("GET", f"{PROVIDERS}/openai").json()
    api.gateway.outside.clock.move(hours=1)
    written = api.call("PUT", f"{PROVIDERS}/openai", read)
    assert written.status_code == 200
    assert written.headers["ETag"] == '"2"'
    times = {"revision": 2, "updated_at": written.json()["updated_at"]}
    assert written.json() == read | times
    assert times["updated_at"] > read["updated_at"]
    assert kept(api, "openai") == CREDENTIAL


def test_put_replaces_what_it_leaves_out(api: Api) -> None:
    api.call("POST", PROVIDERS, WHOLE)
    body = {"name": "New", "kind": "openai", "default_model": "other"}
    shown = api.call("PUT", f"{PROVIDERS}/openai", body).json()
    assert shown["name"] == "New"
    assert shown["models"] == []
    assert set(shown["limits"].values()) == {None}
    assert shown["credentials"]["configured"]


def test_put_takes_new_credentials(api: Api) -> None:
    api.register()
    shown = api.call("PUT", ONE, PROVIDER | {"credentials": {"api_key": "sk-the-next-secret-9z9z"}}).json()
    assert shown["credentials"]["hint"] == "…9z9z"
    assert kept(api, "local") == "sk-the-next-secret-9z9z"


@pytest.mark.parametrize("tag", ['"1"', "*", " * ", "1"])
def test_if_match_lets_the_current_revision_pass(api: Api, tag: str) -> None:
    api.register()
    assert api.call("PUT", ONE, PROVIDER, headers={"If-Match": tag}).json()["revision"] == 2
    api.call("DELETE", ONE)
    api.register()
    assert api.call("DELETE", ONE, headers={"If-Match": tag}).status_code == 204


@pytest.mark.parametrize(
    "tag",
    [
        '"2"',
        '"0"',
        "",
        '""',
        "x",
        '"x"',
        'W/"1"',
        "-1",
        '"1.0"',
        '"9999999999999999999999"',
        '"' + "9" * 5000 + '"',
        '"²"',
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_if_match_stops_any_other_revision(api: Api, method: str, tag: str) -> None:
    made = api.register()
    body = (
        PROVIDER | {"name": "Changed", "credentials": {"api_key": "sk-must-not-be-written"}}
        if method == "PUT"
        else None
    )
    headers = {"If-Match": tag.encode("latin-1")}
    api.refused(method, ONE, body, headers=headers, status=412, code="revision_conflict")
    assert api.call("GET", ONE).json() == made
    assert kept(api, "local") == CREDENTIAL


@pytest.mark.parametrize("tags", ['"1", "2"', '"2","1"', '"1", *', '"1",'])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_if_match_names_one_revision(api: Api, method: str, tags: str) -> None:
    made = api.register()
    body = PROVIDER | {"name": "Changed"} if method == "PUT" else None
    for headers in ([("If-Match", tags)], [("If-Match", tag) for tag in tags.split(",")]):
        problem = api.refused(method, ONE, body, headers=headers, status=422, code="validation_failed")
        assert problem["errors"][0]["field"] == "If-Match"
    assert api.call("GET", ONE).json() == made


def test_a_stale_revision_in_the_body_writes_nothing(api: Api) -> None:
    made = api.register()
    api.call("PUT", ONE, made)
    stale = made | {"name": "Changed", "credentials": {"api_key": "sk-must-not-be-written"}}
    api.refused("PUT", ONE, stale, status=412, code="revision_conflict")
    api.refused("PUT", ONE, stale | {"revision": 3}, status=412, code="revision_conflict")
    api.refused("PUT", ONE, stale, headers={"If-Match": '"2"'}, status=412, code="revision_conflict")
    api.refused("PUT", ONE, stale | {"revision": 2}, headers={"If-Match": '"1"'}, status=412, code="revision_conflict")
    assert api.call("GET", ONE).json()["name"] == made["name"]
    assert kept(api, "local") == CREDENTIAL
    assert api.call("PUT", ONE, stale | {"revision": 2}, headers={"If-Match": '"2"'}).json()["revision"] == 3


@pytest.mark.parametrize("revision", ["1", 1.5, True, 0, -1, []])
def test_a_revision_is_a_whole_number(api: Api, revision: Any) -> None:
    api.register()
    problem = api.refused("PUT", ONE, PROVIDER | {"revision": revision}, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "revision"


def test_an_id_cannot_change(api: Api) -> None:
    api.register()
    problem = api.refused("PUT", ONE, PROVIDER | {"id": "other"}, status=422, code="validation_failed")
    assert problem["errors"] == [{"field": "id", "message": "an id cannot change: leave it out or send 'local'"}]
    assert _written(api) == [("local", 1)]


def test_what_is_not_there_is_not_found(api: Api) -> None:
    for path in (ONE, f"{PROVIDERS}/UPPER", f"{PROVIDERS}/%00", f"{PROVIDERS}/{'x' * 3000}", f"{PROVIDERS}/%ed%a0%80"):
        for method, body in (("GET", None), ("PUT", PROVIDER | {"id": None}), ("DELETE", None)):
            api.refused(method, path, body, status=404, code="provider_not_found")
    assert _written(api) == []


def test_delete_forgets_the_credentials_and_frees_the_id(api: Api) -> None:
    api.register()
    gone = api.call("DELETE", ONE)
    assert (gone.status_code, gone.content) == (204, b"")
    assert api.gateway.outside.credentials.names() == []
    api.refused("DELETE", ONE, status=404, code="provider_not_found")
    assert api.register()["revision"] == 1


# Lists


def test_a_list_comes_in_pages(api: Api) -> None:
    ids = [f"p{number:02}" for number in range(25)]
    for provider_id in reversed(ids):
        api.register(id=provider_id)
    first = api.call("GET", PROVIDERS).json()
    assert [item["id"] for item in first["items"]] == ids[:20]
    second = api.call("GET", PROVIDERS, role=Role.CALLER).json()
    assert second["next_cursor"] == first["next_cursor"]
    rest = api.client.get(
        PROVIDERS, params={"cursor": first["next_cursor"], "limit": 5}, headers={"X-Api-Key": api.secret(Role.ADMIN)}
    ).json()
    assert [item["id"] for item in rest["items"]] == ids[20:]
    assert rest["next_cursor"] is None
    assert len(api.call("GET", f"{PROVIDERS}?limit=100").json()["items"]) == 25
    assert [item["id"] for item in api.call("GET", f"{PROVIDERS}?limit=1").json()["items"]] == ids[:1]


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "1.5", "1e1", "9" * 5000, "null"])
def test_a_limit_outside_of_its_bounds_is_refused(api: Api, limit: str) -> None:
    problem = api.refused("GET", f"{PROVIDERS}?limit={limit}", status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "limit"


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%F0%9F",
        "e30",
        "bnVsbA",
        "W10",
        "eyJhIjogMX0",
        "%00",
        "a" * 3000,
        "=",
        "eyJwcm92aWRlcl9pZCI6IDV9",
    ],
)
def test_a_bad_cursor_is_malformed(api: Api, cursor: str) -> None:
    api.refused("GET", f"{PROVIDERS}?cursor={cursor}", status=400, code="malformed_request")


# Who sees what


@pytest.mark.parametrize("role", Role)
def test_only_who_looks_after_providers_sees_limits_and_hints(api: Api, role: Role) -> None:
    api.register(limits={"requests_per_minute": 5})
    one = api.call("GET", ONE, role=role)
    many = api.call("GET", PROVIDERS, role=role)
    assert many.json()["items"] == [one.json()]
    assert CREDENTIAL not in one.text
    sees = role in (Role.ADMIN, Role.OPERATOR, Role.AUDITOR)
    assert (one.json()["limits"] is not None) == sees
    assert (one.json()["credentials"]["hint"] is not None) == sees
    assert one.json()["credentials"]["configured"] is True


def test_a_vendors_key_never_comes_back(api: Api) -> None:
    wrong = PROVIDER | {"credentials": {"api_key": CREDENTIAL, "configured": True}, "nonsense": 1, "weight": CREDENTIAL}
    for response in (api.call("POST", PROVIDERS, wrong), api.call("POST", PROVIDERS, PROVIDER | {"kind": "x"})):
        assert response.status_code == 422
        assert CREDENTIAL not in response.text


# Fields


@pytest.mark.parametrize(
    ("field", "body"),
    [
        ("nonsense", {"nonsense": None}),
        ("revision", {"revision": 1}),
        ("created_at", {"created_at": None}),
        ("limits.request_per_minute", {"limits": {"request_per_minute": 5}}),
        ("models[0].contextWindow", {"models": [{"name": "m", "contextWindow": 5}]}),
        ("timeouts.read_s", {"timeouts": {"read_s": 1}}),
        ("retry.attempts", {"retry": {"attempts": 1}}),
        ("circuit.cooldown", {"circuit": {"cooldown": 1}}),
        ("credentials.apiKey", {"credentials": {"apiKey": "x", "configured": True}}),
    ],
)
def test_an_unknown_field_is_named(api: Api, field: str, body: dict[str, Any]) -> None:
    problem = api.refused("POST", PROVIDERS, PROVIDER | body, status=422, code="validation_failed")
    (message,) = [error["message"] for error in problem["errors"] if error["field"] == field]
    assert message.startswith("is not a known field")
    assert field in problem["detail"]
    assert _written(api) == []


_WRONG: list[tuple[str, Any]] = [
    ("name", 5),
    ("name", ""),
    ("name", "   "),
    ("name", "x" * 201),
    ("name", None),
    ("kind", "azure"),
    ("kind", 5),
    ("base_url", 5),
    ("default_model", ""),
    ("default_model", None),
    ("models", {}),
    ("models[0]", [5]),
    ("models[0].name", [{"name": None}]),
    ("models[0].context_window", [{"name": "m", "context_window": "5"}]),
    ("models[0].context_window", [{"name": "m", "context_window": True}]),
    ("models[0].context_window", [{"name": "m", "context_window": 0}]),
    ("models[0].context_window", [{"name": "m", "context_window": 2**53}]),
    ("models[0].capabilities[0]", [{"name": "m", "capabilities": ["telepathy"]}]),
    ("models[0].input_usd_per_mtok", [{"name": "m", "input_usd_per_mtok": "-1"}]),
    ("models[0].input_usd_per_mtok", [{"name": "m", "input_usd_per_mtok": "dear"}]),
    ("models[0].input_usd_per_mtok", [{"name": "m", "input_usd_per_mtok": True}]),
    ("models[0].input_usd_per_mtok", [{"name": "m", "input_usd_per_mtok": "NaN"}]),
    ("models[0].input_usd_per_mtok", [{"name": "m", "input_usd_per_mtok": "Infinity"}]),
    ("models[0].input_usd_per_mtok", [{"name": "m", "input_usd_per_mtok": "1e400"}]),
    ("enabled", 1),
    ("enabled", "true"),
    ("enabled", None),
    ("priority", "10"),
    ("priority", 10.5),
    ("priority", -1),
    ("priority", False),
    ("weight", 0),
    ("weight", "1"),
    ("limits", []),
    ("limits.requests_per_minute", {"requests_per_minute": "500"}),
    ("limits.requests_per_minute", {"requests_per_minute": 0}),
    ("limits.tokens_per_minute", {"tokens_per_minute": 1.5}),
    ("limits.burst", {"burst": 10**40}),
    ("limits.max_concurrent", {"max_concurrent": True}),
    ("timeouts.connect_s", {"connect_s": "3"}),
    ("timeouts.total_s", {"total_s": 0}),
    ("timeouts.total_s", {"total_s": 901}),
    ("timeouts.first_token_s", {"first_token_s": True}),
    ("retry.max_attempts", {"max_attempts": 7}),
    ("retry.max_attempts", {"max_attempts": 0}),
    ("circuit.failure_threshold", {"failure_threshold": "5"}),
    ("circuit.cooldown_s", {"cooldown_s": -1}),
    ("credentials", {}),
    ("credentials", "sk-x"),
    ("credentials.api_key", {"api_key": ""}),
    ("credentials.api_key", {"api_key": 5}),
    ("credentials.configured", {"configured": "yes"}),
]


@pytest.mark.parametrize(("field", "value"), _WRONG)
def test_a_wrong_value_is_named(api: Api, field: str, value: Any) -> None:
    body = PROVIDER | {field.partition(".")[0].partition("[")[0]: value}
    problem = api.refused("POST", PROVIDERS, body, status=422, code="validation_failed")
    assert field in [fault["field"] for fault in problem["errors"]]
    api.refused("PUT", ONE, body, status=422, code="validation_failed")
    assert _written(api) == []


@pytest.mark.parametrize("field", ["name", "kind", "default_model"])
def test_a_missing_field_is_named(api: Api, field: str) -> None:
    body = {name: value for name, value in PROVIDER.items() if name != field}
    problem = api.refused("POST", PROVIDERS, body, status=422, code="validation_failed")
    assert problem["errors"] == [{"field": field, "message": "is required"}]


@pytest.mark.parametrize(("kind", "field"), [("llama_cpp", "base_url"), ("openai_compatible", "base_url")])
def test_a_kind_without_an_address_of_its_own_needs_one(api: Api, kind: str, field: str) -> None:
    problem = api.refused(
        "POST", PROVIDERS, PROVIDER | {"kind": kind, "base_url": None}, status=422, code="validation_failed"
    )
    assert problem["errors"][0]["field"] == field


@pytest.mark.parametrize("kind", ["openai", "anthropic"])
@pytest.mark.parametrize("credentials", [None, {"configured": True}])
def test_a_vendor_needs_its_key(api: Api, kind: str, credentials: Any) -> None:
    body = PROVIDER | {"kind": kind, "base_url": None, "credentials": credentials}
    problem = api.refused("POST", PROVIDERS, body, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "credentials.api_key"
    assert _written(api) == []


@pytest.mark.parametrize(
    "url",
    [
        "http://model.example.com/v1",
        "https://127.0.0.1/v1",
        "https://localhost/v1",
        "https://10.0.0.1/v1",
        "https://169.254.169.254/latest/meta-data",
        "https://2852039166/v1",
        "https://[::ffff:169.254.169.254]/v1",
        "https://user:password@model.example.com/v1",
        "https://model.example.com/v1?key=1",
        "ftp://model.example.com",
        "model.example.com",
        "https://",
        "https://[::1",
        "https://host:99999/v1",
        "",
    ],
)
def test_an_address_that_nobody_should_call_is_refused(api: Api, url: str) -> None:
    for method, path in (("POST", PROVIDERS), ("PUT", ONE)):
        if method == "PUT":
            api.register()
        problem = api.refused(method, path, PROVIDER | {"base_url": url}, status=422, code="validation_failed")
        assert problem["errors"][0]["field"] == "base_url"
        assert "password" not in json.dumps(problem)
    assert _written(api) == [("local", 1)]


def test_everything_that_cannot_work_is_told_at_once_and_no_key_is_shown(api: Api) -> None:
    body = PROVIDER | {
        "kind": "anthropic",
        "base_url": "https://model.example.com/v1/messages",
        "api": "responses",
        "credentials": {"api_key": "sk-secret-of-theirs…"},
    }
    problem = api.refused("POST", PROVIDERS, body, status=422, code="validation_failed")
    assert [error["field"] for error in problem["errors"]] == ["base_url", "api", "credentials.api_key"]
    assert "sk-secret" not in json.dumps(problem)
    assert _written(api) == []


def test_a_stored_key_is_not_read_by_moving_its_provider(api: Api) -> None:
    made = api.register()
    moved = PROVIDER | {"base_url": "https://attacker.example/v1", "credentials": made["credentials"]}
    problem = api.refused("PUT", ONE, moved, role=Role.OPERATOR, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "credentials.api_key"
    assert api.call("GET", ONE).json() == made
    own = moved | {"credentials": {"api_key": "sk-the-key-of-the-other"}}
    assert api.call("PUT", ONE, own, role=Role.OPERATOR).status_code == 200
    assert kept(api, "local") == "sk-the-key-of-the-other"
