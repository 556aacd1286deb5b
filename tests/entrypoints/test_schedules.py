"""What runs by the clock: as a Lambda, and in threads of the local worker."""

import threading

import pytest
from llm_gateway.endpoints import SCHEDULES
from llm_gateway.entrypoints import schedules
from llm_gateway.entrypoints.schedules import Gateway, ScheduleHandler, repeat, run_schedules, schedule
from llm_gateway.errors import DependencyUnavailable

from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import Lines

ROW = SCHEDULES[0]


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> FakeGateway:
    gateway = FakeGateway()
    monkeypatch.setattr(schedules, "gateway", lambda: gateway)
    return gateway


def test_a_schedule_is_declared_by_its_name() -> None:
    def append_denials(_: Gateway) -> None: ...

    def something_else(_: Gateway) -> None: ...

    assert schedule(append_denials).row.name == "append_denials"
    with pytest.raises(KeyError):
        schedule(something_else)


def test_a_run_works_with_the_gateway_of_the_process(gateway: FakeGateway) -> None:
    worked: list[Gateway] = []
    ScheduleHandler(ROW, worked.append)({}, None)
    assert worked == [gateway]


@pytest.mark.parametrize("fault", [DependencyUnavailable("DynamoDB is away."), RuntimeError("a secret")])
def test_a_run_that_fails_is_told_and_seen(gateway: FakeGateway, lines: Lines, fault: Exception) -> None:
    def work(_: Gateway) -> None:
        raise fault

    with pytest.raises(type(fault)):
        ScheduleHandler(ROW, work)({}, None)
    (line,) = lines.written
    assert ("DynamoDB is away." in line) == isinstance(fault, DependencyUnavailable)
    assert "a secret" not in line


def test_a_schedule_goes_on_after_a_failure_until_it_is_stopped() -> None:
    stopping, runs = threading.Event(), []

    def handler(*_: object) -> None:
        runs.append(len(runs))
        if len(runs) == 3:
            stopping.set()
        raise RuntimeError("told already")

    repeat(handler, 0.001, stopping=stopping)
    assert runs == [0, 1, 2]


def test_every_schedule_of_the_table_runs_at_once() -> None:
    begun = {row.name: threading.Event() for row in SCHEDULES}
    run_schedules({name: lambda *_, event=event: event.set() for name, event in begun.items()})
    assert all(event.wait(10) for event in begun.values())
