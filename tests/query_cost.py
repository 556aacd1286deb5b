"""What a key's limits, its budget and its usage cost a plain query, in processor time, with every store in memory.

`python -m tests.query_cost` prints a line of JSON for each key: the milliseconds that a query took, a figure a round.
"""

import json
import sys
import time
from dataclasses import replace
from decimal import Decimal
from typing import Final

from llm_gateway.domain.keys import Budget, Caller, KeyLimits, Period

from tests.adapters.engine import provider, question
from tests.adapters.query_engine import ALICE, QueryEngine

_LIMITS: Final = KeyLimits(requests_per_minute=6_000, tokens_per_minute=200_000_000, burst=6_000)
_BUDGET: Final = Budget(amount=Decimal(1_000_000), period=Period.MONTH)
CALLERS: Final[dict[str, Caller]] = {
    "a key without limits and budget": ALICE,
    "with limits": replace(ALICE, limits=_LIMITS),
    "with a budget": replace(ALICE, budget_usd=_BUDGET),
    "with limits, a budget and five tags": replace(
        ALICE, limits=_LIMITS, budget_usd=_BUDGET, tags=("a", "b", "c", "d", "e")
    ),
}
_QUERIES: Final = 20
_WARM_UP: Final = 3
_ROUNDS: Final = 100


def main() -> None:
    """The keys take turns, so that what else the machine does slows all of them."""
    engines = {name: QueryEngine().add(provider("a")) for name in CALLERS}
    figures_ms: dict[str, list[float]] = {name: [] for name in CALLERS}
    for number in range(_WARM_UP + _ROUNDS):
        for name, caller in CALLERS.items():
            took_ms = _round_ms(engines[name], caller)  # type: ignore[arg-type]
            if number >= _WARM_UP:
                figures_ms[name].append(took_ms)
    for name, figures in figures_ms.items():
        sys.stdout.write(json.dumps({"key": name, "ms": figures}) + "\n")


def _round_ms(engine: QueryEngine, caller: Caller) -> float:
    # A minute between rounds: the limits are never met.
    engine.clock.sleep(60)
    began_s = time.process_time()
    for _ in range(_QUERIES):
        engine.run(engine.asked(question(), caller=caller))
    return (time.process_time() - began_s) * 1000 / _QUERIES


if __name__ == "__main__":
    main()
