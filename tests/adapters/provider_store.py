"""Provider configurations in memory, in order of their ids."""

from llm_gateway.domain.providers import ProviderConfig
from llm_gateway.errors import ProviderNotFound
from llm_gateway.ports.providers import ProviderStore

from tests.adapters.collection import InMemoryCollection


class InMemoryProviderStore(InMemoryCollection[ProviderConfig], ProviderStore):
    def __init__(self) -> None:
        super().__init__(name="provider", not_found=ProviderNotFound)

    def all(self, *, fresh: bool = False) -> tuple[ProviderConfig, ...]:
        return super().all()
