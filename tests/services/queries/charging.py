"""What the tests of charges have in common: keys with limits and a budget, and where these stand."""

from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import Any

from llm_gateway.domain.accounts import Room
from llm_gateway.domain.chat import Parameters
from llm_gateway.domain.keys import ApiKey, Budget, BudgetState, KeyLimits, KeySecret, Period
from llm_gateway.domain.queries import Query, QueryRequest
from llm_gateway.errors import (
    DependencyUnavailable,
    GatewayError,
)

from tests.adapters.engine import question
from tests.adapters.query_engine import ALICE, QueryEngine

AWAY = DependencyUnavailable("It cannot be reached.")
CACHEABLE = Parameters(temperature=0, max_output_tokens=100)
# By `FlatPrices`, a dollar per million tokens.
COST = Decimal("0.000015")
LIMITED = replace(ALICE, limits=KeyLimits(requests_per_minute=5, burst=5))
SPENDING = replace(ALICE, budget_usd=Budget(amount=Decimal("0.001"), period=Period.DAY))
BOTH = replace(SPENDING, limits=LIMITED.limits)


def run(engine: QueryEngine, request: QueryRequest | None = None, **how: Any) -> Query:
    return engine.run(engine.asked(request or question(), **{"caller": BOTH, **how}))


def state(engine: QueryEngine) -> BudgetState:
    now = engine.clock.now()
    key = ApiKey(
        id=ALICE.key_id,
        name="alice",
        role=ALICE.role,
        budget_usd=SPENDING.budget_usd,
        secrets=(KeySecret(hash="", hint="", generation=1),),
        created_at=now,
        updated_at=now,
    )
    found = engine.gateway.outside.key_accounts.state(key)
    assert found is not None
    return found


def requests_left(engine: QueryEngine) -> int:
    rooms: list[Room] = []
    asked = replace(engine.asked(question(cache="bypass"), caller=LIMITED), tell_room=rooms.append)
    with suppress(GatewayError):
        engine.run(asked)
    (room,) = rooms
    assert room.requests is not None
    return room.requests.remaining


def is_settled(engine: QueryEngine, *, spent: Decimal) -> bool:
    stood = state(engine)
    return stood.reserved_usd == 0 and stood.spent_usd == spent
