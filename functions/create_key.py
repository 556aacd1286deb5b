"""POST /api/v1/llm/keys: make an API key."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, Reply, endpoint, lambda_handler
from llm_gateway.entrypoints.idempotency import Creating
from llm_gateway.wire.keys import KeyBody, KeyIssued


@endpoint
def create_key(body: KeyBody, by: By, gateway: Gateway, creating: Creating) -> Reply[KeyIssued]:
    """Makes a key. Its secret and its signing secret are shown this once."""
    return creating.once(KeyIssued, lambda: KeyIssued.of_issued(gateway.key_changes.create(body.to_domain(), by=by)))


handler = lambda_handler(create_key)
