"""GET /api/v1/llm/prompts/{prompt_id}/performance: how a prompt's versions do."""

from llm_gateway.entrypoints.aws import Cursor, Gateway, Limit, endpoint, lambda_handler
from llm_gateway.entrypoints.performance_search import PerformanceSearch
from llm_gateway.wire.performance import PerformancePage


@endpoint
def get_prompt_performance(
    prompt_id: str, wanted: PerformanceSearch, gateway: Gateway, limit: Limit = 20, cursor: Cursor = None
) -> PerformancePage:
    """What the queries of each version of a prompt came to that ended in a span of time, the last 24 hours where none is given:
    errors, percentiles of latency, tokens, cost and feedback, of all keys. Queries of the prompt's tests do not count."""
    page = gateway.performance.page(prompt_id, wanted, limit=limit, cursor=cursor)
    return PerformancePage.of(page, bucketed=wanted.bucket is not None)


handler = lambda_handler(get_prompt_performance)
