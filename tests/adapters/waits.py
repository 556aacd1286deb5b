"""Waits of keys, counted over items in memory."""

from llm_gateway.ports.system import Ids
from llm_gateway.stores.waits import StoredWaits

from tests.adapters.items import InMemoryItems


class InMemoryWaits(StoredWaits):
    """`items` may be looked into, and its `fault` set."""

    def __init__(self, ids: Ids, items: InMemoryItems | None = None) -> None:
        self.items = items or InMemoryItems()
        super().__init__(items=self.items, ids=ids)
