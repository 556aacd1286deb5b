"""Ten thousand races in simulated time: between what one process sees and what it writes, others are always quicker."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random as Draws

import pytest
from llm_gateway.domain.accounts import Account, Taken
from llm_gateway.domain.keys import Period
from llm_gateway.domain.writes import Item, Write
from llm_gateway.stores.accounts import StoredKeyAccounts
from llm_gateway.stores.items import Outcome

from tests.adapters.items import InMemoryItems
from tests.stores.accounting import LASTS_S, Deployment, account

RACES = 10_000
PROCESSES = 4


def seeded(seed: int) -> Draws:
    return Draws(seed)  # noqa: S311 - the same races each time.


@dataclass
class Racing(InMemoryItems):
    """Before each write of one process, another may have its turn."""

    rival: Callable[[], None] | None = None
    depth: int = 0

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        if self.rival and self.depth < 3:
            self.depth += 1
            try:
                self.rival()
            finally:
                self.depth -= 1
        return super().write(key, write, repeatable=repeatable)

    def read(self, keys: Sequence[str]) -> dict[str, Item]:
        return super().read(keys)


@dataclass
class Crowd:
    """Processes that ask one account at random moments, get in each other's way, settle some, and die with the rest."""

    account: Account
    random: Draws
    tokens: int = 0
    usd: str = "0"
    items: Racing = field(default_factory=Racing)
    passed: list[tuple[float, int]] = field(default_factory=list)
    spent: Decimal = Decimal(0)
    races: int = 0

    def __post_init__(self) -> None:
        self.deployment = Deployment(self.items)
        self.processes = [self.deployment.process() for _ in range(PROCESSES)]
        self.items.rival = self.rival
        self.open: list[tuple[float, Taken]] = []

    def rival(self) -> None:
        if self.random.random() < 0.4:
            self.turn()

    def turn(self) -> None:
        self.races += 1
        process = self.random.choice(self.processes)
        if self.open and self.random.random() < 0.4:
            self.end(process, *self.open.pop(self.random.randrange(len(self.open))))
            return
        tokens = self.random.randint(1, self.tokens) if self.tokens else 0
        need = self.deployment.need(tokens=tokens, usd=self.usd)
        taking = process.take(self.account, need)
        if taking.taken:
            self.passed.append((self.deployment.clock.monotonic_s(), tokens))
            self.open.append((self.deployment.clock.monotonic_s() + LASTS_S, taking.taken))

    def end(self, process: StoredKeyAccounts, until_s: float, taken: Taken) -> None:
        self.deployment.accounts = process
        if self.random.random() < 0.3 or self.deployment.clock.monotonic_s() > until_s:
            return  # Its process was killed.
        cost = Decimal(self.usd) * self.random.randint(0, 10) / 10
        self.spent += cost
        self.deployment.settle(taken, usd=cost, tokens=taken.tokens)

    def run(self) -> None:
        while self.races < RACES:
            self.turn()
            if self.random.random() < 0.5:
                self.deployment.clock.advance(self.random.choice([0.001, 0.05, 0.4, 2]))

    def most_in_a_minute(self, weight: Callable[[int], int]) -> int:
        at_s = [moment_s for moment_s, _ in self.passed]
        sums = [0]
        for _, tokens in self.passed:
            sums.append(sums[-1] + weight(tokens))
        # Both ends of the minute counted in.
        return max(sums[_after(at_s, from_s + 60)] - sums[bisect_left(at_s, from_s)] for from_s in at_s)


def _after(at_s: list[float], moment_s: float) -> int:
    return bisect_left(at_s, moment_s + 1e-9)


@pytest.mark.parametrize(("per_minute", "burst"), [(60, None), (120, 120), (30, 1)])
def test_never_more_requests_than_allowed_in_any_minute(per_minute: int, burst: int | None) -> None:
    limits = {"requests_per_minute": per_minute} | ({"burst": burst} if burst else {})
    crowd = Crowd(account(**limits), seeded(per_minute))
    crowd.run()
    assert crowd.most_in_a_minute(lambda _: 1) <= per_minute
    # And what may pass does.
    assert crowd.most_in_a_minute(lambda _: 1) >= per_minute * 3 / 4


def test_never_more_tokens_than_allowed_in_any_minute() -> None:
    crowd = Crowd(account(tokens_per_minute=20_000), seeded(7), tokens=900)
    crowd.run()
    assert 15_000 <= crowd.most_in_a_minute(lambda tokens: tokens) <= 20_000


@pytest.mark.holds("API4", "API6", "LLM10")
def test_never_more_is_spent_than_the_budget_and_what_is_left_can_be() -> None:
    crowd = Crowd(account(budget="3", period=Period.MONTH), seeded(11), usd="0.01")
    crowd.run()
    deployment = crowd.deployment
    deployment.check_books()
    assert deployment.standing().spent == crowd.spent <= 3
    crowd.items.rival = None
    deployment.clock.advance(120)
    state = deployment.state(crowd.account)
    assert state.reserved_usd == 0
    while state.remaining_usd >= Decimal("0.01"):
        deployment.settle(deployment.taken(crowd.account, usd="0.01"), usd="0.01")
        state = deployment.state(crowd.account)
    assert deployment.take(crowd.account, usd="0.01").refusal
    assert Decimal("2.99") < state.spent_usd <= 3
