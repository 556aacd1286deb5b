"""What the tests of dispatch have in common: a failing query, and its attempts in short."""

import pytest
from llm_gateway.domain.faults import (
    CallTooLarge,
    ProviderAuthFailed,
    ProviderFailed,
    ProviderNotConnected,
    ProviderRateLimited,
    ProviderRefused,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.providers import (
    CircuitPolicy,
    RetryPolicy,
)
from llm_gateway.errors import GatewayError
from llm_gateway.services.queries.progress import Progress

from tests.adapters.engine import Engine, question, story

PATIENT = RetryPolicy(max_attempts=3)
NEVER_OPEN = CircuitPolicy(failure_threshold=100)
RETRYABLE = (ProviderFailed, ProviderUnreachable, ProviderNotConnected, ProviderRateLimited)
FALLING_OVER = (
    *RETRYABLE,
    ProviderAuthFailed,
    ProviderRefused,
    ProviderResponseInvalid,
    ProviderTimeout,
    CallTooLarge,
)


def outcomes(progress: Progress) -> list[str]:
    """The attempts in short: `provider outcome`, and the error where there is one."""
    return [" ".join(filter(None, attempt)) for attempt in story(progress)]


def fails(
    engine: Engine, kind: type[Exception] = GatewayError, progress: Progress | None = None, **asked
) -> GatewayError:
    request = question(**asked)
    with pytest.raises(kind) as caught:
        engine.ask(request, progress or engine.progress(request))
    assert engine.gates.all_ended_once
    return caught.value
