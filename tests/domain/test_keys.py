"""API keys: what each role may, whose queries it sees, and which key a secret belongs to."""

import pytest
from llm_gateway.access import Permission
from llm_gateway.domain.keys import Caller, Role, key_id_of
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


def test_an_auditor_changes_nothing() -> None:
    changing = {row.permission for row in ENDPOINTS if row.method != "GET"}
    assert not _may(Role.AUDITOR) & changing


def test_every_permission_guards_something() -> None:
    assert {row.permission for row in ENDPOINTS if row.permission} == set(Permission)


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


def test_a_secret_names_its_key() -> None:
    assert key_id_of("llmgw_01ARZ3NDEKTSV4RRFFQ69G5FAV_abc_def") == "key_01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.mark.parametrize(
    "text", ["", "llmgw_", "llmgw__x", "llmgw_01ARZ_", "llmgw_01ARZ", "key_01ARZ_x", "LLMGW_01ARZ_x", " llmgw_a_b"]
)
def test_what_is_no_secret_names_none(text: str) -> None:
    assert key_id_of(text) is None
