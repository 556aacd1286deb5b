"""GET /api/v1/llm/query/{query_id}/result: what came of a query."""

from llm_gateway.entrypoints.aws import lambda_handler
from llm_gateway.entrypoints.http import Caller, Gateway, endpoint
from llm_gateway.entrypoints.replies import Reply, result_of
from llm_gateway.wire.answers import ResultShown


@endpoint
def get_query_result(query_id: str, caller: Caller, gateway: Gateway) -> Reply[ResultShown]:
    """The answer; 202 with the status while there is none, and the status with its error where the query failed."""
    return result_of(gateway.queries.get(query_id, caller=caller))


handler = lambda_handler(get_query_result)
