"""GET /api/v1/llm/keys: list the API keys."""

from llm_gateway.entrypoints.aws import Cursor, Gateway, Limit, endpoint, lambda_handler
from llm_gateway.wire.keys import KeyPage


@endpoint
def list_keys(gateway: Gateway, limit: Limit = 20, cursor: Cursor = None) -> KeyPage:
    """Keys, the oldest first; revoked ones too, for 90 days. A key that was just made may be missing for a moment."""
    return KeyPage.of(gateway.keys.page(limit=limit, cursor=cursor))


handler = lambda_handler(list_keys)
