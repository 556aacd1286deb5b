"""Usage and lists of queries over HTTP."""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.keys import Role

from tests.adapters.travelling_clock import TravellingClock
from tests.entrypoints.conftest import QUERY, QUESTION, Api
from tests.entrypoints.contract import TIMESTAMP

USAGE = "/api/v1/llm/usage"
SUMS = {
    "requests",
    "errors",
    "cache_hits",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "reasoning_tokens",
    "cost_usd",
    "unpriced_requests",
}
WORDS = QUESTION["messages"][0]["content"]


def usage(api: Api, query: str = "", *, role: Role = Role.ADMIN) -> list[dict[str, Any]]:
    response = api.call("GET", f"{USAGE}{query}", role=role)
    assert response.status_code == 200, response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def listed(api: Api, query: str = "", *, role: Role = Role.ADMIN) -> list[dict[str, Any]]:
    response = api.call("GET", f"{QUERY}{query}", role=role)
    assert response.status_code == 200, response.text
    assert WORDS not in response.text
    items: list[dict[str, Any]] = response.json()["items"]
    return items


def ask(api: Api, *, role: Role = Role.ADMIN, **changes: Any) -> dict[str, Any]:
    response = api.call("POST", QUERY, QUESTION | changes, role=role)
    assert response.status_code in (200, 202), response.text
    answer: dict[str, Any] = response.json()
    return answer


def ask_with(api: Api, secret: str) -> dict[str, Any]:
    response = api.call("POST", QUERY, QUESTION, role=None, headers={"X-Api-Key": secret})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


# Usage


def test_without_grouping_and_bucket_there_is_one_row(api: Api) -> None:
    api.register()
    answers = [ask(api) for _ in range(3)]
    (row,) = usage(api)
    assert set(row) == SUMS
    assert row["requests"] == 3
    assert row["input_tokens"] == sum(answer["usage"]["input_tokens"] for answer in answers)
    assert Decimal(row["cost_usd"]) == sum(Decimal(answer["cost_usd"]) for answer in answers)


def test_of_nothing_the_row_is_of_zeros(api: Api) -> None:
    (row,) = usage(api)
    assert row == {**dict.fromkeys(SUMS, 0), "cost_usd": "0"}


@pytest.mark.parametrize(
    ("grouping", "value"), [("provider", "local"), ("model", "small"), ("prompt", None), ("tag", None)]
)
def test_a_row_has_the_member_that_it_is_grouped_by(api: Api, grouping: str, value: str | None) -> None:
    api.register()
    ask(api)
    (row,) = usage(api, f"?group_by={grouping}")
    assert set(row) == SUMS | {grouping}
    assert row[grouping] == value


def test_a_bucket_is_told_by_its_start_in_whole_seconds(api: Api) -> None:
    api.register()
    ask(api)
    now = api.gateway.outside.clock.now()
    for bucket, start in (("hour", f"{now:%Y-%m-%dT%H}:00:00Z"), ("day", f"{now:%Y-%m-%d}T00:00:00Z")):
        (row,) = usage(api, f"?bucket={bucket}&group_by=key")
        assert set(row) == SUMS | {"bucket", "key"}
        assert row["bucket"] == start
    (row,) = usage(api, "?bucket=month")
    assert row["bucket"] == f"{now:%Y-%m}-01T00:00:00Z"


def test_a_query_counts_under_each_tag_of_its_key(api: Api) -> None:
    api.register()
    _, secret = api.gateway.new_key(Role.CALLER, tags=("team-a", "tier-1"))
    ask_with(api, secret)
    ask(api)
    assert [(row["tag"], row["requests"]) for row in usage(api, "?group_by=tag")] == [
        ("team-a", 1),
        ("tier-1", 1),
        (None, 1),
    ]


def test_a_caller_sees_its_own_usage_and_others_everybodys(api: Api) -> None:
    api.register()
    ask(api, role=Role.CALLER)
    ask(api)
    for role in Role:
        (row,) = usage(api, role=role)
        sees_all = role in (Role.ADMIN, Role.OPERATOR, Role.AUDITOR)
        assert row["requests"] == (2 if sees_all else role is Role.CALLER)


def test_pages_go_on(api: Api) -> None:
    api.register()
    for _ in range(3):
        ask_with(api, api.gateway.new_key(Role.CALLER)[1])
    first = api.call("GET", f"{USAGE}?group_by=key&limit=2").json()
    rest = api.call("GET", f"{USAGE}?group_by=key&limit=2&cursor={first['next_cursor']}").json()
    keys = [row["key"] for row in (*first["items"], *rest["items"])]
    assert len(set(keys)) == 3
    assert rest["next_cursor"] is None


def test_what_was_summed_up_and_erased_reads_the_same(api: Api) -> None:
    api.register()
    clock = api.gateway.outside.clock
    assert isinstance(clock, TravellingClock)
    api.gateway.usage_roller.roll()
    answer = ask(api)
    day = f"?from={clock.now():%Y-%m-%d}T00:00:00Z"
    before = usage(api, day)
    assert api.call("DELETE", f"{QUERY}/{answer['id']}").status_code == 204
    assert usage(api, day) == before
    clock.move(hours=30)
    api.gateway.usage_roller.roll()
    assert usage(api, day) == before
    assert before[0]["requests"] == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?group_by=owner", "group_by"),
        ("?bucket=minute", "bucket"),
        ("?from=2026-11-29", "from"),
        ("?to=tomorrow", "to"),
        ("?from=2026-11-29T00:00:00Z&to=2026-11-29T00:00:00Z", "from"),
        ("?from=2026-01-01T00:00:00Z&to=2026-11-29T00:00:00Z&bucket=hour", "from"),
        ("?limit=0", "limit"),
        ("?groupby=key", "groupby"),
    ],
)
def test_what_cannot_be_asked_for_is_told_by_its_name(api: Api, query: str, field: str) -> None:
    problem = api.refused("GET", f"{USAGE}{query}", status=422, code="validation_failed")
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize("path", [USAGE, QUERY])
def test_a_cursor_of_nowhere_is_refused(api: Api, path: str) -> None:
    api.refused("GET", f"{path}?cursor=nowhere", status=400, code="malformed_request")


# Lists


def test_a_list_tells_what_became_of_each_query(api: Api) -> None:
    api.register()
    answer = ask(api)
    queued = ask(api, mode="async")
    waiting, done = listed(api)
    assert (waiting["id"], waiting["status"]) == (queued["id"], "queued")
    assert (waiting["provider"], waiting["model"], waiting["cost_usd"], waiting["completed_at"]) == (None,) * 4
    status = api.call("GET", f"{QUERY}/{answer['id']}/status").json()
    assert done == status | {
        "key": done["key"],
        "provider": answer["provider"],
        "model": answer["model"],
        "cost_usd": answer["cost_usd"],
        "prompt": None,
    }
    assert re.fullmatch("key_.*", done["key"])
    assert TIMESTAMP.fullmatch(done["created_at"])


def test_a_list_shows_ones_own_and_to_those_who_may_everybodys(api: Api) -> None:
    api.register()
    hers, his = ask(api, role=Role.CALLER)["id"], ask(api, role=Role.PROMPT_EDITOR)["id"]
    for role, ids in (
        (Role.CALLER, [hers]),
        (Role.PROMPT_EDITOR, [his]),
        (Role.ADMIN, [his, hers]),
        (Role.AUDITOR, [his, hers]),
    ):
        assert [query["id"] for query in listed(api, role=role)] == ids


def test_a_list_goes_on_page_by_page_and_by_status(api: Api) -> None:
    api.register()
    ids = [ask(api)["id"] for _ in range(5)]
    waiting = ask(api, mode="async")["id"]
    found, cursor = [], ""
    while True:
        page = api.call("GET", f"{QUERY}?limit=2&status=succeeded{cursor}").json()
        found += [query["id"] for query in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == ids[::-1]
    assert [query["id"] for query in listed(api, "?status=queued")] == [waiting]
    assert listed(api, "?prompt=greet") == []


def test_a_list_is_of_the_last_day_unless_it_says_otherwise(api: Api) -> None:
    api.register()
    old = ask(api)["id"]
    clock = api.gateway.outside.clock
    assert isinstance(clock, TravellingClock)
    came_in = clock.now()
    clock.move(hours=25)
    assert listed(api) == []
    assert [query["id"] for query in listed(api, f"?from={came_in:%Y-%m-%d}T00:00:00Z")] == [old]
    assert [query["id"] for query in listed(api, f"?to={came_in.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.999999Z")] == [old]
    clock.move(days=40)
    assert listed(api, f"?from={datetime(2020, 1, 1):%Y-%m-%d}T00:00:00Z") == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?status=done", "status"),
        ("?from=2026-11-29T00:00:00Z&to=2026-11-28T00:00:00Z", "from"),
        ("?prompt=No+Slug", "prompt"),
        ("?provider=local", "provider"),
    ],
)
def test_a_search_that_cannot_be_is_told_by_its_name(api: Api, query: str, field: str) -> None:
    problem = api.refused("GET", f"{QUERY}{query}", status=422, code="validation_failed")
    assert [error["field"] for error in problem["errors"]] == [field]
