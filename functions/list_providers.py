"""GET /api/v1/llm/providers: list the providers."""

from llm_gateway.entrypoints.aws import Caller, Cursor, Gateway, Limit, endpoint, lambda_handler
from llm_gateway.wire.providers import ProviderPage


@endpoint
def list_providers(caller: Caller, gateway: Gateway, limit: Limit = 20, cursor: Cursor = None) -> ProviderPage:
    """Providers by id."""
    return ProviderPage.of(gateway.providers.page(limit=limit, cursor=cursor), to=caller)


handler = lambda_handler(list_providers)
