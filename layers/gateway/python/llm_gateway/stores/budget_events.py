"""Budgets' events: one that is mostly or wholly spent."""

from llm_gateway.access import BUDGET_DETAIL_TYPE
from llm_gateway.domain.budget_news import BudgetReached
from llm_gateway.domain.money import usd
from llm_gateway.ports.queries import Journal
from llm_gateway.stores.event_bus import EventBus


class EventBridgeBudgetEvents:
    def __init__(self, bus: EventBus, journal: Journal) -> None:
        self._bus = bus
        self._journal = journal

    def reached(self, news: BudgetReached) -> None:
        self._journal.budget_reached(news)
        detail = {
            "key_id": news.key_id,
            "percent": news.percent,
            "period": news.period,
            "amount_usd": usd(news.amount_usd),
            "spent_usd": usd(news.spent_usd),
            "resets_at": news.resets_at.isoformat().replace("+00:00", "Z"),
        }
        self._bus.tell(BUDGET_DETAIL_TYPE, detail)
