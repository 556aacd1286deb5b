"""GET /api/v1/llm/keys/self: read the caller's own API key."""

from llm_gateway.entrypoints.aws import Caller, Gateway, endpoint, lambda_handler
from llm_gateway.wire.keys import OwnKeyShown


@endpoint
def get_own_key(caller: Caller, gateway: Gateway) -> OwnKeyShown:
    """The key that the request was made with, and where its budget stands."""
    return OwnKeyShown.of_own(gateway.keys.own(caller))


handler = lambda_handler(get_own_key)
