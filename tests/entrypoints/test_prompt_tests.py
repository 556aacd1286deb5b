"""Running a prompt's tests over HTTP: at once and later, gates of labels, and what is stored of a run."""

from typing import Any

import pytest
from llm_gateway.domain.keys import Role
from llm_gateway.ports.queries import Delivery

from tests.entrypoints.conftest import PROMPTS, TEST, Api
from tests.entrypoints.contract import TIMESTAMP

TESTS = f"{PROMPTS}/greeting/tests"
LABEL = f"{PROMPTS}/greeting/labels/production"
FAILS: dict[str, Any] = {**TEST, "name": "leaves", "assert": [{"type": "contains", "value": "Bye"}]}


@pytest.fixture
def written(api: Api) -> Api:
    api.register()
    api.write(tests=[TEST])
    return api


def run(api: Api, body: Any = None, *, status: int = 200, headers: Any = None) -> dict[str, Any]:
    response = api.call("POST", TESTS, body or {}, role=Role.PROMPT_EDITOR, headers=headers)
    assert response.status_code == status, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_run_is_told_with_its_results(written: Api) -> None:
    told = run(written, {"repeat": 2, "candidates": ["local"]})
    results = told.pop("results")
    assert TIMESTAMP.fullmatch(told.pop("created_at"))
    assert TIMESTAMP.fullmatch(told.pop("completed_at"))
    assert told.pop("run_id").startswith("run_")
    assert float(told.pop("cost_usd")) > 0
    assert told == {
        "prompt_id": "greeting",
        "version": 1,
        "status": "finished",
        "mode": "sync",
        "candidates": ["local"],
        "repeat": 2,
        "whole": True,
        "passed": 2,
        "failed": 0,
        "pass_rate": 1.0,
        "problem": None,
    }
    assert [(each["name"], each["candidate"], each["repeat"], each["passed"]) for each in results] == [
        ("greets", "local", 1, True), ("greets", "local", 2, True),
    ]  # fmt: skip
    assert results[0]["assertions"] == [{"type": "contains", "passed": True, "detail": "the answer contains 'Hello'"}]
    assert results[0]["query_id"].startswith("qry_")


def test_a_run_for_later_says_where_it_will_be(written: Api) -> None:
    response = written.call("POST", TESTS, {"mode": "async"}, role=Role.PROMPT_EDITOR)
    told = response.json()
    assert (response.status_code, told["status"], told["results"], told["pass_rate"]) == (202, "running", [], None)
    place = response.headers["Location"]
    assert place.endswith(f"{TESTS}/{told['run_id']}")
    assert written.call("GET", place, role=Role.PROMPT_EDITOR).json() == told
    [sent] = written.gateway.outside.queue.sent
    written.gateway.run_worker.process(Delivery(query_id=sent.query_id, receipt="r", queue_arn="arn", count=1))
    done = written.call("GET", place, role=Role.PROMPT_EDITOR).json()
    assert (done["status"], done["passed"], len(done["results"])) == ("finished", 1, 1)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_the_same_request_is_run_once(written: Api, mode: str) -> None:
    sent = {"mode": mode}
    headers = {"Idempotency-Key": "once"}
    status = 202 if mode == "async" else 200
    first = run(written, sent, status=status, headers=headers)
    again = written.call("POST", TESTS, sent, role=Role.PROMPT_EDITOR, headers=headers)
    assert (again.status_code, again.json()) == (status, first)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(written.gateway.runs.page("greeting", limit=10, cursor=None).items) == 1


def test_runs_are_listed_newest_first_without_results(written: Api) -> None:
    ids = [run(written)["run_id"] for _ in range(3)]
    page = written.call("GET", f"{TESTS}?limit=2").json()
    rest = written.call("GET", f"{TESTS}?limit=2&cursor={page['next_cursor']}").json()
    assert [each["run_id"] for each in page["items"] + rest["items"]] == ids[::-1]
    assert all("results" not in each and each["passed"] == 1 for each in page["items"])


def test_what_is_not_there_is_not_found(written: Api) -> None:
    written.refused("GET", f"{TESTS}/run_1", status=404, code="test_run_not_found")
    written.refused("GET", f"{PROMPTS}/nobody/tests", status=404, code="prompt_not_found")
    written.refused("POST", f"{PROMPTS}/nobody/tests", {}, status=404, code="prompt_not_found")
    written.refused("POST", TESTS, {"version": 7}, status=404, code="prompt_version_not_found")
    written.refused("POST", TESTS, {"label": "staging"}, status=404, code="label_not_found")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"version": 1, "label": "production"}, "label"),
        ({"repeat": 0}, "repeat"),
        ({"repeat": 21}, "repeat"),
        ({"repeat": 20, "candidates": ["local", "other"]}, "mode"),
        ({"candidates": [""]}, "candidates[0]"),
        ({"candidates": ["x"] * 21}, "candidates"),
        ({"only": ["nothing"]}, "only"),
        ({"mode": "later"}, "mode"),
        ({"repeats": 2}, "repeats"),
    ],
)
def test_a_run_that_cannot_be_is_refused(written: Api, body: dict[str, Any], field: str) -> None:
    problem = written.refused("POST", TESTS, body, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == field
    assert written.call("GET", TESTS).json()["items"] == []


def test_tests_are_checked_where_they_are_saved(api: Api) -> None:
    wrong = {**TEST, "assert": [{"type": "regex", "value": "("}]}
    body = {"id": "x", "name": "X", "template": {"messages": [{"role": "user", "content": "Hi"}]}, "tests": [wrong]}
    problem = api.refused("POST", PROMPTS, body, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "tests[0].assert[0].value"
    api.refused("GET", f"{PROMPTS}/x", status=404, code="prompt_not_found")


def test_a_label_that_asks_for_tests_leads_to_what_passed(written: Api) -> None:
    gated = {"version": 1, "gate": {"tests": True}}
    problem = written.refused("PUT", LABEL, gated, status=422, code="quality_gate_failed")
    assert problem["errors"][0]["field"] == "gate.tests"
    assert "has no run" in problem["detail"]
    run(written)
    assert written.call("PUT", LABEL, gated).status_code == 201
    # Other tests: what passed the old ones has not passed these.
    prompt = written.call("GET", f"{PROMPTS}/greeting").json()
    assert written.call("PUT", f"{PROMPTS}/greeting", {**prompt, "tests": [TEST, FAILS]}).status_code == 200
    problem = written.refused("PUT", LABEL, {"version": 1}, status=422, code="quality_gate_failed")
    assert "tests have changed" in problem["detail"]
    # What moves nothing is held to nothing.
    bounded = {"gate": {"tests": True, "max_error_rate": 0.01}}
    assert written.call("PUT", LABEL, bounded).status_code == 200
    assert run(written)["failed"] == 1
    problem = written.refused("PUT", LABEL, {"version": 1}, status=422, code="quality_gate_failed")
    assert "fails the test 'leaves'" in problem["detail"]


def test_a_large_run_tells_in_short_what_did_not_pass(written: Api) -> None:
    prompt = written.call("GET", f"{PROMPTS}/greeting").json()
    long = {**TEST, "name": "long", "assert": [{"type": "equals", "value": "y" * 1000}]}
    written.call("PUT", f"{PROMPTS}/greeting", {**prompt, "tests": [TEST, long]})
    body = {"mode": "async", "repeat": 20, "candidates": ["local", "local/small", "local/other"]}
    told = run(written, body, status=202)
    [sent] = written.gateway.outside.queue.sent
    written.gateway.run_worker.process(Delivery(query_id=sent.query_id, receipt="r", queue_arn="arn", count=1))
    results = written.call("GET", f"{TESTS}/{told['run_id']}").json()["results"]
    assert len(results) == 120
    details = {(each["name"], each["assertions"][0]["detail"]) for each in results}
    assert {detail for name, detail in details if name == "greets"} == {None}
    assert {detail for name, detail in details if name == "long"} == {"the answer is 'Hello!'"}
