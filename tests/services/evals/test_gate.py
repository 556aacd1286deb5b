"""The quality gate: which versions a label may lead to."""

from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.prompts.prompts import Gate
from llm_gateway.domain.prompts.runs import SuiteRun
from llm_gateway.errors import QualityGateFailed
from llm_gateway.services.evals.gate import QualityGate

from tests.adapters.clock import FakeClock
from tests.adapters.journal import RecordingJournal
from tests.adapters.run_store import InMemoryRunStore
from tests.stores.values import NOW, case_result, prompt, suite_run

PROMPT = replace(prompt(), suite_hash="hash")
TESTS = Gate(tests=True)


@pytest.fixture
def runs() -> InMemoryRunStore:
    return InMemoryRunStore(FakeClock(NOW))


def ended(runs: InMemoryRunStore, number: int, *, failing: int = 0, **changes: Any) -> SuiteRun:
    run = suite_run(f"run_{number}", **changes)
    runs.add(run)
    results = [case_result(0), *(case_result(each + 1, passed=False) for each in range(failing))]
    for result in results:
        runs.note(run, result)
    run = run.finished(results, now=NOW)
    runs.end(run)
    return run


def refused(runs: InMemoryRunStore, *versions: int) -> list[str]:
    with pytest.raises(QualityGateFailed) as caught:
        QualityGate(runs, RecordingJournal()).check(PROMPT, TESTS, frozenset(versions))
    assert {error.field for error in caught.value.errors} == {"gate.tests"}
    assert caught.value.detail == f"gate.tests: {caught.value.errors[0].message}"
    return [error.message for error in caught.value.errors]


def test_a_version_whose_newest_run_passed_may_be_shown(runs: InMemoryRunStore) -> None:
    ended(runs, 1, failing=1)
    ended(runs, 2)
    ended(runs, 3, failing=1, is_whole=False)
    QualityGate(runs, RecordingJournal()).check(PROMPT, TESTS, frozenset({3}))


def test_a_gate_without_tests_asks_for_none(runs: InMemoryRunStore) -> None:
    QualityGate(runs, RecordingJournal()).check(PROMPT, Gate(max_error_rate=0.1), frozenset({3}))


def test_a_version_without_a_run_may_not(runs: InMemoryRunStore) -> None:
    ended(runs, 1)
    ended(runs, 2, version=4, is_whole=False)
    assert refused(runs, 3, 4) == ["version 4 has no run: POST /prompts/answer/tests first"]


def test_a_newer_run_that_failed_takes_the_pass_away(runs: InMemoryRunStore) -> None:
    ended(runs, 1)
    ended(runs, 2, failing=1)
    [message] = refused(runs, 3)
    assert "fails the test 'greets — höflich' in its newest run (run_2)" in message
    assert "contains: it does not contain 'ja'" in message


def test_a_run_that_could_not_be_done_is_no_pass(runs: InMemoryRunStore) -> None:
    run = suite_run("run_1")
    runs.add(run)
    runs.end(run.failed("Its key was revoked.", (), now=NOW))
    assert refused(runs, 3) == ["the newest run of version 3 (run_1) failed: Its key was revoked."]


def test_a_run_of_other_tests_is_no_pass(runs: InMemoryRunStore) -> None:
    ended(runs, 1, suite_hash="another")
    assert refused(runs, 3) == ["the tests have changed since version 3 was run (run_1): run it again"]


def test_a_prompt_without_tests_has_passed_none(runs: InMemoryRunStore) -> None:
    ended(runs, 1)
    with pytest.raises(QualityGateFailed, match="has no tests"):
        QualityGate(runs, RecordingJournal()).check(replace(PROMPT, suite_hash=None), TESTS, frozenset({3}))


def test_of_many_failures_five_are_told(runs: InMemoryRunStore) -> None:
    ended(runs, 1, failing=12)
    messages = refused(runs, 3)
    assert len(messages) == 6
    assert messages[-1] == "and 7 more cases of version 3"
