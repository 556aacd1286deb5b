"""GET /api/v1/llm/providers/{provider_id}: read a provider."""

from llm_gateway.entrypoints.aws import Caller, Gateway, endpoint, lambda_handler
from llm_gateway.wire.providers import ProviderShown


@endpoint
def get_provider(provider_id: str, caller: Caller, gateway: Gateway) -> ProviderShown:
    """A provider as it is configured, without its credentials."""
    return ProviderShown.of(gateway.providers.get(provider_id), to=caller)


handler = lambda_handler(get_provider)
