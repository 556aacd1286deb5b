"""GET /api/v1/llm/query: list queries."""

from llm_gateway.entrypoints.aws import Caller, Cursor, Gateway, Limit, endpoint, lambda_handler
from llm_gateway.entrypoints.query_search import QuerySearch
from llm_gateway.wire.query_list import QueryPage


@endpoint
def list_queries(
    wanted: QuerySearch, caller: Caller, gateway: Gateway, limit: Limit = 20, cursor: Cursor = None
) -> QueryPage:
    """Queries that came in within a span of time, the last 24 hours where none is given, newest first, without what was asked and
    answered. A caller sees its own, admins and auditors everybody's. What has just changed may show a moment later."""
    return QueryPage.of(gateway.listing.page(wanted, caller=caller, limit=limit, cursor=cursor))


handler = lambda_handler(list_queries)
