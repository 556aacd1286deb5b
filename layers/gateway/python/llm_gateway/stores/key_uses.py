"""When keys were used last, in the table of limits: nothing that merely authenticates may write keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from llm_gateway.domain.limits import from_ns, to_ns
from llm_gateway.domain.writes import AtMost, Put, Write, number
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.items import DynamoItems, Items

_USED: Final = "used_ns"


def dynamo_key_uses(*, aws: Aws, table: str) -> "StoredKeyUses":
    return StoredKeyUses(items=DynamoItems(aws=aws, table=table, key_name="scope", holding="limits"))


class StoredKeyUses:
    """An item for each key that was ever used. It does not expire: a key's last use may be years ago."""

    def __init__(self, *, items: Items) -> None:
        self._items = items

    def note(self, key_id: str, *, at: datetime) -> None:
        at_ns = to_ns(at)
        self._items.write(_scope(key_id), Write((AtMost(_USED, at_ns),), (Put(_USED, at_ns),)))

    def last(self, key_ids: Sequence[str]) -> Mapping[str, datetime]:
        found = self._items.read([_scope(key_id) for key_id in key_ids]) if key_ids else {}
        used_ns = {key_id: number(found[_scope(key_id)], _USED) for key_id in key_ids}
        return {key_id: from_ns(at_ns) for key_id, at_ns in used_ns.items() if at_ns is not None}


def _scope(key_id: str) -> str:
    return f"used#{key_id}"
