"""PUT /api/v1/llm/providers/{provider_id}: replace a provider's configuration."""

from llm_gateway.entrypoints.aws import Caller, Gateway, IfMatch, endpoint, lambda_handler
from llm_gateway.wire.providers import ProviderShown, ProviderUpdate


@endpoint
def update_provider(
    provider_id: str, body: ProviderUpdate, match: IfMatch, caller: Caller, gateway: Gateway
) -> ProviderShown:
    """Replaces everything but the credentials that the body leaves out. A change holds everywhere within 5 s."""
    return ProviderShown.of(gateway.providers.update(provider_id, body.to_draft(), expected=match), to=caller)


handler = lambda_handler(update_provider)
