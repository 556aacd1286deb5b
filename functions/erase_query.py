"""DELETE /api/v1/llm/query/{query_id}: erase a query."""

from llm_gateway.entrypoints.aws import Caller, Gateway, endpoint, lambda_handler


@endpoint
def erase_query(query_id: str, caller: Caller, gateway: Gateway) -> None:
    """Deletes a query with its copies in the cache, and cancels it if it runs."""
    gateway.reading.erase(query_id, caller=caller)


handler = lambda_handler(erase_query)
