"""GET /api/v1/llm/query/{query_id}/result: what came of a query."""

from llm_gateway.entrypoints.aws import Caller, Gateway, Reply, Wait, endpoint, lambda_handler
from llm_gateway.entrypoints.query_replies import result_of
from llm_gateway.wire.answers import ResultShown


@endpoint
def get_query_result(query_id: str, caller: Caller, gateway: Gateway, wait_s: Wait = 0) -> Reply[ResultShown]:
    """The answer; 202 with the status while there is none (`wait_s` waits for it); the error where it failed."""
    return result_of(gateway.reading.get(query_id, caller=caller, wait_s=wait_s))


handler = lambda_handler(get_query_result)
