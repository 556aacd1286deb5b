"""Provider gates over items in memory: the same rules, and nothing behind them."""

from llm_gateway.ports.system import Clock, Ids
from llm_gateway.stores.gates import StoredProviderGates

from tests.adapters.items import InMemoryItems


def in_memory_gates(clock: Clock, ids: Ids, items: InMemoryItems | None = None) -> StoredProviderGates:
    """A process's gates. Several on the same `items` are several processes."""
    return StoredProviderGates(items=items or InMemoryItems(), clock=clock, ids=ids)
