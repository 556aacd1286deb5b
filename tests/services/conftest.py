"""An engine for each test."""

import pytest

from tests.adapters.engine import Engine, provider
from tests.services.queries.dispatching import PATIENT


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def alone(engine: Engine) -> Engine:
    """With one provider, which may be tried again."""
    return engine.add(provider("a", retry=PATIENT))


@pytest.fixture
def two(engine: Engine) -> Engine:
    return engine.add(provider("a"), provider("b"))
