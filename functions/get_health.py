"""GET /health: whether this gateway answers at all; it touches nothing slow."""

from llm_gateway.entrypoints.aws import endpoint, lambda_handler
from llm_gateway.wire.api_docs import Alive


@endpoint
def get_health() -> Alive:
    """The gateway is up. Whether its providers are is told by their status."""
    return Alive(status="ok")


handler = lambda_handler(get_health)
