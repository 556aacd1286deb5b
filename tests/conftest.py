"""For every test: no network but loopback, one event loop for what expects to find one, and a share of the processors."""

import asyncio
import os
import socket
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.adapters.localstack import running_localstack
from tests.shares import Shares

# Mangum looks for a loop when a handler is made, and makes one where `asyncio.run` has left none: nobody would close that.
_LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(_LOOP)

# A busy machine is no fault of the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--localstack", type=Path, metavar="PYTHON", help="have LocalStack play AWS, installed for this Python"
    )
    parser.addoption("--image", action="store_true", help="build the local model's image, and run it")


def pytest_unconfigure() -> None:
    _LOOP.close()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares:
    return Shares(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With LocalStack only the tests in which it has a part, as the others are the same without it; else none that need it."""
    needed = bool(config.getoption("--localstack"))
    kept = [item for item in items if needed == (("localstack" if needed else "on_localstack") in _fixtures(item))]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


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


@pytest.fixture(autouse=True)
def _current_event_loop() -> None:
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
