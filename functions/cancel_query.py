"""POST /api/v1/llm/query/{query_id}/cancel: stop a query."""

from llm_gateway.entrypoints.aws import Caller, Gateway, endpoint, lambda_handler
from llm_gateway.wire.query_status import StatusShown


@endpoint
def cancel_query(query_id: str, caller: Caller, gateway: Gateway) -> StatusShown:
    """Stops a queued query at once and a running one soon; one at its end stays as it is."""
    return StatusShown.of(gateway.reading.cancel(query_id, caller=caller))


handler = lambda_handler(cancel_query)
