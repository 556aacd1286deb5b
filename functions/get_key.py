"""GET /api/v1/llm/keys/{key_id}: read an API key."""

from llm_gateway.entrypoints.aws import Gateway, endpoint, lambda_handler
from llm_gateway.wire.keys import KeyShown


@endpoint
def get_key(key_id: str, gateway: Gateway) -> KeyShown:
    """A key without its secrets. One that was revoked can be read for 90 days."""
    return KeyShown.of(gateway.keys.get(key_id))


handler = lambda_handler(get_key)
