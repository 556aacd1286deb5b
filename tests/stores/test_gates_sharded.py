"""A hot gate, kept in several items: it allows what one item would, and has one circuit; and writes whose answers are lost."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from llm_gateway.domain.circuits import CircuitState, opening
from llm_gateway.domain.faults import CircuitOpen, ProviderFailed, ProviderFault, ProviderRateLimited
from llm_gateway.domain.gates import gates_of
from llm_gateway.domain.limits import to_ns
from llm_gateway.domain.metrics import CallResult
from llm_gateway.domain.providers import CircuitPolicy, ProviderConfig, ProviderLimits
from llm_gateway.domain.writes import Item, Write, number
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.stores.gates import StoredProviderGates
from llm_gateway.stores.items import DynamoItems, Items, Outcome

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.items import InMemoryItems
from tests.stores.values import provider

SHARDS = 5
TIMEOUT_S = 30
HOT = provider(
    limits=ProviderLimits(requests_per_minute=SHARDS * 6000, burst=50), circuit=CircuitPolicy(failure_threshold=3)
)


@pytest.fixture(params=["memory", "aws"])
def items(request: pytest.FixtureRequest) -> Items:
    if request.param == "memory":
        return InMemoryItems()
    aws, settings = request.getfixturevalue("aws"), request.getfixturevalue("settings")
    return DynamoItems(aws=aws, table=settings.limits_table, key_name="scope", holding="limits")


@pytest.fixture
def gates(items: Items, clock: FakeClock, ids: FakeIds) -> StoredProviderGates:
    return StoredProviderGates(items=items, clock=clock, ids=ids)


def ended(fault: ProviderFault | None = None) -> CallResult:
    return CallResult(latency_ms=100, usage=None, cost_usd=None, fault=fault)


def passed(gates: StoredProviderGates, config: ProviderConfig = HOT) -> tuple[int, ProviderFault]:
    """How many calls pass now, and what the next is told."""
    for through in range(1000):
        try:
            gates.admit(config, tokens=0, timeout_s=TIMEOUT_S)
        except ProviderFault as refusal:
            return through, refusal
    raise AssertionError("the gate has no end")


def fail_until_refused(gates: StoredProviderGates, *, at_most: int) -> list[ProviderFault]:
    for _ in range(at_most):
        try:
            admitted = gates.admit(HOT, tokens=0, timeout_s=TIMEOUT_S)
        except ProviderFault as refusal:
            return [refusal]
        gates.settle(admitted, ended(ProviderFailed("500")))
    return []


def opened(gates: StoredProviderGates) -> None:
    for _ in range(SHARDS * HOT.circuit.failure_threshold):
        if gates.state(HOT).circuit is CircuitState.CLOSED:
            gates.settle(gates.admit(HOT, tokens=0, timeout_s=TIMEOUT_S), ended(ProviderFailed("500")))
    assert gates.state(HOT).circuit is CircuitState.OPEN


def test_it_is_sharded() -> None:
    assert len(gates_of(HOT)) == SHARDS


def test_the_shards_together_pass_the_whole_burst_and_tell_a_true_wait(
    gates: StoredProviderGates, clock: FakeClock
) -> None:
    through, refusal = passed(gates)
    assert (through, type(refusal)) == (50, ProviderRateLimited)
    assert gates.state(HOT).requests_remaining == 0
    clock.advance(refusal.retry_after_s or 0)
    gates.admit(HOT, tokens=0, timeout_s=TIMEOUT_S)


def test_a_new_process_learns_of_a_full_gate_in_two_round_trips(
    gates: StoredProviderGates, items: Items, clock: FakeClock, ids: FakeIds
) -> None:
    passed(gates)
    counted = Counting(items)
    assert passed(StoredProviderGates(items=counted, clock=clock, ids=ids))[0] == 0
    assert counted.calls == ["write", "read"]


def test_the_circuit_is_one(gates: StoredProviderGates, items: Items, clock: FakeClock, ids: FakeIds) -> None:
    opened(gates)
    others = [StoredProviderGates(items=items, clock=clock, ids=ids) for _ in range(10)]
    for other in (gates, *others):
        assert passed(other)[0] == 0
    clock.advance(HOT.circuit.cooldown_s + 3600)
    trial = others[0].admit(HOT, tokens=0, timeout_s=TIMEOUT_S)
    for other in (gates, *others):
        through, refusal = passed(other)
        assert (through, type(refusal), refusal.retry_after_s) == (0, CircuitOpen, TIMEOUT_S)
    others[0].settle(trial, ended())
    assert not any(number(item, "retry_at") for item in items.read([gate.scope for gate in gates_of(HOT)]).values())
    assert passed(others[1])[0] == 49  # The trial took one of the 50.


def test_shards_that_were_not_told_of_the_closing_are_mended(
    items: Items, gates: StoredProviderGates, clock: FakeClock, ids: FakeIds
) -> None:
    opened(gates)
    clock.advance(HOT.circuit.cooldown_s)
    dying = StoredProviderGates(items=Deaf(items, [gate.scope for gate in gates_of(HOT)[1:]]), clock=clock, ids=ids)
    dying.settle(gates.admit(HOT, tokens=0, timeout_s=TIMEOUT_S), ended())
    assert gates.state(HOT).circuit is CircuitState.CLOSED
    assert passed(StoredProviderGates(items=items, clock=clock, ids=ids))[0] == 49


def test_shards_that_were_not_told_of_the_opening_find_out(
    items: Items, gates: StoredProviderGates, clock: FakeClock
) -> None:
    home, *copies = [gate.scope for gate in gates_of(HOT)]
    items.write(home, opening(policy=HOT.circuit, now_ns=to_ns(clock.now())))
    most = len(copies) * HOT.circuit.failure_threshold
    assert [type(refusal) for refusal in fail_until_refused(gates, at_most=most)] == [CircuitOpen]
    assert len({number(item, "retry_at") for item in items.read([home, *copies]).values()}) == 1


def test_a_pause_is_one(gates: StoredProviderGates, items: Items, clock: FakeClock, ids: FakeIds) -> None:
    fault = ProviderRateLimited("429", retry_after_s=7)
    gates.settle(gates.admit(HOT, tokens=0, timeout_s=TIMEOUT_S), ended(fault))
    for other in (gates, StoredProviderGates(items=items, clock=clock, ids=ids)):
        through, refusal = passed(other)
        assert (through, refusal.retry_after_s) == (0, 7)


# Answers that are lost


@pytest.mark.parametrize("limits", [ProviderLimits(max_concurrent=1), ProviderLimits(max_concurrent=2)])
def test_a_call_whose_write_is_sent_again_passes_and_takes_one_place(
    items: Items, clock: FakeClock, ids: FakeIds, limits: ProviderLimits
) -> None:
    config = provider(limits=limits)
    gates = StoredProviderGates(items=Repeating(items), clock=clock, ids=ids)
    gates.settle(gates.admit(config, tokens=0, timeout_s=TIMEOUT_S), ended())
    assert passed(gates, config)[0] == limits.max_concurrent


def test_a_trial_whose_write_is_sent_again_is_let_through(items: Items, clock: FakeClock, ids: FakeIds) -> None:
    gates = StoredProviderGates(items=Repeating(items), clock=clock, ids=ids)
    opened(gates)
    clock.advance(HOT.circuit.cooldown_s)
    gates.settle(gates.admit(HOT, tokens=0, timeout_s=TIMEOUT_S), ended())
    assert gates.state(HOT).circuit is CircuitState.CLOSED


def test_tokens_are_given_back_once(items: Items, clock: FakeClock, ids: FakeIds) -> None:
    config = provider(limits=ProviderLimits(tokens_per_minute=10_000))
    gates = StoredProviderGates(items=Repeating(items), clock=clock, ids=ids)
    kept, given_back = (gates.admit(config, tokens=300, timeout_s=TIMEOUT_S) for _ in range(2))
    left = gates.state(config).tokens_remaining
    gates.settle(given_back, ended(ProviderFailed("500")))
    assert gates.state(config).tokens_remaining == (left or 0) + 300
    gates.settle(kept, ended())


def test_the_end_of_a_call_is_noted_though_the_answer_is_lost(items: Items, clock: FakeClock, ids: FakeIds) -> None:
    config = provider(limits=ProviderLimits(tokens_per_minute=1000, max_concurrent=1))
    gates = StoredProviderGates(items=Mute(items), clock=clock, ids=ids)
    gates.settle(gates.admit(config, tokens=200, timeout_s=TIMEOUT_S), ended(ProviderFailed("500")))
    assert gates.state(config).tokens_remaining == 200
    assert passed(gates, config)[0] == 1


def test_a_place_is_freed_though_nothing_else_can_be_noted(items: Items, clock: FakeClock, ids: FakeIds) -> None:
    config = provider(limits=ProviderLimits(max_concurrent=1))
    gates = StoredProviderGates(items=Broken(items), clock=clock, ids=ids)
    gates.settle(gates.admit(config, tokens=0, timeout_s=TIMEOUT_S), ended())
    gates.admit(config, tokens=0, timeout_s=TIMEOUT_S)


@dataclass
class Counting:
    """Notes what is asked of the items."""

    items: Items

    def __post_init__(self) -> None:
        self.calls: list[str] = []

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        self.calls.append("write")
        return self.items.write(key, write, repeatable=repeatable)

    def read(self, keys: Sequence[str]) -> dict[str, Item]:
        self.calls.append("read")
        return self.items.read(keys)


@dataclass
class Deaf(Counting):
    """Cannot be told anything about some of the items."""

    deaf: list[str]

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        if key in self.deaf:
            raise DependencyUnavailable("gone", retry_after_s=2)
        return super().write(key, write, repeatable=repeatable)


@dataclass
class Repeating(Counting):
    """Loses the first answer to every write that may be repeated, and repeats it, as botocore does."""

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        outcome = super().write(key, write, repeatable=repeatable)
        return super().write(key, write) if repeatable else outcome


@dataclass
class Broken(Counting):
    """Can do nothing that must not be repeated."""

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        if not repeatable:
            raise DependencyUnavailable("gone", retry_after_s=2)
        return super().write(key, write, repeatable=repeatable)


@dataclass
class Mute(Counting):
    """Does what must not be repeated, and says that it could not."""

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        outcome = super().write(key, write, repeatable=repeatable)
        if not repeatable:
            raise DependencyUnavailable("gone", retry_after_s=2)
        return outcome
