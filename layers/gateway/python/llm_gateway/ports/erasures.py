"""Erasures: their records, and the queries that they are about."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llm_gateway.domain.erasures import Erasure
from llm_gateway.ports.collections import Collection

if TYPE_CHECKING:
    from llm_gateway.domain.erasures import Target


class ErasureStore(Collection[Erasure], Protocol):
    """Every method raises `DependencyUnavailable` where it cannot be reached."""


class Erasable(Protocol):
    def of_target(self, target: Target, *, before: str, limit: int) -> tuple[tuple[str, ...], str | None]:
        """The newest queries' ids below `before`, and below which id to go on: None after the last.

        It may lag behind the queries by seconds: one that is gone may still be among them. Raises `DependencyUnavailable`.
        """
        ...
