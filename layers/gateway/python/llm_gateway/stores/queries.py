"""Queries in DynamoDB with their bodies: inside the item while they fit, in S3 beyond that."""

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pynamodb.attributes import Attribute, BinaryAttribute, NumberAttribute, UnicodeAttribute, UTCDateTimeAttribute
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.update import Action

from llm_gateway.domain.queries import Query, QueryAnswer, QueryProblem, QueryRequest, QueryStatus, QuerySummary
from llm_gateway.errors import AlreadyExists, DependencyUnavailable
from llm_gateway.ports import BodyStore, Clock, Ids
from llm_gateway.stores.codec import from_json, pack, to_json, unpack
from llm_gateway.stores.connection import Aws, ConditionFailed, reaching
from llm_gateway.stores.tables import Item, bind, is_key

MAX_INLINE_BYTES: Final = 150_000
"""Of a request, and of an answer: an item takes 400 KB, and what is left over is for all the rest."""

_UNFINISHED: Final = tuple(status.value for status in QueryStatus if not status.finished)


class QueryItem(Item):
    """A body is either in the item, packed, or at a key of the body store. `expires_at` is in whole seconds, for the TTL."""

    query_id = UnicodeAttribute(hash_key=True)
    owner = UnicodeAttribute()
    status = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    expires_at = NumberAttribute()
    attempts = NumberAttribute()
    started_at = UTCDateTimeAttribute(null=True)
    completed_at = UTCDateTimeAttribute(null=True)
    problem = UnicodeAttribute(null=True)
    request = BinaryAttribute(legacy_encoding=False, null=True)
    request_key = UnicodeAttribute(null=True)
    answer = BinaryAttribute(legacy_encoding=False, null=True)
    answer_key = UnicodeAttribute(null=True)


_BODIES: Final = frozenset({"request", "request_key", "answer", "answer_key", "write_id"})
_STANDING: Final = [name for name in QueryItem.get_attributes() if name not in _BODIES]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Body:
    """Where a body is: `packed` in the item, or at `key`; nowhere where there is none."""

    packed: bytes | None = None
    key: str | None = None


class DynamoQueryStore:
    def __init__(self, *, aws: Aws, table: str, bodies: BodyStore, clock: Clock, ids: Ids) -> None:
        self._items = bind(QueryItem, table=table, aws=aws)
        self._bodies = bodies
        self._clock = clock
        self._ids = ids

    def add(self, query: Query) -> None:
        write_id = self._ids.ulid()
        request, answer = self._keep_request(query, write_id), self._keep_answer(query, write_id)
        item = self._items(
            query.id,
            owner=query.owner,
            status=query.status.value,
            created_at=query.created_at,
            expires_at=math.ceil(query.expires_at.timestamp()),
            attempts=query.attempts,
            started_at=query.started_at,
            completed_at=query.completed_at,
            problem=_problem_document(query),
            request=request.packed,
            request_key=request.key,
            answer=answer.packed,
            answer_key=answer.key,
            write_id=write_id,
        )
        try:
            with reaching("queries"):
                item.save(QueryItem.query_id.does_not_exist() | (QueryItem.write_id == write_id))
        except ConditionFailed:
            self._discard(request, answer)
            raise AlreadyExists(f"The query id {query.id!r} is taken.") from None

    def get(self, query_id: str) -> Query | None:
        item = self._item(query_id)
        if item is None:
            return None
        request = self._read(_Body(packed=item.request, key=item.request_key))
        answer = self._read(_Body(packed=item.answer, key=item.answer_key))
        if request is None or (answer is None and item.answer_key is not None):
            # Erased between the two reads.
            return None
        return Query(
            **_standing(item),
            request=from_json(QueryRequest, request),
            answer=None if answer is None else from_json(QueryAnswer, answer),
        )

    def summary(self, query_id: str) -> QuerySummary | None:
        item = self._item(query_id, attributes=_STANDING)
        return None if item is None else QuerySummary(**_standing(item))

    def finish(self, query: Query) -> bool:
        write_id = self._ids.ulid()
        answer = self._keep_answer(query, write_id)
        unfinished = QueryItem.status.is_in(*_UNFINISHED)
        try:
            with reaching("queries"):
                # Not `Model.update`: that one reads the whole item back.
                self._items.table().update_item(
                    query.id,
                    actions=_ending(query, answer, write_id),
                    condition=unfinished | (QueryItem.write_id == write_id),
                )
        except ConditionFailed:
            self._discard(answer)
            return False
        return True

    def _item(self, query_id: str, *, attributes: list[str] | None = None) -> QueryItem | None:
        if not is_key(query_id):
            return None
        try:
            with reaching("queries"):
                item = self._items.get(query_id, consistent_read=True, attributes_to_get=attributes)
        except DoesNotExist:
            return None
        # DynamoDB deletes what has expired within days, not at once.
        return item if item.expires_at > self._clock.now().timestamp() else None

    def _keep_request(self, query: Query, write_id: str) -> _Body:
        return self._keep(to_json(QueryRequest, query.request), key=f"queries/{query.id}/request/{write_id}")

    def _keep_answer(self, query: Query, write_id: str) -> _Body:
        if query.answer is None:
            return _Body()
        return self._keep(to_json(QueryAnswer, query.answer), key=f"queries/{query.id}/answer/{write_id}")

    def _keep(self, document: bytes, *, key: str) -> _Body:
        """Stores a large body at once, ahead of the item that will point to it.

        The key is this write's own: a write that then fails its condition has not touched what the item points to.
        """
        packed = pack(document)
        if len(packed) <= MAX_INLINE_BYTES:
            return _Body(packed=packed)
        self._bodies.put(key, packed)
        return _Body(key=key)

    def _read(self, body: _Body) -> bytes | None:
        packed = body.packed if body.key is None else self._bodies.get(body.key)
        return None if packed is None else unpack(packed)

    def _discard(self, *bodies: _Body) -> None:
        """Deletes bodies that no item points to; one that cannot be deleted now goes with its bucket's lifecycle rule."""
        for body in bodies:
            if body.key is not None:
                with suppress(DependencyUnavailable):
                    self._bodies.delete(body.key)


def _standing(item: QueryItem) -> dict[str, Any]:
    """A summary's fields."""
    return {
        "id": item.query_id,
        "owner": item.owner,
        "status": QueryStatus(item.status),
        "created_at": item.created_at,
        "expires_at": datetime.fromtimestamp(item.expires_at, tz=UTC),
        "attempts": int(item.attempts),
        "started_at": item.started_at,
        "completed_at": item.completed_at,
        "problem": from_json(QueryProblem, item.problem) if item.problem is not None else None,
    }


def _ending(query: Query, answer: _Body, write_id: str) -> list[Action]:
    """What the end of a query changes; what it has not got stays as it is."""
    changes: tuple[tuple[Attribute[Any], Any], ...] = (
        (QueryItem.status, query.status.value),
        (QueryItem.attempts, query.attempts),
        (QueryItem.started_at, query.started_at),
        (QueryItem.completed_at, query.completed_at),
        (QueryItem.problem, _problem_document(query)),
        (QueryItem.answer, answer.packed),
        (QueryItem.answer_key, answer.key),
        (QueryItem.write_id, write_id),
    )
    return [attribute.set(value) for attribute, value in changes if value is not None]


def _problem_document(query: Query) -> str | None:
    return None if query.problem is None else to_json(QueryProblem, query.problem).decode()
