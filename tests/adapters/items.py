"""Items in memory: carries conditional writes out under a lock, as DynamoDB does in one step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, assert_never

from llm_gateway.domain.writes import (
    Above,
    Absent,
    Add,
    AtMost,
    Change,
    Condition,
    Contains,
    EntryEqual,
    Equal,
    Item,
    Lacks,
    Put,
    PutEntry,
    Remove,
    RemoveEntry,
    SmallerThan,
    Write,
)
from llm_gateway.stores.items import Outcome


@dataclass(slots=True)
class InMemoryItems:
    """`calls` lists what was asked, a write or a read, with its keys."""

    items: dict[str, Item] = field(default_factory=dict)
    calls: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    fault: Exception | None = None
    _lock: Lock = field(default_factory=Lock)

    def write(self, key: str, write: Write, *, repeatable: bool = True) -> Outcome:
        with self._lock:
            self._asked("write", key)
            item: dict[str, Any] = dict(self.items.get(key, {}))
            if not all(_holds(condition, item) for condition in write.conditions):
                return Outcome(done=False, item=item)
            for change in write.changes:
                _change(item, change)
            self.items[key] = item
            return Outcome(done=True, item=item)

    def read(self, keys: Sequence[str]) -> dict[str, Item]:
        with self._lock:
            self._asked("read", *keys)
            return {key: self.items.get(key, {}) for key in keys}

    def _asked(self, verb: str, *keys: str) -> None:
        self.calls.append((verb, keys))
        if self.fault:
            raise self.fault


def _holds(condition: Condition, item: Mapping[str, Any]) -> bool:
    there = condition.path in item
    match condition:
        case Absent():
            return not there
        case Equal(path, value):
            return there and bool(item[path] == value)
        case AtMost(path, value):
            return not there or bool(item[path] <= value)
        case Above(path, value):
            return there and bool(item[path] > value)
        case Contains(path, entry):
            return there and entry in item[path]
        case Lacks(path, entry):
            return there and entry not in item[path]
        case EntryEqual(path, entry, value):
            return there and entry in item[path] and bool(item[path][entry] == value)
        case SmallerThan(path, entries):
            return there and len(item[path]) < entries
    assert_never(condition)


def _change(item: dict[str, Any], change: Change) -> None:
    match change:
        case Put(path, value):
            item[path] = dict(value) if isinstance(value, Mapping) else value
        case Add(path, value):
            item[path] = item.get(path, 0) + value
        case Remove(path):
            item.pop(path, None)
        case PutEntry(path, entry, value):
            item[path] = {**item[path], entry: value}
        case RemoveEntry(path, entry):
            item[path] = {name: value for name, value in item[path].items() if name != entry}
        case _:
            assert_never(change)
