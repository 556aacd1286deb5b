"""POST /api/v1/llm/providers: register a provider."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Caller, Gateway, Reply, endpoint, lambda_handler
from llm_gateway.entrypoints.idempotency import Creating
from llm_gateway.wire.providers import ProviderBody, ProviderShown


@endpoint
def create_provider(
    body: ProviderBody, by: By, caller: Caller, gateway: Gateway, creating: Creating
) -> Reply[ProviderShown]:
    """Registers a provider; its credentials go to the secrets' store and are never shown again."""
    return creating.once(
        ProviderShown, lambda: ProviderShown.of(gateway.provider_changes.create(body.to_draft(), by=by), to=caller)
    )


handler = lambda_handler(create_provider)
