"""An engine for each test."""

import pytest

from tests.adapters.engine import Engine


@pytest.fixture
def engine() -> Engine:
    return Engine()
