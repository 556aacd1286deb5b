"""POST /api/v1/llm/keys/{key_id}/rotate: give an API key new secrets."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, Reply, endpoint, lambda_handler
from llm_gateway.entrypoints.idempotency import Creating
from llm_gateway.wire.keys import KeyIssued, KeyRotation


@endpoint
def rotate_key(
    key_id: str, by: By, gateway: Gateway, creating: Creating, body: KeyRotation | None = None
) -> Reply[KeyIssued]:
    """New secrets, shown this once. Those of now stay valid for `overlap_s`, and end at once without it."""
    overlap = (body or KeyRotation()).to_domain()
    return creating.once(
        KeyIssued, lambda: KeyIssued.of_issued(gateway.key_changes.rotate(key_id, overlap=overlap, by=by))
    )


handler = lambda_handler(rotate_key)
