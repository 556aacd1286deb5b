"""GET /api/v1/llm/providers/{provider_id}/status: how a provider is doing."""

from llm_gateway.entrypoints.aws import Caller, Gateway, endpoint, lambda_handler
from llm_gateway.wire.provider_status import ProviderStatus


@endpoint
def get_provider_status(provider_id: str, caller: Caller, gateway: Gateway, probe: bool = False) -> ProviderStatus:
    """Its circuit, what is left of its limits, and what passed lately; `probe=true` makes one live call first."""
    return ProviderStatus.of(*gateway.status.status(provider_id, probe=probe, caller=caller))


handler = lambda_handler(get_provider_status)
