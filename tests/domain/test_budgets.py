"""Budgets: whatever order things happen in, the books balance, and no more is spent than there is."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule
from llm_gateway.domain.accounts import Taken, Use
from llm_gateway.domain.keys import Period
from llm_gateway.domain.money import total
from llm_gateway.domain.periods import begins, end_of, period_at
from llm_gateway.errors import BudgetExceeded
from llm_gateway.stores.accounts import StoredKeyAccounts

from tests.stores.accounting import LASTS_S, Deployment, account

BUDGET = Decimal(1)
amounts = st.decimals(0, 1, places=4) | st.decimals(0, 1, places=21)
shares = st.decimals(0, 1, places=3)


class Spending(RuleBasedStateMachine):
    """Three processes on one budget. Each knows the account as it last saw it; queries cost at most what they reserved."""

    taken = Bundle("taken")

    @initialize()
    def begin(self) -> None:
        self.deployment = Deployment()
        self.processes: list[StoredKeyAccounts] = [self.deployment.process() for _ in range(3)]
        self.account = account(budget=str(BUDGET), period=Period.DAY)
        self.spent: dict[str, Decimal] = {}
        self.reserved: dict[int, Taken] = {}

    @rule(target=taken, process=st.integers(0, 2), usd=amounts)
    def reserve(self, process: int, usd: Decimal) -> Taken | None:
        self.deployment.accounts = self.processes[process]
        state = self.deployment.state(self.account)
        taking = self.deployment.take(self.account, usd=usd)
        if taking.taken is None:
            assert isinstance(taking.refusal, BudgetExceeded)
            assert usd > state.remaining_usd or len(self.deployment.standing().held) > 0
            return None
        assert usd <= state.remaining_usd
        return taking.taken

    @rule(process=st.integers(0, 2), taken=consumes(taken), share=shares)
    def settle(self, process: int, taken: Taken | None, share: Decimal) -> None:
        if taken is None or taken.hold is None:
            return
        self.deployment.accounts = self.processes[process]
        cost = total([taken.hold.amount * share])
        self.deployment.settle(taken, usd=cost)
        self.spent[taken.hold.period] = total([self.spent.get(taken.hold.period, Decimal(0)), cost])

    @rule(process=st.integers(0, 2), taken=taken, share=shares)
    def pass_on(self, process: int, taken: Taken | None, share: Decimal) -> None:
        """It costs something on the way, which was not reserved."""
        if taken is None or taken.hold is None:
            return
        self.deployment.accounts = self.processes[process]
        cost = total([taken.hold.amount * share])
        if total([self.spent.get(taken.hold.period, Decimal(0)), cost]) > BUDGET:
            return
        self.deployment.accounts.note(taken, Use(tokens=0, usd=cost))
        self.spent[taken.hold.period] = total([self.spent.get(taken.hold.period, Decimal(0)), cost])

    @rule(taken=consumes(taken))
    def die(self, taken: Taken | None) -> None:
        """Nobody ever settles it."""

    @rule(duration_s=st.sampled_from([1, LASTS_S / 2, LASTS_S + 1, 7 * 3600]))
    def wait(self, duration_s: float) -> None:
        self.deployment.clock.advance(duration_s)

    @rule()
    def rest(self) -> None:
        """Once every reservation is over, what is left can be spent, and is shown."""
        self.deployment.clock.advance(LASTS_S + 1)
        state = self.deployment.state(self.account)
        assert state.reserved_usd == 0
        assert state.remaining_usd == max(Decimal(0), total([BUDGET, -state.spent_usd]))

    @invariant()
    def books_balance(self) -> None:
        if not hasattr(self, "deployment"):
            return
        self.deployment.check_books()
        standing = self.deployment.standing()
        assert standing.spent == self.spent.get(standing.period or "", Decimal(0))


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=60, stateful_step_count=40)


@pytest.mark.parametrize(
    ("moment", "day", "month"),
    [
        ("2026-01-31T23:59:59.999999+00:00", "2026-01-31", "2026-01"),
        ("2026-02-01T00:00:00+00:00", "2026-02-01", "2026-02"),
        ("2028-02-29T12:00:00+00:00", "2028-02-29", "2028-02"),
    ],
)
def test_periods_are_days_and_months_in_utc(moment: str, day: str, month: str) -> None:
    at_ns = int(datetime.fromisoformat(moment).timestamp()) * 10**9
    assert period_at(Period.DAY, at_ns) == day
    assert period_at(Period.MONTH, at_ns) == month


@pytest.mark.parametrize(
    ("period", "end"),
    [
        ("2026-11-30", (2026, 12, 1)),
        ("2026-12", (2027, 1, 1)),
        ("2026-02", (2026, 3, 1)),
        ("2028-02-28", (2028, 2, 29)),
    ],
)
def test_a_period_ends_where_the_next_begins(period: str, end: tuple[int, int, int]) -> None:
    assert end_of(period) == datetime(*end, tzinfo=UTC)
    kind = Period.DAY if len(period) == 10 else Period.MONTH
    assert begins(period_at(kind, int(end_of(period).timestamp()) * 10**9), after=period)
    assert not begins(period, after=period)
