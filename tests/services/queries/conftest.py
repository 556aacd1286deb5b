"""An eye on threads that should have ended."""

import threading
from collections.abc import Iterator

import pytest


@pytest.fixture
def no_lease_is_left() -> Iterator[None]:
    """Fails where a thread still holds a query after the test."""
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "lease"] == []
