"""Erasures in memory."""

from llm_gateway.domain.erasures import Erasure
from llm_gateway.errors import ErasureNotFound
from llm_gateway.ports.erasures import ErasureStore

from tests.adapters.collection import InMemoryCollection


class InMemoryErasureStore(InMemoryCollection[Erasure], ErasureStore):
    def __init__(self) -> None:
        super().__init__(name="erasure", not_found=ErasureNotFound)
