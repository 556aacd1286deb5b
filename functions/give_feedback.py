"""POST /api/v1/llm/query/{query_id}/feedback: say what an answer was worth."""

from llm_gateway.entrypoints.aws import Caller, Gateway, endpoint, lambda_handler
from llm_gateway.wire.feedback import FeedbackBody


@endpoint
def give_feedback(query_id: str, body: FeedbackBody, caller: Caller, gateway: Gateway) -> None:
    """Gives a query that has ended a score from 0 to 1, which joins its prompt's performance. The last score under a `name`
    counts. The query's own key may, and admins."""
    gateway.feedback.give(query_id, body.to_domain(), caller=caller)


handler = lambda_handler(give_feedback)
