"""PUT /api/v1/llm/providers/{provider_id}: replace a provider's configuration."""

from llm_gateway.entrypoints.aws import lambda_handler
from llm_gateway.entrypoints.http import Caller, Gateway, IfMatch, endpoint
from llm_gateway.entrypoints.replies import Reply, revised
from llm_gateway.wire.providers import ProviderReplacement, ProviderShown


@endpoint
def update_provider(
    provider_id: str, body: ProviderReplacement, expected: IfMatch, caller: Caller, gateway: Gateway
) -> Reply[ProviderShown]:
    """Replaces everything but the credentials that the body leaves out. A change holds everywhere within 5 s."""
    return revised(
        ProviderShown.of(gateway.providers.update(provider_id, body.to_draft(), expected=expected), to=caller)
    )


handler = lambda_handler(update_provider)
