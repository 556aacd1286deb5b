"""For every test: no network but loopback, one event loop for what expects to find one, and a share of the processors."""

import asyncio
import socket
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.shares import Shares

# Mangum looks for a loop when a handler is made, and makes one where `asyncio.run` has left none: nobody would close that.
_LOOP = asyncio.new_event_loop()
asyncio.set_event_loop(_LOOP)

# A busy machine is no fault of the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


def pytest_unconfigure() -> None:
    _LOOP.close()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares:
    return Shares(config, log)


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
