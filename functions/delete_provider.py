"""DELETE /api/v1/llm/providers/{provider_id}: remove a provider."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, IfMatch, endpoint, lambda_handler


@endpoint
def delete_provider(provider_id: str, expected: IfMatch, by: By, gateway: Gateway) -> None:
    """Removes a provider and its credentials."""
    gateway.provider_changes.delete(provider_id, expected=expected, by=by)


handler = lambda_handler(delete_provider)
