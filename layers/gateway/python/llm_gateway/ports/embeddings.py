"""Embeddings, for those who rank or compare by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from llm_gateway.domain.embeddings import Embedded, EmbeddingQuery


class Embedder(Protocol):
    def embed(self, asked: EmbeddingQuery) -> Embedded:
        """A vector for each text, all by one model: another provider is asked for that model alone.

        Raises what a query does: `ValidationFailed` and its kin for what cannot be asked, `RateLimited`, `BudgetExceeded`, the
        only provider's own `ProviderFault`, `NoProviderAvailable` where several failed, `DeadlineExceeded`.
        """
        ...
