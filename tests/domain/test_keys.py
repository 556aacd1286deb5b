"""API keys: what each role may, whose queries it sees, and what holds of a key at a time."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.access import Permission
from llm_gateway.domain.keys import (
    Allowed,
    ApiKey,
    Budget,
    Caller,
    KeyLimits,
    KeySecret,
    KeyStatus,
    Period,
    Role,
)
from llm_gateway.domain.pii import PiiRule
from llm_gateway.endpoints import ENDPOINTS


def _may(role: Role) -> set[Permission]:
    caller = Caller(key_id="key_1", role=role)
    return {permission for permission in Permission if caller.may(permission)}


def test_an_admin_may_everything() -> None:
    assert _may(Role.ADMIN) == set(Permission)


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.AUDITOR])
def test_who_looks_after_the_gateway_asks_nothing(role: Role) -> None:
    assert not _may(role) & {Permission.RUN_QUERIES, Permission.READ_QUERY_CONTENT}


@pytest.mark.parametrize("role", [Role.PROMPT_EDITOR, Role.CALLER, Role.AUDITOR])
def test_only_admins_and_operators_change_providers(role: Role) -> None:
    assert Permission.MANAGE_PROVIDERS not in _may(role)


@pytest.mark.parametrize("role", Role)
def test_who_asks_queries_may_be_told_which_providers_there_are(role: Role) -> None:
    assert Permission.RUN_QUERIES not in _may(role) or Permission.READ_PROVIDERS in _may(role)


@pytest.mark.holds("API5")
def test_an_auditor_changes_nothing() -> None:
    changing = {row.permission for row in ENDPOINTS if row.method != "GET"}
    assert not _may(Role.AUDITOR) & changing


def test_every_permission_guards_something() -> None:
    # Not a route of its own, but how far one that all may call reaches.
    beyond_routes = {Permission.READ_ALL_USAGE}
    assert {row.permission for row in ENDPOINTS if row.permission} == set(Permission) - beyond_routes


@pytest.mark.parametrize(
    ("role", "status", "content"),
    [
        (Role.ADMIN, True, True),
        (Role.AUDITOR, True, False),
        (Role.OPERATOR, False, False),
        (Role.PROMPT_EDITOR, False, False),
        (Role.CALLER, False, False),
    ],
)
def test_whose_queries_a_role_sees(role: Role, status: bool, content: bool) -> None:
    caller = Caller(key_id="key_1", role=role)
    assert caller.sees_everybodys_queries(content=False) is status
    assert caller.sees_everybodys_queries(content=True) is content


NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def key(**changes: Any) -> ApiKey:
    secret = KeySecret(hash="a", hint="…a", generation=1)
    made = ApiKey(id="key_1", name="A key", role=Role.CALLER, secrets=(secret,), created_at=NOW, updated_at=NOW)
    return replace(made, **changes)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, KeyStatus.ACTIVE),
        ({"expires_at": NOW + SECOND}, KeyStatus.ACTIVE),
        ({"expires_at": NOW}, KeyStatus.EXPIRED),
        ({"expires_at": NOW + SECOND, "revoked_at": NOW}, KeyStatus.REVOKED),
        ({"expires_at": NOW - SECOND, "revoked_at": NOW - SECOND}, KeyStatus.REVOKED),
    ],
)
def test_the_status_of_a_key(changes: dict[str, Any], status: KeyStatus) -> None:
    assert key(**changes).status(NOW) is status
    assert bool(key(**changes).valid_secrets(NOW)) is (status is KeyStatus.ACTIVE)


def test_a_revoked_key_can_be_read_for_90_days() -> None:
    revoked = key(revoked_at=NOW)
    assert revoked.readable(NOW + timedelta(days=90) - SECOND)
    assert not revoked.readable(NOW + timedelta(days=90))
    assert key(expires_at=NOW - timedelta(days=900)).readable(NOW)


def test_after_a_rotation_two_secrets_are_valid_until_the_overlap_ends() -> None:
    new = KeySecret(hash="b", hint="…b", generation=2)
    rotated = key().rotated(new, overlap=timedelta(hours=1), now=NOW)
    assert [each.hash for each in rotated.valid_secrets(NOW + timedelta(hours=1) - SECOND)] == ["b", "a"]
    assert [each.hash for each in rotated.valid_secrets(NOW + timedelta(hours=1))] == ["b"]
    assert (rotated.revision, rotated.updated_at, rotated.generation) == (2, NOW, 2)


def test_without_an_overlap_the_old_secret_ends_at_once() -> None:
    new = KeySecret(hash="b", hint="…b", generation=2)
    assert key().rotated(new, overlap=timedelta(), now=NOW).secrets == (new,)


def test_a_further_rotation_ends_what_the_one_before_had_left() -> None:
    second, third = (KeySecret(hash=text, hint="…", generation=number) for text, number in (("b", 2), ("c", 3)))
    twice = key().rotated(second, overlap=timedelta(days=1), now=NOW).rotated(third, overlap=SECOND, now=NOW)
    assert [each.hash for each in twice.valid_secrets(NOW)] == ["c", "b"]


@pytest.mark.parametrize(
    ("models", "name", "allowed"),
    [
        (None, "anything", True),
        ((), "anything", False),
        (("gpt-4.1",), "gpt-4.1", True),
        (("gpt-4.1",), "gpt-4.1-mini", False),
        (("gpt-4.1-*",), "gpt-4.1-mini", True),
        (("gpt-4.1-*",), "gpt-4.1", False),
        (("*",), "anything", True),
        (("a", "b*"), "bc", True),
        (("b.*",), "bcd", False),
    ],
)
def test_which_models_a_key_may_ask(models: tuple[str, ...] | None, name: str, allowed: bool) -> None:
    assert Allowed(models=models).model(name) is allowed


@pytest.mark.parametrize(("providers", "allowed"), [(None, True), ((), False), (("a",), True), (("a*", "b"), False)])
def test_which_providers_a_key_may_ask(providers: tuple[str, ...] | None, allowed: bool) -> None:
    assert Allowed(providers=providers).provider("a") is allowed


def test_a_caller_has_all_that_a_request_needs_of_its_key() -> None:
    said: dict[str, Any] = {
        "limits": KeyLimits(requests_per_minute=1),
        "budget_usd": Budget(amount=Decimal(1), period=Period.DAY),
        "allow": Allowed(models=()),
        "pii": (PiiRule.BLOCK,),
        "retention_days": 3,
        "log_bodies": 0.5,
        "tags": ("a",),
    }
    assert key(**said).caller() == Caller(key_id="key_1", role=Role.CALLER, **said)


def test_what_is_stored_of_a_secret_is_not_printed() -> None:
    assert "a-hash" not in repr(key(secrets=(KeySecret(hash="a-hash", hint="…", generation=1),)))
