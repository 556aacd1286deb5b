"""PUT /api/v1/llm/providers/{provider_id}: replace a provider's configuration."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Caller, Gateway, IfMatch, endpoint, lambda_handler
from llm_gateway.wire.providers import ProviderShown, ProviderUpdate


@endpoint
def update_provider(
    provider_id: str, body: ProviderUpdate, match: IfMatch, by: By, caller: Caller, gateway: Gateway
) -> ProviderShown:
    """Replaces everything but the credentials that the body leaves out. A change holds everywhere within 5 s."""
    return ProviderShown.of(
        gateway.provider_changes.update(provider_id, body.to_draft(), expected=match, by=by), to=caller
    )


handler = lambda_handler(update_provider)
