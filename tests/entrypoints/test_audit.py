"""The audit log over HTTP: changes with their entries, denials with their counts, pages, and who may read."""

import hashlib
import json
from typing import Any

import pytest
from llm_gateway.domain.audit.chain import verify
from llm_gateway.domain.keys import Role
from llm_gateway.errors import DependencyUnavailable

from tests.adapters.authors import BY
from tests.adapters.travelling_clock import TravellingClock
from tests.entrypoints.conftest import CREDENTIAL, PROVIDER, PROVIDERS, Api
from tests.entrypoints.contract import TIMESTAMP

AUDIT = "/api/v1/llm/audit"
KEYS = "/api/v1/llm/keys"
ONE = f"{PROVIDERS}/local"
FORGED = 'x\n{"id":"aud_000000000002","action":"nothing"}\x1b[2K\u202e'


def entries(api: Api, query: str = "", *, role: Role = Role.AUDITOR) -> list[dict[str, Any]]:
    # A list ends before the millisecond in which it is asked for, and a request takes less than one.
    clock = api.gateway.outside.clock
    assert isinstance(clock, TravellingClock)
    clock.move(milliseconds=1)
    response = api.call("GET", f"{AUDIT}{query}", role=role)
    assert response.status_code == 200, response.text
    # The keys of this test were made in the same way, and are in the log, too.
    return [entry for entry in response.json()["items"] if entry["action"] != BY.action]


def deny_later(api: Api) -> None:
    """The minute passes, and what was denied is entered."""
    clock = api.gateway.outside.clock
    assert isinstance(clock, TravellingClock)
    clock.move(minutes=2)
    api.gateway.denials.append()


def test_a_change_is_told_as_it_was_made(api: Api) -> None:
    made = api.register()
    written = api.call("PUT", ONE, PROVIDER | {"name": "Renamed"})
    gone = api.call("DELETE", ONE)
    deleted, updated, created = entries(api)
    assert [entry["action"] for entry in (created, updated, deleted)] == [
        "provider.created",
        "provider.updated",
        "provider.deleted",
    ]
    assert (created["before"], created["after"]) == (None, made)
    assert (updated["before"], updated["after"]) == (made, written.json())
    assert (deleted["before"], deleted["after"]) == (written.json(), None)
    assert updated["request_id"] == written.headers["X-Request-Id"]
    assert deleted["request_id"] == gone.headers["X-Request-Id"]
    for entry in (created, updated, deleted):
        assert entry["actor"] == {"key_id": created["actor"]["key_id"], "role": "admin", "address": "testclient"}
        assert (entry["target"], entry["outcome"], entry["count"]) == ("local", "done", 1)
        assert TIMESTAMP.fullmatch(entry["at"])
        assert CREDENTIAL not in json.dumps(entry)


def test_the_hash_is_that_of_the_entry_as_it_is_shown(api: Api) -> None:
    api.register(name=f"Größe {FORGED}", limits={"requests_per_minute": 30})
    api.call("PUT", ONE, PROVIDER)
    later, earlier = entries(api)
    assert later["previous_hash"] == earlier["hash"]
    for entry in (later, earlier):
        told = {name: value for name, value in entry.items() if name != "hash"}
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert hashlib.sha256(text.encode()).hexdigest() == entry["hash"]


def test_no_name_forges_a_line(api: Api) -> None:
    api.register(name=FORGED)
    (entry,) = entries(api)
    assert entry["after"]["name"] == 'x\\n{"id":"aud_000000000002","action":"nothing"}\\u001b[2K\\u202e'
    kept = api.gateway.outside.audit_log.contents().kept
    assert {len(one.document.splitlines()) for one in kept} == {1}
    assert verify(kept, head=api.gateway.outside.audit_log.head()) is None


def test_every_change_of_a_key_is_told_and_no_secret_of_it(api: Api) -> None:
    made = api.call("POST", KEYS, {"name": "app", "role": "caller"}).json()
    one = f"{KEYS}/{made['id']}"
    api.call("PATCH", one, {"tags": ["team-a"]})
    rotated = api.call("POST", f"{one}/rotate", {"overlap_s": 60}).json()
    api.call("DELETE", one)
    revoked, renewed, changed, created = entries(api)
    assert [entry["action"] for entry in (created, changed, renewed, revoked)] == [
        "key.created",
        "key.updated",
        "key.rotated",
        "key.revoked",
    ]
    assert created["before"] is None
    assert (changed["before"]["tags"], changed["after"]["tags"]) == ([], ["team-a"])
    assert renewed["before"]["hint"] != renewed["after"]["hint"]
    assert (revoked["before"]["status"], revoked["after"]["status"]) == ("active", "revoked")
    told = json.dumps([revoked, renewed, changed, created])
    for issued in (made, rotated):
        assert issued["secret"] not in told
        assert issued["signing_secret"] not in told


def test_without_the_log_no_key_changes(api: Api) -> None:
    made = api.call("POST", KEYS, {"name": "app", "role": "caller"}).json()
    one = f"{KEYS}/{made['id']}"
    before = api.call("GET", one).json()
    api.gateway.outside.audit_log.fault = DependencyUnavailable("The store of audit entries cannot be reached.")
    for method, path, body in (
        ("POST", KEYS, {"name": "other", "role": "caller"}),
        ("PATCH", one, {"name": "other"}),
        ("POST", f"{one}/rotate", None),
        ("DELETE", one, None),
    ):
        api.refused(method, path, body, status=503, code="dependency_unavailable")
    assert api.call("GET", one).json() == before
    assert all(key["name"] != "other" for key in api.call("GET", KEYS).json()["items"])


def test_without_the_log_a_change_is_refused_and_nothing_has_changed(api: Api) -> None:
    made = api.register()
    api.gateway.outside.audit_log.fault = DependencyUnavailable("The store of audit entries cannot be reached.")
    for method, path, body in (
        ("POST", PROVIDERS, PROVIDER | {"id": "other"}),
        ("PUT", ONE, PROVIDER | {"name": "Renamed"}),
        ("DELETE", ONE, None),
    ):
        api.refused(method, path, body, status=503, code="dependency_unavailable")
    assert [item["id"] for item in api.call("GET", PROVIDERS).json()["items"]] == ["local"]
    assert api.call("GET", ONE).json() == made


def test_a_replayed_creation_is_one_entry(api: Api) -> None:
    for _ in range(2):
        assert api.call("POST", PROVIDERS, PROVIDER, headers={"Idempotency-Key": "one"}).status_code == 201
    assert len(entries(api)) == 1


def test_denials_are_counted_and_entered_when_their_minute_is_over(api: Api) -> None:
    for _ in range(3):
        api.refused("PUT", ONE, PROVIDER, role=Role.CALLER, status=403, code="forbidden")
    for _ in range(2):
        api.refused("GET", PROVIDERS, role=None, status=401, code="unauthenticated")
    api.refused("GET", AUDIT, role=Role.OPERATOR, status=403, code="forbidden")
    assert entries(api) == []
    deny_later(api)
    found = {(entry["action"], entry["target"]): entry for entry in entries(api)}
    assert {kind: entry["count"] for kind, entry in found.items()} == {
        ("provider.updated", "update_provider"): 3,
        ("request.unauthenticated", None): 2,
        ("request.forbidden", "list_audit"): 1,
    }
    assert {entry["outcome"] for entry in found.values()} == {"denied"}
    denied = found["provider.updated", "update_provider"]
    assert (denied["actor"]["role"], denied["actor"]["address"]) == ("caller", "testclient")
    nobody = found["request.unauthenticated", None]
    assert nobody["actor"] == {"key_id": None, "role": None, "address": "testclient"}


def test_what_is_let_in_or_wrong_is_no_denial(api: Api) -> None:
    api.call("GET", PROVIDERS)
    api.refused("GET", ONE, status=404, code="provider_not_found")
    api.refused("GET", f"{PROVIDERS}?x=1", status=422, code="validation_failed")
    assert api.call("GET", "/health", role=None).status_code == 200
    deny_later(api)
    assert entries(api) == []


def test_counting_that_fails_changes_no_answer(api: Api) -> None:
    api.gateway.outside.denial_counters.fault = DependencyUnavailable("The limits cannot be reached.")
    api.refused("GET", PROVIDERS, role=None, status=401, code="unauthenticated")


@pytest.mark.parametrize("role", Role)
def test_admins_and_auditors_read_the_log(api: Api, role: Role) -> None:
    if role in (Role.ADMIN, Role.AUDITOR):
        assert entries(api, role=role) == []
    else:
        api.refused("GET", AUDIT, role=role, status=403, code="forbidden")


def test_pages_and_searches(api: Api) -> None:
    for name in ("a", "b", "c"):
        api.register(id=name)
    made = f"{AUDIT}?action=provider.created&limit=2"
    first = api.call("GET", made).json()
    assert [entry["target"] for entry in first["items"]] == ["c", "b"]
    rest = api.call("GET", f"{made}&cursor={first['next_cursor']}").json()
    assert ([entry["target"] for entry in rest["items"]], rest["next_cursor"]) == (["a"], None)
    key_id, at = first["items"][0]["actor"]["key_id"], first["items"][0]["at"]
    assert len(entries(api, f"?actor={key_id}&action=provider.created")) == 3
    assert entries(api, "?action=provider.deleted") == entries(api, "?actor=key_nobody") == []
    assert len(entries(api, f"?from={at}")) >= 1
    assert all(entry["at"] < at for entry in entries(api, f"?to={at}"))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("from=1764000000", "from"),
        ("from=2026-11-29", "from"),
        ("to=2026-11-29T18:41:31", "to"),
        ("to=2026-13-29T18:41:31Z", "to"),
        ("from=0001-01-01T00:00:00%2B23:59", "from"),
        ("from=2026-11-29T18:00:00Z&to=2026-11-29T18:00:00Z", "from"),
        ("actor=", "actor"),
        ("limit=101", "limit"),
        ("who=me", "who"),
    ],
)
def test_what_is_wrong_with_a_search_is_named(api: Api, query: str, field: str) -> None:
    problem = api.refused("GET", f"{AUDIT}?{query}", status=422, code="validation_failed")
    assert [error["field"] for error in problem["errors"]] == [field]


def test_a_bad_cursor_is_said(api: Api) -> None:
    api.refused("GET", f"{AUDIT}?cursor=nonsense", status=400, code="malformed_request")


def test_the_day_before_the_first_of_all_days_is_no_fault_of_ours(api: Api) -> None:
    response = api.call("GET", f"{AUDIT}?to=0001-01-01T12:00:00Z")
    assert (response.status_code, response.json()["items"]) == (200, [])
