"""Waits of keys in the table of limits: one conditional write begins one, and one ends it.

A second write begins a key's first, and one that finds as many there as may be, some of them over.
"""

import logging
from datetime import datetime
from typing import Final

from llm_gateway.domain.concurrency import leaving
from llm_gateway.domain.limits import to_ns
from llm_gateway.domain.waits import UNSEEN, entering, has_entered, scope_of
from llm_gateway.domain.writes import Write
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.system import Ids
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.items import DynamoItems, Items

_TRIES: Final = 8

_log = logging.getLogger(__name__)


def dynamo_waits(*, aws: Aws, table: str, ids: Ids) -> "StoredWaits":
    return StoredWaits(items=DynamoItems(aws=aws, table=table, key_name="scope", holding="limits"), ids=ids)


class StoredWaits:
    def __init__(self, *, items: Items, ids: Ids) -> None:
        self._items = items
        self._ids = ids

    def begin(self, key_id: str, *, lasting_s: float, now: datetime) -> str:
        wait_id, item = self._ids.ulid(), UNSEEN
        for _ in range(_TRIES):
            write = entering(item, wait_id, lasting_s=lasting_s, now_ns=to_ns(now))
            if not isinstance(write, Write):
                raise write
            outcome = self._items.write(scope_of(key_id), write)
            if outcome.done or has_entered(outcome.item, wait_id):
                return wait_id
            item = outcome.item
        raise DependencyUnavailable("The key's waits are too contended right now.", retry_after_s=1)

    def end(self, key_id: str, wait_id: str) -> None:
        try:
            self._items.write(scope_of(key_id), leaving(wait_id))
        except DependencyUnavailable:
            _log.warning("A wait of key %s is over and still counted, until its time is up.", key_id, exc_info=True)
