"""POST /api/v1/llm/query: ask a model, and wait for the answer or fetch it later."""

from llm_gateway.entrypoints.asking import Asking, QueryReply
from llm_gateway.entrypoints.aws import endpoint, lambda_handler
from llm_gateway.wire.queries import QueryBody


@endpoint
def run_query(body: QueryBody, asking: Asking) -> QueryReply:
    """Asks the providers in their order until one answers; with `mode: "async"`, accepts and answers later."""
    return asking.run(body.to_domain(), body.choices())


handler = lambda_handler(run_query)
