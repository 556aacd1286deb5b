"""DELETE /api/v1/llm/keys/{key_id}: revoke an API key."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, IfMatch, endpoint, lambda_handler


@endpoint
def revoke_key(key_id: str, expected: IfMatch, by: By, gateway: Gateway) -> None:
    """Revokes a key: its next request is refused. It can be read for 90 days. The last admin key cannot be revoked."""
    gateway.key_changes.revoke(key_id, expected=expected, by=by)


handler = lambda_handler(revoke_key)
