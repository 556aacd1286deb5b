"""How a provider is doing, as its status tells: its circuit, the rest of its limits, and its recent calls."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from llm_gateway.domain.circuits import Circuit, CircuitState
from llm_gateway.domain.gates import Gate
from llm_gateway.domain.limits import Level, from_ns
from llm_gateway.domain.metrics import LastError, ProviderMetrics, combined
from llm_gateway.domain.writes import Item, number, text
from llm_gateway.values import dataclass

DEGRADED_ERROR_RATE: Final = 0.1


class Health(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateState:
    """A provider's gate as it stands. `retry_at` is when calls are next let through, None where they are now.

    What remains is what may be taken at once; None where there is no limit. A `last_success_at` from before the metrics'
    window is the first of its minute.
    """

    circuit: CircuitState
    retry_at: datetime | None
    last_success_at: datetime | None
    last_error: LastError | None
    requests_remaining: int | None
    tokens_remaining: int | None
    metrics: ProviderMetrics

    def health(self, *, enabled: bool) -> Health:
        if not enabled:
            return Health.DISABLED
        if self.circuit is CircuitState.OPEN:
            return Health.UNAVAILABLE
        troubled = self.retry_at is not None or self.metrics.error_rate >= DEGRADED_ERROR_RATE
        return Health.DEGRADED if troubled or self.circuit is CircuitState.HALF_OPEN else Health.HEALTHY


def state_of(gates: Sequence[Gate], items: Mapping[str, Item], counters: Sequence[Item], *, now_ns: int) -> GateState:
    """The state that the items of a provider's gates and the counters of the window's minutes tell of, taken together."""
    kept = [items[gate.scope] for gate in gates]
    circuit = Circuit.of(kept[0])
    held_ns = min(number(item, "hold_until") or 0 for item in kept)
    retry_at_ns = max(held_ns, now_ns + circuit.wait_ns(now_ns=now_ns))
    failed = max(kept, key=lambda item: number(item, "last_error_at") or 0)
    return GateState(
        circuit=circuit.state(now_ns=now_ns),
        retry_at=from_ns(retry_at_ns) if retry_at_ns > now_ns else None,
        last_success_at=_moment(max(number(item, "last_success_at") or 0 for item in (*kept, *counters))),
        last_error=_last_error(failed),
        requests_remaining=_remaining(gates, items, "requests", now_ns=now_ns),
        tokens_remaining=_remaining(gates, items, "tokens", now_ns=now_ns),
        metrics=combined(counters, now_ns=now_ns),
    )


def _remaining(gates: Sequence[Gate], items: Mapping[str, Item], name: str, *, now_ns: int) -> int | None:
    left = None
    for gate in gates:
        limit = gate.share.requests if name == "requests" else gate.share.tokens
        if limit:
            left = (left or 0) + limit.remaining(Level.of(items[gate.scope], name), now_ns=now_ns)
    return left


def _last_error(item: Item) -> LastError | None:
    code, at = text(item, "last_error_code"), _moment(number(item, "last_error_at") or 0)
    if not (code and at):
        return None
    return LastError(
        code=code, at=at, detail=text(item, "last_error_detail"), upstream_status=number(item, "last_error_status")
    )


def _moment(moment_ns: int) -> datetime | None:
    return from_ns(moment_ns) if moment_ns else None
