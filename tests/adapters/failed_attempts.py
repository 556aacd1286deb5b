"""Failed authentication, counted over items in memory."""

from llm_gateway.stores.failed_attempts import StoredFailedAttempts

from tests.adapters.items import InMemoryItems


class InMemoryFailedAttempts(StoredFailedAttempts):
    """`items` may be looked into, and its `fault` set."""

    def __init__(self) -> None:
        self.items = InMemoryItems()
        super().__init__(items=self.items)
