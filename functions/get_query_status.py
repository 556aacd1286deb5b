"""GET /api/v1/llm/query/{query_id}/status: where a query stands."""

from llm_gateway.entrypoints.aws import lambda_handler
from llm_gateway.entrypoints.http import Caller, Gateway, endpoint
from llm_gateway.wire.answers import StatusShown


@endpoint
def get_query_status(query_id: str, caller: Caller, gateway: Gateway) -> StatusShown:
    """The query's status, and its error if it failed."""
    return StatusShown.of(gateway.queries.summary(query_id, caller=caller))


handler = lambda_handler(get_query_status)
