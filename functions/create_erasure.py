"""POST /api/v1/llm/erasures: erase all queries of a key or of a subject."""

from llm_gateway.entrypoints.auditing import By
from llm_gateway.entrypoints.aws import Gateway, Reply, endpoint, lambda_handler
from llm_gateway.entrypoints.erasures import Erasing
from llm_gateway.wire.erasures import ErasureBody, ErasureShown


@endpoint
def create_erasure(body: ErasureBody, by: By, gateway: Gateway, erasing: Erasing) -> Reply[ErasureShown]:
    """Erases all queries of a key, or all whose `metadata.subject` is this text, with everything made of them: later, and once
    it is done only what they count as is left."""
    return erasing.once(lambda: ErasureShown.of(gateway.erasures.start(body.to_domain(), by=by)))


handler = lambda_handler(create_erasure)
