"""What the gates' tests do: processes of one deployment, each with its own view, at the same gates."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from llm_gateway.domain.chat import Usage
from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderFault,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.domain.gates import Admission
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import CircuitPolicy, ProviderConfig, ProviderLimits
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.stores.gates import StoredProviderGates
from llm_gateway.stores.items import DynamoItems, Items

from tests.adapters.items import InMemoryItems
from tests.stores.values import provider

TIMEOUT_S = 30
FAULTS_OF_THE_PROVIDER = [
    ProviderUnreachable,
    ProviderFailed,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderAuthFailed,
]


@dataclass
class Deployment:
    """One table of limits, and as many processes on it as a test wants."""

    items: Items
    clock: Clock
    ids: Ids
    gates: StoredProviderGates = field(init=False)

    def __post_init__(self) -> None:
        self.gates = self.process()

    def process(self) -> StoredProviderGates:
        return StoredProviderGates(items=self.items, clock=self.clock, ids=self.ids)

    def admit(self, config: ProviderConfig, *, tokens: int = 0) -> Admission:
        return self.gates.admit(config, tokens=tokens, timeout_s=TIMEOUT_S)

    def call(self, config: ProviderConfig, fault: ProviderFault | None = None) -> None:
        self.gates.settle(self.admit(config), ended(fault))

    def pass_until_refused(self, config: ProviderConfig, *, tokens: int = 0) -> tuple[int, ProviderFault]:
        """How many calls pass now, and what the next is told."""
        passed = 0
        while True:
            try:
                self.admit(config, tokens=tokens)
            except ProviderFault as refusal:
                return passed, refusal
            passed += 1


def deployed(request: pytest.FixtureRequest, clock: Clock, ids: Ids) -> Deployment:
    """One in memory, or on a table of AWS's, as the fixture's parameter says."""
    if request.param == "memory":
        return Deployment(InMemoryItems(), clock, ids)
    aws, settings = request.getfixturevalue("aws"), request.getfixturevalue("settings")
    table = DynamoItems(aws=aws, table=settings.limits_table, key_name="scope", holding="limits")
    return Deployment(table, clock, ids)


def limited(**limits: int) -> ProviderConfig:
    policy = CircuitPolicy(failure_threshold=3, cooldown_s=20)
    return provider(limits=ProviderLimits(**limits), circuit=policy)


def ended(fault: ProviderFault | None = None, **changes: Any) -> CallResult:
    usage = None if fault else Usage(input_tokens=8, output_tokens=2)
    result: dict[str, Any] = {"latency_ms": 100, "usage": usage, "cost_usd": None, "fault": fault}
    return CallResult(**{**result, **changes})


@contextmanager
def refused(kind: type[ProviderFault], retry_after_s: float) -> Iterator[None]:
    with pytest.raises(ProviderFault) as caught:
        yield
    assert type(caught.value) is kind
    assert caught.value.retry_after_s == retry_after_s


def opened(deployment: Deployment, config: ProviderConfig) -> None:
    for _ in range(config.circuit.failure_threshold):
        if deployment.gates.state(config).circuit is CircuitState.CLOSED:
            deployment.call(config, ProviderFailed("500"))
    assert deployment.gates.state(config).circuit is CircuitState.OPEN
