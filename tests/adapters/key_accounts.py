"""Keys' accounts: over items in memory with the rules of the real ones, or as a test has filled them."""

from dataclasses import dataclass, field

from llm_gateway.domain.budget_news import BudgetReached
from llm_gateway.domain.keys import ApiKey, BudgetState
from llm_gateway.ports.keys import BudgetEvents, KeyAccounts
from llm_gateway.ports.system import Clock
from llm_gateway.stores.accounts import StoredKeyAccounts
from llm_gateway.stores.items import Items

from tests.adapters.items import InMemoryItems


class FixedAccounts(KeyAccounts):
    def __init__(self, **states: BudgetState) -> None:
        self._states = states

    def state(self, key: ApiKey) -> BudgetState | None:
        return self._states.get(key.id)


@dataclass
class RecordingBudgetEvents(BudgetEvents):
    news: list[BudgetReached] = field(default_factory=list)

    def reached(self, news: BudgetReached) -> None:
        self.news.append(news)


def in_memory_accounts(
    clock: Clock, events: BudgetEvents | None = None, items: Items | None = None
) -> StoredKeyAccounts:
    """A process's accounts. Several on the same `items` are several processes."""
    return StoredKeyAccounts(items=items or InMemoryItems(), clock=clock, events=events or RecordingBudgetEvents())
