"""POST /api/v1/llm/query/plan: see which provider a query would be sent to, and what it would be sent."""

from llm_gateway.entrypoints.asking import Foretelling
from llm_gateway.entrypoints.aws import endpoint, lambda_handler
from llm_gateway.wire.queries import QueryBody
from llm_gateway.wire.query_plan import QueryPlanShown


@endpoint
def plan_query(body: QueryBody, foretelling: Foretelling) -> QueryPlanShown:
    """Tells who would be asked in which order, for how many tokens and how much money, and what of the context would be sent.
    Nobody is asked, and neither limits nor budgets are used."""
    return QueryPlanShown.of(foretelling.foretell(body.to_domain(), body.choices()))


handler = lambda_handler(plan_query)
