"""Runs of suites: in memory and on AWS alike."""

from dataclasses import replace
from datetime import timedelta

import pytest
from llm_gateway.domain.prompts.runs import Finding, RunStatus, SuiteRun
from llm_gateway.domain.prompts.suites import AssertionType
from llm_gateway.errors import MalformedRequest

from tests.adapters.clock import FakeClock
from tests.stores.conftest import Stores
from tests.stores.values import case_result, suite_run

LEASE = timedelta(seconds=30)


@pytest.fixture
def run(clock: FakeClock) -> SuiteRun:
    return started(clock)


def started(clock: FakeClock, number: int = 1, **changes: object) -> SuiteRun:
    now = clock.now()
    run_id = f"run_01J0000000000000000000000{number}"
    return suite_run(run_id, created_at=now, expires_at=now + timedelta(days=1), **changes)


def test_a_run_reads_back_as_it_was_added(stores: Stores, run: SuiteRun) -> None:
    stores.runs.add(run)
    assert stores.runs.find(run.prompt_id, run.id) == run


@pytest.mark.parametrize(
    ("prompt_id", "run_id"), [("other", None), ("answer", "run_2"), ("answer", ""), ("answer", "x" * 2000)]
)
def test_another_run_is_not_there(stores: Stores, run: SuiteRun, prompt_id: str, run_id: str | None) -> None:
    stores.runs.add(run)
    assert stores.runs.find(prompt_id, run.id if run_id is None else run_id) is None


def test_runs_are_listed_newest_first_in_pages(stores: Stores, clock: FakeClock) -> None:
    for number in range(5):
        stores.runs.add(started(clock, number))
    stores.runs.add(started(clock, 9, prompt_id="other"))
    found, cursor = [], None
    for _ in range(3):
        page = stores.runs.page("answer", limit=2, cursor=cursor)
        found += [run.id[-1] for run in page.items]
        cursor = page.next_cursor
    assert found == ["4", "3", "2", "1", "0"]
    assert cursor is None
    with pytest.raises(MalformedRequest):
        stores.runs.page("answer", limit=2, cursor="nonsense")


def test_a_run_whose_time_is_over_is_gone(stores: Stores, clock: FakeClock, run: SuiteRun) -> None:
    stores.runs.add(run)
    assert stores.runs.end(replace(run, status=RunStatus.FINISHED))
    clock.advance(86_401)
    assert stores.runs.find(run.prompt_id, run.id) is None
    assert stores.runs.page(run.prompt_id, limit=1, cursor=None).items == ()
    assert stores.runs.newest(run.prompt_id, run.version) is None


def test_the_first_result_of_a_case_counts(stores: Stores, run: SuiteRun) -> None:
    stores.runs.add(run)
    for number in (10, 2, 0):
        stores.runs.note(run, case_result(number))
    stores.runs.note(run, case_result(2, passed=False))
    stores.runs.note(replace(run, id="run_2"), case_result(1))
    assert stores.runs.results(run) == (case_result(0), case_result(2), case_result(10))


def test_a_querys_words_are_forgotten_and_no_others(stores: Stores, run: SuiteRun) -> None:
    stores.runs.add(run)
    said = Finding(type=AssertionType.CONTAINS, passed=False, detail="It says: Dear Anna")
    results = [replace(case_result(number), findings=(said,), query_id=f"qry_{number}") for number in (0, 1)]
    for result in results:
        stores.runs.note(run, result)
    for run_id in (run.id, run.id, "run_2", ""):
        stores.runs.forget(run_id, query_id="qry_1")
    assert stores.runs.results(run) == (results[0], replace(results[1], findings=(replace(said, detail=None),)))


def test_a_run_ends_once(stores: Stores, clock: FakeClock, run: SuiteRun) -> None:
    stores.runs.add(run)
    finished = run.finished([case_result(0)], now=clock.now())
    assert stores.runs.end(finished)
    assert not stores.runs.end(run.failed("It was given up.", (), now=clock.now()))
    assert stores.runs.find(run.prompt_id, run.id) == finished


def test_the_newest_run_of_a_version_is_the_last_that_ended_with_its_whole_suite(
    stores: Stores, clock: FakeClock
) -> None:
    runs = [
        started(clock, 1),
        started(clock, 2),
        started(clock, 3, is_whole=False),
        started(clock, 4),
        started(clock, 5),
    ]
    for run in runs:
        stores.runs.add(run)
    first, second, part, other, _ = runs
    other = replace(other, version=4)
    for run in (second, first, part, other):
        assert stores.runs.end(run.finished([case_result(0)], now=clock.now())) or run is other
    newest = stores.runs.newest("answer", 3)
    assert newest is not None
    assert (newest.id, newest.status) == (second.id, RunStatus.FINISHED)
    found = stores.runs.newest("answer", 4)
    assert found is not None
    assert found.id == other.id
    assert stores.runs.newest("answer", 5) is None
    assert stores.runs.newest("other", 3) is None


def test_one_holds_a_run_until_its_time_is_over(stores: Stores, clock: FakeClock, run: SuiteRun) -> None:
    stores.runs.add(run)
    now = clock.now()
    assert stores.runs.hold(run, holder="a", now=now, until=now + LEASE)
    assert not stores.runs.hold(run, holder="b", now=now, until=now + LEASE)
    assert stores.runs.hold(run, holder="a", now=now, until=now + 2 * LEASE)
    assert not stores.runs.hold(run, holder="b", now=now + LEASE, until=now + 3 * LEASE)
    assert stores.runs.hold(run, holder="b", now=now + 2 * LEASE, until=now + 3 * LEASE)
    assert not stores.runs.hold(run, holder="a", now=now + 2 * LEASE, until=now + 3 * LEASE)


def test_a_run_that_is_released_is_free_at_once(stores: Stores, clock: FakeClock, run: SuiteRun) -> None:
    stores.runs.add(run)
    now = clock.now()
    assert stores.runs.hold(run, holder="a", now=now, until=now + LEASE)
    stores.runs.release(run, holder="b")
    assert not stores.runs.hold(run, holder="b", now=now, until=now + LEASE)
    stores.runs.release(run, holder="a")
    assert stores.runs.hold(run, holder="b", now=now, until=now + LEASE)


def test_nobody_holds_a_run_that_has_ended(stores: Stores, clock: FakeClock, run: SuiteRun) -> None:
    stores.runs.add(run)
    stores.runs.end(run.finished((), now=clock.now()))
    assert not stores.runs.hold(run, holder="a", now=clock.now(), until=clock.now() + LEASE)
