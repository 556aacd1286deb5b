"""GET /api/v1/llm/erasures/{erasure_id}: how far an erasure has come."""

from llm_gateway.entrypoints.aws import Gateway, endpoint, lambda_handler
from llm_gateway.wire.erasures import ErasureShown


@endpoint
def get_erasure(erasure_id: str, gateway: Gateway) -> ErasureShown:
    """How far an erasure has come, and how many queries are gone."""
    return ErasureShown.of(gateway.erasures.get(erasure_id))


handler = lambda_handler(get_erasure)
