"""PATCH /api/v1/llm/keys/{key_id}: change an API key."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, IfMatch, endpoint, lambda_handler
from llm_gateway.wire.keys import KeyPatch, KeyShown


@endpoint
def update_key(key_id: str, body: KeyPatch, expected: IfMatch, by: By, gateway: Gateway) -> KeyShown:
    """Merges the body into the key; null clears. A change holds from the key's next request on."""
    return KeyShown.of(gateway.key_changes.update(key_id, body.said(), expected=expected, by=by))


handler = lambda_handler(update_key)
