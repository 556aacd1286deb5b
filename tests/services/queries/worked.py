"""What the worker's tests do: hand in a query, deliver its message, and look at both."""

from llm_gateway.domain.queries import Query
from llm_gateway.errors import DependencyUnavailable, NotDone

from tests.adapters.engine import question
from tests.adapters.query_engine import QueryEngine

AWAY = DependencyUnavailable("It cannot be reached.")
LEASE_S = 60


def queued(engine: QueryEngine, **changes: object) -> Query:
    """A query that was accepted; its message is not sent again by whatever follows."""
    request = question(**{"mode": "async", "timeout_s": 300, **changes})
    query = engine.accept(engine.asked(request))
    engine.queue.sent.clear()
    return query


def stored(engine: QueryEngine, query: Query) -> Query:
    found = engine.queries.port.get(query.id)
    assert found is not None
    result: Query = found
    return result


def process(engine: QueryEngine, query: Query, *, count: int = 1) -> bool:
    """Whether the message is done with."""
    try:
        engine.worker.process(engine.delivery(query.id, count=count))
    except NotDone:
        return False
    return True


def hidden_s(engine: QueryEngine) -> float:
    """How long the message is kept back from now on."""
    return engine.queue.held[-1].duration_s
