"""Failed authentication, counted by address in the table of limits: one conditional write each, two while the bucket fills."""

from datetime import datetime
from math import ceil
from typing import Final

from llm_gateway.domain.failed_attempts import FAILURES
from llm_gateway.domain.limits import NS_PER_S, Level, in_seconds, to_ns
from llm_gateway.domain.writes import Put, Write
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.items import DynamoItems, Items

_TRIES: Final = 4
_KEPT_S: Final = 3600
"""Longer than a full bucket takes to drain."""
_BUCKET: Final = "failures"


def dynamo_failed_attempts(*, aws: Aws, table: str) -> "StoredFailedAttempts":
    return StoredFailedAttempts(items=DynamoItems(aws=aws, table=table, key_name="scope", holding="limits"))


class StoredFailedAttempts:
    def __init__(self, *, items: Items) -> None:
        self._items = items

    def count(self, origin: str, *, now: datetime) -> float | None:
        now_ns, level = to_ns(now), Level()
        kept = Write((), (Put("expires_at", ceil(now_ns / NS_PER_S) + _KEPT_S),))
        for _ in range(_TRIES):
            taken = self._items.write(f"failed#{origin}", FAILURES.take(_BUCKET, level, now_ns=now_ns) + kept)
            if taken.done:
                return None
            level = Level.of(taken.item, _BUCKET)
            wait_ns = FAILURES.wait_ns(level, now_ns=now_ns)
            if wait_ns:
                return in_seconds(wait_ns)
        raise DependencyUnavailable("The failures of this address are too contended right now.", retry_after_s=1)
