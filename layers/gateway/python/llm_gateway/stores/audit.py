"""The audit log in DynamoDB: an entry comes to be in one transaction with what it tells of, and with the head that it becomes.

The head is written on the condition that it is still the one before, so the chain has neither gaps nor forks; and a writer
asks for no more than to read and to put.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError

from llm_gateway.domain.audit.chain import Kept
from llm_gateway.domain.audit.entries import AuditEntry, Deed, Head, entered, number_in, place_of
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.audit import Change, Contents, Search
from llm_gateway.ports.system import Clock, Ids, Page
from llm_gateway.stores.audit_items import HOLDING, AuditItems, entry_item, head_item, write_id_of
from llm_gateway.stores.changes import PreparedChange
from llm_gateway.stores.connection import RETRY_AFTER_S, Aws, error_code, reaching
from llm_gateway.stores.cursors import from_cursor, malformed, to_cursor

_CANCELLED: Final = "TransactionCanceledException"
_REFUSED: Final = "ConditionalCheckFailed"
_OUR_OWN_FAULT: Final = "ValidationError"
_PATIENCE_S: Final = 12
"""Fifty who append at once are through within a few seconds; a request has 29."""
_FIRST_PAUSE_S: Final = 0.02
_LONGEST_PAUSE_S: Final = 0.4
_MOST_QUERIES: Final = 20
_PLACE: Final = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z#\d{12}", re.ASCII)


class _Overtaken(Exception):
    """Another entry came first."""


class DynamoAuditLog:
    """`retention` is how long DynamoDB keeps an entry, None: for ever. `draw` gives a random number in [0, 1)."""

    def __init__(
        self,
        *,
        aws: Aws,
        table: str,
        clock: Clock,
        ids: Ids,
        retention: timedelta | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._aws = aws
        self._table = table
        self._items = AuditItems(aws=aws, table=table)
        self._clock = clock
        self._ids = ids
        self._retention = retention
        self._draw = draw

    def append(self, deed: Deed, *changes: Change) -> AuditEntry:
        entry = self._append(deed, [_prepared(change) for change in changes])
        for change in changes:
            change.done()
        return entry

    def head(self) -> Head | None:
        return self._items.head()

    def page(self, search: Search, *, limit: int, cursor: str | None) -> Page[AuditEntry]:
        wanted_before = place_of(search.until, 0) if cursor is None else _before(cursor)
        head = self._items.head()
        if head is None:
            return Page(items=())
        # Outside of the log's own time there is nothing to look for.
        since = max(search.since, head.since)
        before: str | None = min(wanted_before, place_of(head.at, head.sequence + 1))
        found: list[AuditEntry] = []
        for _ in range(_MOST_QUERIES):
            if before is None or before <= place_of(since, 0):
                return Page(items=tuple(found))
            entries, before = self._items.newest(
                since=since, before=before, limit=limit + 1 - len(found), matching=_matching(search)
            )
            found += entries
            if len(found) > limit:
                return Page(items=tuple(found[:limit]), next_cursor=to_cursor({"before": found[limit - 1].place}))
        return Page(items=tuple(found), next_cursor=to_cursor({"before": before}) if before else None)

    def between(self, since: datetime, until: datetime) -> Iterator[Kept]:
        return self._items.between(since, until)

    def contents(self) -> Contents:
        before = self._items.head()
        kept = tuple(self._items.all())
        after = self._items.head()
        # What is appended while the table is read may have been read or not.
        last, end = (head.sequence if head else 0 for head in (before, after))
        return Contents(head=before, kept=tuple(one for one in kept if not last < number_in(one.place) <= end))

    def _append(self, deed: Deed, changes: Sequence[PreparedChange]) -> AuditEntry:
        give_up_s = self._clock.monotonic_s() + _PATIENCE_S
        pause_s = _FIRST_PAUSE_S
        while True:
            head = self._items.head()
            entry = entered(deed, after=head, now=self._clock.now())
            try:
                self._commit(entry, changes, after=head)
                return entry
            except _Overtaken:
                if self._clock.monotonic_s() >= give_up_s:
                    detail = "Too many changes are being made at the same time."
                    raise DependencyUnavailable(detail, retry_after_s=RETRY_AFTER_S) from None
                self._clock.sleep(pause_s * self._draw())
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _commit(self, entry: AuditEntry, changes: Sequence[PreparedChange], *, after: Head | None) -> None:
        """Raises `_Overtaken`, and what a change's condition stands for."""
        write_id = self._ids.ulid()
        put = _put(self._table, entry_item(entry, write_id=write_id, retention=self._retention), after=None)
        move = _put(self._table, head_item(entry.as_head(after)), after=after)
        try:
            with reaching(HOLDING):
                reasons = self._transact([*(change.operation for change in changes), put, move], write_id)
        except DependencyUnavailable:
            # Its answer may be all that was lost.
            if self._items.write_id(entry.place) != write_id:
                raise
            return
        if reasons and write_id_of(reasons[-2].get("Item", {})) != write_id:
            _refuse(reasons, changes)

    def _transact(self, operations: Any, write_id: str) -> Sequence[Mapping[str, Any]]:
        """For each operation why it could not be done; nothing where all were done."""
        try:
            # botocore sends again what got no answer; under its token it is done once.
            self._aws.dynamodb.transact_write_items(TransactItems=operations, ClientRequestToken=write_id)
        except ClientError as fault:
            if error_code(fault) != _CANCELLED:
                raise
            reasons: Sequence[Mapping[str, Any]] = fault.response["CancellationReasons"]
            if any(reason["Code"] == _OUR_OWN_FAULT for reason in reasons):
                raise ValueError(f"DynamoDB cannot carry out this transaction: {reasons}") from fault
            return reasons
        return ()


def _prepared(change: Change) -> PreparedChange:
    if not isinstance(change, PreparedChange):
        raise TypeError(f"not a change that a DynamoDB store has prepared: {change!r}")
    return change


def _refuse(reasons: Sequence[Mapping[str, Any]], changes: Sequence[PreparedChange]) -> None:
    """Raises why a transaction was cancelled: the first change's own reason, or that there was another at the same time."""
    for change, reason in zip(changes, reasons, strict=False):
        if reason["Code"] == _REFUSED:
            raise change.refused(reason.get("Item"))
    raise _Overtaken


def _put(table: str, item: Mapping[str, Any], *, after: Head | None) -> Mapping[str, Any]:
    """Puts what is not there yet, or in the place of the head `after`."""
    condition: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(#hash)"}
    if after is not None:
        condition = {
            "ConditionExpression": "#hash = :hash",
            "ExpressionAttributeValues": {":hash": {"S": after.hash}},
        }
    names = {"#hash": "hash"}
    return {
        "Put": {
            "TableName": table,
            "Item": item,
            "ExpressionAttributeNames": names,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            **condition,
        }
    }


def _matching(search: Search) -> dict[str, str]:
    wanted = {"actor": search.actor, "action": search.action}
    return {name: value for name, value in wanted.items() if value is not None}


def _before(cursor: str) -> str:
    before = from_cursor(cursor, "before")["before"]
    if _PLACE.fullmatch(before) is None:
        raise malformed()
    return before
