"""GET /api/v1/llm/query/{query_id}/status: where a query stands."""

from llm_gateway.entrypoints.aws import Caller, Gateway, Wait, endpoint, lambda_handler
from llm_gateway.wire.query_status import StatusShown


@endpoint
def get_query_status(query_id: str, caller: Caller, gateway: Gateway, wait_s: Wait = 0) -> StatusShown:
    """The query's status, and its error if it failed; `wait_s` waits that long for its end."""
    return StatusShown.of(gateway.reading.summary(query_id, caller=caller, wait_s=wait_s))


handler = lambda_handler(get_query_status)
