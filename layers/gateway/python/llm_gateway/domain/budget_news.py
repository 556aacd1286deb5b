"""News of budgets: that one is mostly or wholly spent, told once in a period however many processes see it."""

from datetime import datetime
from decimal import Decimal
from typing import Final

from llm_gateway.domain.budgets import Standing
from llm_gateway.domain.keys import Budget
from llm_gateway.domain.money import EXACT
from llm_gateway.domain.periods import end_of
from llm_gateway.domain.writes import Equal, Item, Put, Write
from llm_gateway.values import dataclass

PERCENTS: Final = (80, 100)
"""Where a budget's spending is told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetReached:
    """A key has spent `percent` of its budget, or at 100 has no room left for what it asks. Told once in a period."""

    key_id: str
    percent: int
    period: str
    amount_usd: Decimal
    spent_usd: Decimal
    resets_at: datetime


def news_of(budget: Budget, item: Item, *, key_id: str, used_up: bool = False) -> tuple[Write, list[BudgetReached]]:
    """The write by which one writer takes it upon itself to tell how much was spent, and what there is to tell: mostly nothing.

    `used_up` where a query was refused that cost more than is left.
    """
    standing = Standing.of(item)
    if not budget.amount or standing.period is None:
        return Write(), []
    spent = {each: EXACT.multiply(standing.spent, 100) >= EXACT.multiply(budget.amount, each) for each in PERCENTS}
    reached = [each for each in PERCENTS if spent[each] or (used_up and spent[PERCENTS[0]])]
    news = [each for each in reached if each > standing.told]
    if not news:
        return Write(), []
    write = Write((Equal("period", standing.period), Equal("told", standing.told)), (Put("told", news[-1]),))
    return write, [
        BudgetReached(
            key_id=key_id,
            percent=each,
            period=standing.period,
            amount_usd=budget.amount,
            spent_usd=standing.spent,
            resets_at=end_of(standing.period),
        )
        for each in news
    ]
