"""For every test: no network but loopback, one event loop for what expects to find one, and a share of the processors."""

import asyncio
import gc
import os
import socket
import sys
import threading
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.adapters.localstack import running_localstack
from tests.shares import Shares, turn_of

# Mangum looks for a loop when a handler is made, and makes one where `asyncio.run` has left none: nobody would close that.
_LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(_LOOP)

# Coverage's tracer takes half as long again as what it watches. These try what is not measured, or what others try, too.
UNMEASURED = (
    *("tests/bench/", "tests/end_to_end/", "tests/infra/", "tests/local_aws/", "tests/properties/", "tests/workshop/"),
    *("tests/clients/test_other_clients.py", "tests/services/context/test_growth.py"),
    *("tests/entrypoints/test_hostile_bodies.py", "tests/entrypoints/test_planted"),
)
# So do a test's further cases.
MEASURED_CASES = 10
# By this coverage has processes that a test starts watch themselves.
_TOLD_TO_PROCESSES = "COVERAGE_PROCESS_CONFIG"

# A busy machine is no fault of the code, and a fixture may serve all examples of a property.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--localstack", type=Path, metavar="PYTHON", help="have LocalStack play AWS, installed for this Python"
    )
    parser.addoption("--image", action="store_true", help="build the local model's image, and run it")


def pytest_unconfigure() -> None:
    _LOOP.close()


_cases: Counter[str] = Counter()


def pytest_itemcollected(item: pytest.Item) -> None:
    test = item.nodeid.partition("[")[0]
    _cases[test] += 1
    if test.startswith(UNMEASURED) or _cases[test] > MEASURED_CASES:
        item.add_marker("unmeasured")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    if item.get_closest_marker("unmeasured") is None:
        return (yield)
    traces = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    # Nor are the processes that it starts, whatever the scope of the fixture that does.
    told = os.environ.pop(_TOLD_TO_PROCESSES, None)
    try:
        return (yield)
    finally:
        sys.settrace(traces[0])
        threading.settrace(traces[1])  # type: ignore[arg-type]
        if told is not None:
            os.environ[_TOLD_TO_PROCESSES] = told


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors: at any time somebody waits for a deployment or for time to pass."""
    return (os.cpu_count() or 1) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares:
    return Shares(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With LocalStack only the tests in which it has a part, as the others are the same without it; else none that need it."""
    needed = bool(config.getoption("--localstack"))
    kept = [item for item in items if needed == (("localstack" if needed else "on_localstack") in _fixtures(item))]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = sorted(kept, key=lambda item: turn_of(item.nodeid))


def pytest_collection_finish() -> None:
    """The doors' log is made once in a process, and where that is a Lambda's it takes its lines from pytest's own handler."""
    from llm_gateway.entrypoints.observe import logger

    logger()
    # All that was imported and collected stays to the end: no collection need go through it.
    gc.collect()
    gc.freeze()


def _fixtures(item: pytest.Item) -> Sequence[str]:
    return getattr(item, "fixturenames", ())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.getoption("--localstack"):
        count = {
            outcome: len(terminalreporter.getreports(outcome)) for outcome in ("passed", "failed", "error", "skipped")
        }
        failed = count["failed"] + count["error"]
        terminalreporter.write_line(
            f"LocalStack: {count['passed'] + failed} end-to-end checks ran, {count['passed']} passed, {failed} failed; "
            f"{count['skipped']} left out for the reasons above."
        )


@pytest.fixture(scope="session")
def localstack(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str | None]:
    """LocalStack's address, or None where ministack plays AWS. One serves all tests: it takes a while to start."""
    if python := pytestconfig.getoption("--localstack"):
        given = os.environ.get("AWS_ENDPOINT_URL")
        assert given is None, f"AWS_ENDPOINT_URL is {given!r}; these tests start a LocalStack of their own"
        with running_localstack(python.absolute(), tmp_path_factory.mktemp("localstack")) as endpoint:
            yield endpoint
    else:
        yield None


@pytest.fixture(scope="session")
def on_localstack(localstack: str | None) -> str:
    """LocalStack's address, for a test that says nothing about another AWS."""
    assert localstack is not None
    return localstack


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Before any fixture, of whatever scope: it may make a handler."""
    asyncio.set_event_loop(_LOOP)


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that would call anywhere else fails before it does."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and address[0] != "localhost" and not ip_address(address[0]).is_loopback:
            pytest.fail(f"a test tried to call {address[0]}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
