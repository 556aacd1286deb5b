"""Denials counted in the limits table: a few items a minute, with a number for each kind and actor.

A kind and its actor are the number's name. An item holds so many at most: what comes beyond them is counted together, because
a write costs by the size of its item, and a flood may come from a great many addresses.
"""

import json
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from math import ceil
from typing import Final

from llm_gateway.domain.audit.denials import OTHERS, CountedDenials, Denial
from llm_gateway.domain.audit.entries import Actor, instant
from llm_gateway.domain.audit.exhibits import canonical
from llm_gateway.domain.writes import Above, Absent, Add, AtMost, Change, Item, Put, Write, number, text
from llm_gateway.ports.audit import AuditLog
from llm_gateway.stores.changes import PreparedChange
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.items import DynamoItems, Outcome

SHARDS: Final = 4
MOST: Final = 100

_KEY: Final = "scope"
_PREFIX: Final = "denials#"
_NOTE: Final = f"{_PREFIX}entered"
_KEPT: Final = timedelta(days=2)
_COUNT: Final = "count#"
_LAST: Final = "last#"
_DIFFERENT: Final = "different"


_OTHERS: Final = Denial(actor=Actor(), action=OTHERS)


class _Changed(Exception):
    """There is another count by now, or none."""


class DynamoDenialCounters:
    """One write for each denial; two for the first of its kind in a minute, three where there is no room for it."""

    def __init__(self, *, aws: Aws, table: str, log: AuditLog) -> None:
        self._table = table
        self._items = DynamoItems(aws=aws, table=table, key_name=_KEY, holding="denials")
        self._log = log

    def count(self, denial: Denial, *, minute: datetime) -> None:
        name, again = _name(denial), Write(changes=_adding(denial, minute))
        met = self._write(denial, minute, Write(conditions=(Above(_COUNT + name, 0),)) + again)
        if met.done:
            return
        first = Write((Absent(_COUNT + name), AtMost(_DIFFERENT, MOST - 1)), (Add(_DIFFERENT, 1),))
        met = self._write(denial, minute, first + again)
        if met.done:
            return
        # Another process was first, or there is no room.
        counted_as = denial if _COUNT + name in met.item else _OTHERS
        self._write(counted_as, minute, Write(changes=_adding(counted_as, minute)))

    def counted(self, minute: datetime) -> tuple[CountedDenials, ...]:
        found = self._items.read([_key(minute, shard) for shard in range(SHARDS)])
        return tuple(counted for item in found.values() for counted in _counted(item, minute))

    def enter(self, counted: CountedDenials) -> bool:
        try:
            self._log.append(counted.deed(), self._taking(counted))
        except _Changed:
            return False
        return True

    def entered_until(self) -> datetime | None:
        until = text(self._items.read([_NOTE])[_NOTE], "until")
        return None if until is None else datetime.fromisoformat(until)

    def note_entered(self, until: datetime) -> None:
        self._items.write(_NOTE, Write(changes=(Put("until", instant(until)),)))

    def _write(self, denial: Denial, minute: datetime, write: Write) -> Outcome:
        return self._items.write(_key(minute, _shard(denial)), write, repeatable=False)

    def _taking(self, counted: CountedDenials) -> PreparedChange:
        """Removes the count, as long as it is the one that was read."""
        name = _name(counted.denial)
        operation = {
            "TableName": self._table,
            "Key": {_KEY: {"S": _key(counted.minute, _shard(counted.denial))}},
            "UpdateExpression": "REMOVE #count, #last",
            "ConditionExpression": "#count = :count",
            "ExpressionAttributeNames": {"#count": _COUNT + name, "#last": _LAST + name},
            "ExpressionAttributeValues": {":count": {"N": str(counted.count)}},
        }
        return PreparedChange(operation={"Update": operation}, refused=lambda _: _Changed())


def _adding(denial: Denial, minute: datetime) -> tuple[Change, ...]:
    name = _name(denial)
    last = canonical([denial.actor.address, denial.request_id])
    expires_at = ceil((minute + _KEPT).timestamp())
    return Add(_COUNT + name, 1), Put(_LAST + name, last), Put("expires_at", expires_at)


def _counted(item: Item, minute: datetime) -> Iterator[CountedDenials]:
    for path in item:
        count = number(item, path) if path.startswith(_COUNT) else None
        if count is not None:
            name = path.removeprefix(_COUNT)
            yield CountedDenials(denial=_denial(name, text(item, _LAST + name)), minute=minute, count=count)


def _name(denial: Denial) -> str:
    """What is counted together: those of one key wherever it was used, and without a key those from one address."""
    actor = denial.actor
    return canonical([denial.action, denial.target, actor.key_id, actor.role, None if actor.key_id else actor.address])


def _denial(name: str, last: str | None) -> Denial:
    action, target, key_id, role, _ = json.loads(name)
    address, request_id = json.loads(last) if last else (None, None)
    return Denial(
        actor=Actor(key_id=key_id, role=role, address=address), action=action, target=target, request_id=request_id
    )


def _shard(denial: Denial) -> int:
    return zlib.crc32(_name(denial).encode()) % SHARDS


def _key(minute: datetime, shard: int) -> str:
    return f"{_PREFIX}{instant(minute)}#{shard}"
