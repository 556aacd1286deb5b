"""Cancelling a query from outside: whoever thereby ends it writes that down."""

from llm_gateway.domain.queries import QuerySummary
from llm_gateway.ports.queries import Journal, QueryStore


def cancel(query_id: str, store: QueryStore, journal: Journal) -> QuerySummary | None:
    """Where the query stands after its cancellation, which its holder may still have to see to; None where it is gone."""
    ending = store.cancel(query_id)
    if ending is not None and ending.ended_now:
        journal.ended(ending.query)
    return None if ending is None else ending.query
