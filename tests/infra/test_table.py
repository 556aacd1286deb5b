"""The table as AWS would take it: what it would refuse is refused at synthesis, by name."""

from dataclasses import replace

import pytest
from llm_gateway.access import Dialect, Endpoint, Permission, Worker
from llm_gateway.endpoints import AREAS, BASE_PATH, ENDPOINTS, ROWS

from infra.table import UndeployableTable, check_table


def row(name, path, method="GET", **columns):
    return Endpoint(name, method, path, Permission.READ_PROVIDERS, **columns)


def test_the_table_can_be_deployed():
    check_table(ROWS)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ([row("a", "/x/{a}"), row("b", "/x/{b}/y")], "/x/ goes on with {a} and {b}; one name is wanted."),
        (
            [row("a", "/x/{a}/y/{a}"), row("b", "/x/{a}/y/{b}")],
            "/x/{a}/y/ goes on with {a} and {b}; one name is wanted.",
        ),
        ([row("a", "/x/{a}"), row("b", "/x/{a+}")], "/x/ goes on with {a+} and {a}; one name is wanted."),
        ([row("a", "/x"), row("b", "/x")], "GET /x is there 2 times."),
        ([row("a", "/x"), row("a", "/y")], "a is there 2 times."),
        ([row("a", "/x"), Worker("a", "queries")], "a is there 2 times."),
        ([row("a", "/x", timeout_s=30)], "a has a timeout of 30 s; from 1 to 29 can be had."),
        ([row("a", "/x", timeout_s=0)], "a has a timeout of 0 s; from 1 to 29 can be had."),
        ([row("a", "/x", timeout_s=901, streams=True)], "a has a timeout of 901 s; from 1 to 900 can be had."),
        ([row("a" * 32, "/x")], f"{'a' * 32} has 32 characters; a name has 31 at most."),
        ([Worker("a", "queries", timeout_s=901)], "a has a timeout of 901 s; from 1 to 900 can be had."),
    ],
)
def test_what_aws_would_refuse_is_named(rows, fault):
    with pytest.raises(UndeployableTable) as refused:
        check_table([*ROWS, *rows])
    assert str(refused.value).splitlines()[1:] == [f"- {fault}"]


@pytest.mark.parametrize(
    "rows",
    [
        [row("a", "/x/{a}"), row("b", "/x/b"), row("c", "/x/{a}", "PUT"), row("d", "/y/{b}")],
        [row("a", "/x/{a}/y/{b}"), row("b", "/x/{a}/z/{c}")],
        [row("a", "/x", timeout_s=900, streams=True), Worker("b", "queries", timeout_s=900)],
    ],
)
def test_what_aws_takes_is_taken(rows):
    check_table([*ROWS, *rows])


def test_every_fault_is_named_at_once():
    with pytest.raises(UndeployableTable) as refused:
        check_table([replace(one, timeout_s=999) for one in ENDPOINTS])
    assert len(str(refused.value).splitlines()) == 1 + len(ENDPOINTS)


def test_an_area_is_a_part_of_the_api():
    roots = {area: {one.path.removeprefix(BASE_PATH).split("/")[1] for one in rows} for area, rows in AREAS.items()}
    for area, mine in roots.items():
        for other, theirs in roots.items():
            assert area is other or not mine & theirs


def test_a_change_of_administration_has_a_name_in_the_audit_log():
    for one in ENDPOINTS:
        manages = one.permission is not None and one.permission.startswith("manage_")
        assert (one.audit is not None) == (manages and one.method != "GET"), one.name
    actions = [one.audit for one in ENDPOINTS if one.audit]
    assert len(set(actions)) == len(actions)
    assert all(action.partition(".")[2] for action in actions)


def test_outside_v1_every_route_speaks_the_gateways_own_dialect():
    for one in ENDPOINTS:
        assert (one.dialect is Dialect.NATIVE) == (not one.path.startswith("/v1/")), one.name
