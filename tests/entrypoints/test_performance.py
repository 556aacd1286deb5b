"""Performance and feedback over HTTP."""

from datetime import timedelta
from typing import Any

import pytest
from llm_gateway.domain.identifiers import QUERY_PREFIX
from llm_gateway.domain.keys import Role
from llm_gateway.domain.queries import Figures, PromptUsed, QueryProblem, QueryStatus
from llm_gateway.domain.usage import TEST_TAG

from tests.entrypoints.conftest import PROMPTS, QUERY, QUESTION, Api
from tests.stores.values import answer, case_result, query, suite_run

PERFORMANCE = f"{PROMPTS}/greeting/performance"
INVALID = QueryProblem(status=502, code="response_validation_failed", title="Not so", detail="It is no JSON.")


def end(api: Api, version: int, *, ms: int = 100, hours_ago: float = 0, **changes: Any) -> str:
    """A query of the prompt that has ended; its id."""
    at = api.gateway.outside.clock.now() - timedelta(hours=hours_ago)
    figures = Figures.of(answer())
    said: dict[str, Any] = {
        "created_at": at,
        "completed_at": at,
        "expires_at": at + timedelta(days=30),
        "prompt": PromptUsed(id="greeting", version=version),
        "status": QueryStatus.SUCCEEDED,
        "figures": Figures(
            **{name: getattr(figures, name) for name in Figures.__slots__} | {"total_ms": ms, "cache_hit": False}
        ),
    }
    stored = query(QUERY_PREFIX + api.gateway.outside.ids.ulid(), **(said | changes))
    api.gateway.outside.query_store.add(stored)
    return stored.id


def rows(api: Api, search: str = "", *, role: Role = Role.PROMPT_EDITOR) -> list[dict[str, Any]]:
    response = api.call("GET", f"{PERFORMANCE}{search}", role=role)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["items"]
    return found


def give(api: Api, query_id: str, body: Any, *, role: Role = Role.ADMIN) -> None:
    response = api.call("POST", f"{QUERY}/{query_id}/feedback", body, role=role)
    assert (response.status_code, response.text) == (204, "")


def test_each_version_is_a_row_over_the_whole_time(api: Api) -> None:
    api.write()
    for ms in range(100, 200):
        end(api, 1, ms=ms)
    end(api, 2, status=QueryStatus.FAILED, problem=INVALID, figures=None)
    end(api, 2)
    end(api, 2, tags=(TEST_TAG,))
    first, second = rows(api)
    assert "bucket" not in first
    assert (first["version"], first["requests"], first["errors"], first["error_rate"]) == (1, 100, 0, 0)
    assert first["latency_ms"]["p50"] == pytest.approx(149, rel=0.02)
    assert first["latency_ms"]["p95"] == pytest.approx(194, rel=0.02)
    assert first["latency_ms"]["p99"] == pytest.approx(198, rel=0.02)
    assert first["input_tokens"] == 100 * answer().usage.input_tokens
    assert first["feedback"] == {"count": 0, "mean": None}
    assert first["last_pass_rate"] is None
    assert (second["version"], second["requests"], second["error_rate"], second["validation_failures"]) == (
        2,
        2,
        0.5,
        1,
    )


def test_a_version_has_a_row_in_each_bucket(api: Api) -> None:
    api.write()
    for hours_ago in (0, 1, 1, 30):
        end(api, 1, hours_ago=hours_ago)
    end(api, 2)
    assert [row["requests"] for row in rows(api, "?bucket=hour&version=1")] == [2, 1]
    assert sum(row["requests"] for row in rows(api, "?bucket=day&version=1&from=2020-01-01T00:00:00Z")) == 4
    assert all(row["bucket"].endswith("T00:00:00Z") for row in rows(api, "?bucket=day"))


def test_rows_come_in_pages(api: Api) -> None:
    api.write()
    for version in (1, 2, 3):
        end(api, version)
    page = api.call("GET", f"{PERFORMANCE}?limit=2").json()
    rest = api.call("GET", f"{PERFORMANCE}?limit=2&cursor={page['next_cursor']}").json()
    assert [row["version"] for row in page["items"] + rest["items"]] == [1, 2, 3]
    assert rest["next_cursor"] is None


def test_the_newest_run_shows_in_its_versions_rows(api: Api) -> None:
    api.write()
    end(api, 1)
    now = api.gateway.outside.clock.now()
    run = suite_run(prompt_id="greeting", version=1, created_at=now, expires_at=now + timedelta(days=1))
    api.gateway.outside.runs.add(run)
    api.gateway.outside.runs.end(run.finished([case_result(0), case_result(1, passed=False)], now=now))
    [row] = rows(api)
    assert row["last_pass_rate"] == 0.5


@pytest.mark.parametrize(
    ("search", "field"),
    [
        ("?bucket=month", "bucket"),
        ("?version=x", "version"),
        ("?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "from"),
        ("?bucket=hour&from=2020-01-01T00:00:00Z", "from"),
        ("?limit=0", "limit"),
    ],
)
def test_a_search_that_is_none_is_refused(api: Api, search: str, field: str) -> None:
    api.write()
    problem = api.refused("GET", f"{PERFORMANCE}{search}", status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == field


def test_the_buckets_are_told_as_they_are_written(api: Api) -> None:
    api.write()
    problem = api.refused("GET", f"{PERFORMANCE}?bucket=week", status=422, code="validation_failed")
    assert problem["errors"] == [{"field": "bucket", "message": "must be 'hour' or 'day'"}]


def test_a_prompt_that_is_not_there_has_no_performance(api: Api) -> None:
    api.refused("GET", PERFORMANCE, status=404, code="prompt_not_found")


# Feedback


def test_the_last_score_under_a_name_joins_the_versions_figures(api: Api) -> None:
    api.write()
    one, other = end(api, 1), end(api, 1)
    give(api, one, {"score": 1})
    give(api, one, {"score": 0.25, "comment": "Not that good after all."})
    give(api, one, {"score": 0.5, "name": "tone"})
    give(api, other, {"score": 0})
    [row] = rows(api)
    assert row["feedback"] == {"count": 3, "mean": 0.25}


def test_feedback_is_by_the_querys_own_key(api: Api) -> None:
    api.register()
    own = api.call("POST", QUERY, QUESTION, role=Role.CALLER).json()["id"]
    give(api, own, {"score": 1}, role=Role.CALLER)
    give(api, own, {"score": 1}, role=Role.ADMIN)
    problem = api.refused(
        "POST", f"{QUERY}/{own}/feedback", {"score": 1}, role=Role.PROMPT_EDITOR, status=404, code="query_not_found"
    )
    assert own in problem["detail"]


def test_a_query_that_has_not_ended_takes_none(api: Api) -> None:
    api.register()
    queued = api.call("POST", QUERY, QUESTION | {"mode": "async"}).json()["id"]
    api.refused("POST", f"{QUERY}/{queued}/feedback", {"score": 1}, status=409, code="query_in_progress")


def test_an_erased_query_takes_none(api: Api) -> None:
    api.register()
    asked = api.call("POST", QUERY, QUESTION).json()["id"]
    api.gateway.reading.erase(asked, caller=api.gateway.new_key(Role.ADMIN)[0].caller())
    api.refused("POST", f"{QUERY}/{asked}/feedback", {"score": 1}, status=404, code="query_not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "score"),
        ({"score": 1.01}, "score"),
        ({"score": -0.1}, "score"),
        ({"score": "1"}, "score"),
        ({"score": True}, "score"),
        ({"score": 1, "name": ""}, "name"),
        ({"score": 1, "name": "a name with blanks"}, "name"),
        ({"score": 1, "comment": "x" * 2001}, "comment"),
        ({"score": 1, "coment": "x"}, "coment"),
    ],
)
def test_feedback_that_is_none_changes_nothing(api: Api, body: Any, field: str) -> None:
    api.write()
    query_id = end(api, 1)
    problem = api.refused("POST", f"{QUERY}/{query_id}/feedback", body, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == field
    assert rows(api)[0]["feedback"]["count"] == 0
