"""GET /api/v1/llm/providers/{provider_id}: read a provider."""

from llm_gateway.entrypoints.aws import lambda_handler
from llm_gateway.entrypoints.http import Caller, Gateway, endpoint
from llm_gateway.entrypoints.replies import Reply, revised
from llm_gateway.wire.providers import ProviderShown


@endpoint
def get_provider(provider_id: str, caller: Caller, gateway: Gateway) -> Reply[ProviderShown]:
    """A provider as it is configured, without its credentials."""
    return revised(ProviderShown.of(gateway.providers.get(provider_id), to=caller))


handler = lambda_handler(get_provider)
