"""Calls to providers as a query's reader sees them."""

from llm_gateway.domain.queries import AttemptOutcome
from llm_gateway.wire.schema import Outgoing, Usd


class AttemptShown(Outgoing):
    """One call to a provider, or one that was skipped. `detail` says what went wrong, with the provider's own message where it
    gave one; `upstream_status` is the HTTP status that it answered with."""

    provider: str
    model: str
    outcome: AttemptOutcome
    error_code: str | None
    detail: str | None
    upstream_status: int | None
    latency_ms: int
    cost_usd: Usd | None
