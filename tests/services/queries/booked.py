"""What the tests of booking do: run a query, and look at what is held for it."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.chat import Parameters
from llm_gateway.domain.idempotency import Replayed
from llm_gateway.domain.queries import Query, QueryAnswer, QueryRequest
from llm_gateway.errors import (
    DependencyUnavailable,
)

from tests.adapters.engine import question
from tests.adapters.query_engine import ALICE, QueryEngine
from tests.adapters.scripted_providers import Says

CACHEABLE = Parameters(temperature=0, max_output_tokens=100)
AWAY = DependencyUnavailable("It cannot be reached.")


def asking(**changes: Any) -> QueryRequest:
    return question(**{"parameters": CACHEABLE, **changes})


@dataclass
class Outcome:
    """What a caller got: the query, or the error; and how often its text came in pieces."""

    query: Query | None = None
    error: Exception | None = None
    replayed: bool = False
    items: list[Any] = field(default_factory=list)

    @property
    def answer(self) -> QueryAnswer:
        assert self.query is not None, self.error
        assert self.query.answer is not None
        return self.query.answer


def run(engine: QueryEngine, request: QueryRequest, *, stored: bool = False, **how: Any) -> Outcome:
    """Asks, as a stream where it is to be `stored` from the start."""
    outcome = Outcome()
    request = replace(request, mode="stream" if stored else "sync")
    try:
        if stored:
            for item in engine.asking.stream(engine.asked(request, **how)):
                outcome.items.append(item)
            outcome.query, outcome.replayed = outcome.items[-1], outcome.items[0].replayed
        else:
            found = engine.asking.run(engine.asked(request, **how))
            outcome.replayed = isinstance(found, Replayed)
            outcome.query = found.made if isinstance(found, Replayed) else found
    except Exception as error:
        outcome.error = error
    return outcome


def kept_queries(engine: QueryEngine) -> list[Query]:
    return [stored.query for stored in engine.queries.port._stored.values()]


def place(engine: QueryEngine, request: QueryRequest) -> CachedAnswer | Pending | None:
    found: CachedAnswer | Pending | None = engine.cache.port.peek(engine.seat_of(request))
    return found


def in_the_cache(engine: QueryEngine, request: QueryRequest, *, text: str = "From before.") -> CachedAnswer:
    """Has an equal question answered, a while ago."""
    engine.providers.script("a", Says(text=text))
    run(engine, replace(request, cache="refresh"))
    engine.clock.sleep(12)
    found = place(engine, request)
    assert isinstance(found, CachedAnswer)
    return found


def forget_calls(engine: QueryEngine) -> None:
    for port in (engine.queries, engine.cache, engine.keys):
        port.asked.clear()
    engine.journal.written.clear()
    engine.providers.called.clear()


def somebody_holds(engine: QueryEngine, request: QueryRequest) -> str:
    key = engine.seat_of(request)
    engine.cache.port.look_up(key, holder="qry_other", until=engine.clock.now() + timedelta(hours=1))
    return key


def answered_meanwhile(engine: QueryEngine, request: QueryRequest) -> None:
    made = in_the_cache(engine, request)
    engine.cache.port.delete(engine.seat_of(request), query_id="qry_erased")
    key = somebody_holds(engine, request)
    engine.events.extend([lambda: None, lambda: engine.cache.port.put(key, made, owner=ALICE.key_id)])
