"""Runs: the cases of a suite, and what their results come to."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from llm_gateway.domain.prompts.runs import CaseResult, RunCase, RunStatus, SuiteRun, Tally, calls_of
from llm_gateway.domain.prompts.suites import Contains, Judged, PromptTest

NOW = datetime(2026, 11, 29, 19, 41, tzinfo=UTC)
TESTS = (
    PromptTest(name="greets", assertions=(Contains(value="hello"),)),
    PromptTest(name="is kind", assertions=(Judged(rubric="Is it kind?", provider="local"), Contains(value="you"))),
)


def run(*candidates: str, repeats: int = 1) -> SuiteRun:
    return SuiteRun(
        id="run_1",
        prompt_id="support",
        version=3,
        tests=TESTS,
        suite_hash="hash",
        owner="key_a",
        mode="sync",
        candidates=candidates,
        repeats=repeats,
        is_whole=True,
        created_at=NOW,
        expires_at=NOW + timedelta(days=30),
    )


def result(number: int, *, passed: bool = True, usd: str | None = "0.001") -> CaseResult:
    case = RunCase(number=number, test="greets", candidate=None, repeat=1)
    return CaseResult(case=case, passed=passed, findings=(), cost_usd=None if usd is None else Decimal(usd))


def test_each_test_is_asked_of_each_candidate_as_often_as_wanted() -> None:
    cases = list(run("a", "b", repeats=2).cases())
    assert [case.number for case in cases] == list(range(8))
    assert [(case.test, case.candidate, case.repeat) for case in cases[:5]] == [
        ("greets", "a", 1), ("greets", "a", 2), ("greets", "b", 1), ("greets", "b", 2), ("is kind", "a", 1),
    ]  # fmt: skip


def test_without_candidates_the_prompt_says_whom_to_ask() -> None:
    assert [(case.test, case.candidate) for case in run().cases()] == [("greets", None), ("is kind", None)]


def test_verdicts_are_calls_too() -> None:
    assert calls_of(TESTS, candidates=0, repeats=1) == 3
    assert calls_of(TESTS, candidates=2, repeats=5) == 30


def test_a_run_passes_where_everything_passed() -> None:
    passed = run().finished([result(0), result(1)], now=NOW)
    assert passed.has_passed
    assert passed.tally == Tally(passed=2, failed=0, cost_usd=Decimal("0.002"))
    assert passed.tally.pass_rate == 1
    half = run().finished([result(0), result(1, passed=False)], now=NOW)
    assert not half.has_passed
    assert half.tally.pass_rate == 0.5


def test_a_run_that_could_not_be_done_has_not_passed() -> None:
    failed = run().failed("Its key was revoked.", [result(0)], now=NOW)
    assert failed.status is RunStatus.FAILED
    assert not failed.has_passed
    assert failed.tally.passed == 1


def test_a_run_that_has_not_ended_has_not_passed() -> None:
    assert not run().has_passed
    assert run().tally.pass_rate is None


def test_an_unknown_cost_is_not_taken_for_zero() -> None:
    assert run().finished([result(0), result(1, usd=None)], now=NOW).tally.cost_usd is None
