"""Nonces of signed requests in the table of limits: one conditional write each, and the table's own expiry takes them away."""

from datetime import datetime
from math import ceil
from typing import Final

from llm_gateway.domain.writes import Absent, Put, Write
from llm_gateway.ports.system import Ids
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.items import DynamoItems, Items

_TAKER_LENGTH: Final = 16  # The random bits of a ULID.


def dynamo_nonces(*, aws: Aws, table: str, ids: Ids) -> "StoredNonces":
    return StoredNonces(items=DynamoItems(aws=aws, table=table, key_name="scope", holding="limits"), ids=ids)


class StoredNonces:
    """An item that outlives `until` still refuses its nonce. That costs nobody anything: such a signature is too old by then."""

    def __init__(self, *, items: Items, ids: Ids) -> None:
        self._items = items
        self._ids = ids

    def take(self, key_id: str, nonce: str, *, until: datetime) -> bool:
        # A write whose answer was lost is sent again, and then meets its own item.
        taker = self._ids.ulid()[-_TAKER_LENGTH:]
        write = Write((Absent("taken_by"),), (Put("taken_by", taker), Put("expires_at", ceil(until.timestamp()))))
        outcome = self._items.write(f"nonce#{key_id}#{nonce}", write)
        return outcome.done or outcome.item.get("taken_by") == taker
