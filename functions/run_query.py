"""POST /api/v1/llm/query: ask a model and wait for the answer."""

from llm_gateway.entrypoints.aws import lambda_handler
from llm_gateway.entrypoints.http import Asking, endpoint
from llm_gateway.entrypoints.replies import Reply, answered
from llm_gateway.wire.answers import AnswerShown
from llm_gateway.wire.queries import QueryBody


@endpoint
def run_query(body: QueryBody, asking: Asking) -> Reply[AnswerShown]:
    """Asks the providers in their order until one answers."""
    return answered(asking.run(body.to_domain()))


handler = lambda_handler(run_query)
