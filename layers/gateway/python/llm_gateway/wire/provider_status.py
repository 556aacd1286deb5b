"""A provider's status over HTTP."""

from llm_gateway.domain.circuits import CircuitState
from llm_gateway.domain.health import GateState, Health
from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.wire.schema import Outgoing, Timestamp, Usd


class LatencyQuantiles(Outgoing):
    """Milliseconds; null where nothing was answered."""

    p50: int | None = None
    p95: int | None = None
    p99: int | None = None


class Metrics(Outgoing):
    """What passed in the last `window_s` seconds. `cost_usd` sums the known costs, null where none is known;
    `unpriced_requests` are those whose cost is not."""

    window_s: int
    requests: int
    errors: int
    error_rate: float
    latency_ms: LatencyQuantiles
    input_tokens: int
    output_tokens: int
    cost_usd: Usd | None
    unpriced_requests: int


class LastErrorShown(Outgoing):
    """The last failure: what went wrong, and the HTTP status that the provider answered with, where it did."""

    code: str
    at: Timestamp
    detail: str | None
    upstream_status: int | None


class Remaining(Outgoing):
    """What may be taken at once now; null where there is no limit."""

    requests_remaining: int | None
    tokens_remaining: int | None


class ProviderStatus(Outgoing):
    """How a provider is doing. `retry_at` is when calls are next let through, null where they are now."""

    provider_id: str
    state: Health
    circuit: CircuitState
    retry_at: Timestamp | None
    last_success_at: Timestamp | None
    last_error: LastErrorShown | None
    metrics: Metrics
    limits: Remaining

    @classmethod
    def of(cls, config: ProviderConfig, state: GateState) -> "ProviderStatus":
        metrics = state.metrics
        return cls(
            provider_id=config.id,
            state=state.health(enabled=config.enabled),
            circuit=state.circuit,
            retry_at=state.retry_at,
            last_success_at=state.last_success_at,
            last_error=state.last_error,
            metrics=Metrics(
                window_s=metrics.window_s,
                requests=metrics.requests,
                errors=metrics.errors,
                error_rate=round(metrics.error_rate, 4),
                latency_ms=metrics.latency_ms or LatencyQuantiles(),
                input_tokens=metrics.input_tokens,
                output_tokens=metrics.output_tokens,
                cost_usd=metrics.cost_usd,
                unpriced_requests=metrics.unpriced_requests,
            ),
            limits=Remaining(requests_remaining=state.requests_remaining, tokens_remaining=state.tokens_remaining),
        )
