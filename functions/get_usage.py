"""GET /api/v1/llm/usage: what was used, and what it cost."""

from llm_gateway.entrypoints.aws import Caller, Cursor, Gateway, Limit, endpoint, lambda_handler
from llm_gateway.entrypoints.usage_search import UsageSearch
from llm_gateway.wire.usage import UsagePage


@endpoint
def get_usage(
    wanted: UsageSearch, caller: Caller, gateway: Gateway, limit: Limit = 20, cursor: Cursor = None
) -> UsagePage:
    """Exact sums of the queries that ended in a span of time, the last 24 hours where none is given: in one row, or in one for
    each bucket and each value of `group_by`. Admins, operators and auditors see everybody's usage, others their own."""
    page = gateway.usage.page(wanted, caller=caller, limit=limit, cursor=cursor)
    return UsagePage.of(page, by=wanted.by, bucketed=wanted.bucket is not None)


handler = lambda_handler(get_usage)
