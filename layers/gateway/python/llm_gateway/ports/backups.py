"""The tables that a backup is of, item by item, as they are kept."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class ConfigurationTables(Protocol):
    """Keys, providers and prompts. An item is each attribute's name with its type and value, as DynamoDB's API shows it."""

    def items(self, table: str) -> Iterator[Mapping[str, Any]]:
        """Every item of "keys", "providers" or "prompts", each as it is when it is read."""
        ...

    def put_new(self, table: str, item: Mapping[str, Any]) -> bool:
        """Whether the item was put: one with its key that is already there stays as it is."""
        ...
