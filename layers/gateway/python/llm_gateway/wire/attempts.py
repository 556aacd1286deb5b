"""Calls to providers as a query's reader sees them."""

from llm_gateway.domain.queries import AttemptOutcome
from llm_gateway.wire.schema import Outgoing, Usd


class AttemptShown(Outgoing):
    """One call to a provider, or one that was skipped."""

    provider: str
    model: str
    outcome: AttemptOutcome
    error_code: str | None
    latency_ms: int
    cost_usd: Usd | None
