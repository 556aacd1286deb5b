"""The tables of a backup, in memory."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from llm_gateway.services.backups import KEYS


def _nothing() -> dict[str, list[dict[str, Any]]]:
    return {table: [] for table in KEYS}


@dataclass
class InMemoryConfigurationTables:
    kept: dict[str, list[dict[str, Any]]] = field(default_factory=_nothing)

    def items(self, table: str) -> Iterator[Mapping[str, Any]]:
        yield from self.kept[table]

    def put_new(self, table: str, item: Mapping[str, Any]) -> bool:
        key = [item[name] for name in KEYS[table]]
        if any([there[name] for name in KEYS[table]] == key for there in self.kept[table]):
            return False
        self.kept[table].append(dict(item))
        return True
