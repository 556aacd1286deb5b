"""What DynamoDB holds of a query, and which of its states a write may start from."""

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from pynamodb.attributes import (
    Attribute,
    BinaryAttribute,
    BooleanAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from llm_gateway.domain.queries import Lease, Mode, Query, QueryProblem, QueryStatus, QuerySummary, as_told
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.documents import Kept
from llm_gateway.stores.tables import Item, MillisecondsAttribute

if TYPE_CHECKING:
    from llm_gateway.domain.accounts import Taken
    from llm_gateway.domain.terms import Terms


class QueryItem(Item):
    """A body is either in the item, packed, or at a key of the body store. `expires_at` is in whole seconds, for the TTL.

    While the query is held, `held_until` says how long; `holder` stays for the next to come. `problem` is why it failed, or
    will have failed if nobody succeeds. `write_id` names the write that made the item, and later the one that ended the query.
    """

    query_id = UnicodeAttribute(hash_key=True)
    owner = UnicodeAttribute()
    mode = UnicodeAttribute()
    status = UnicodeAttribute()
    created_at = UTCDateTimeAttribute()
    expires_at = NumberAttribute()
    attempts = NumberAttribute()
    due_at = UTCDateTimeAttribute(null=True)
    started_at = UTCDateTimeAttribute(null=True)
    completed_at = UTCDateTimeAttribute(null=True)
    holder = UnicodeAttribute(null=True)
    held_until = MillisecondsAttribute(null=True)
    cancel_requested = BooleanAttribute(null=True)
    problem = UnicodeAttribute(null=True)
    cache_keys = UnicodeSetAttribute(null=True)
    idempotency_scope = UnicodeAttribute(null=True)
    logs_bodies = BooleanAttribute(null=True)
    terms = UnicodeAttribute(null=True)
    taken = UnicodeAttribute(null=True)
    request = BinaryAttribute(legacy_encoding=False, null=True)
    request_key = UnicodeAttribute(null=True)
    answer = BinaryAttribute(legacy_encoding=False, null=True)
    answer_key = UnicodeAttribute(null=True)


_BODIES: Final = frozenset({"request", "request_key", "answer", "answer_key", "write_id"})
STANDING: Final = [name for name in QueryItem.get_attributes() if name not in _BODIES]
"""The attributes that `summary_of` reads."""

UNFINISHED: Final = QueryItem.status.is_in(*(each.value for each in QueryStatus if not each.finished))
TO_BE_CANCELLED: Final = QueryItem.cancel_requested.exists()


def has_ended(item: QueryItem) -> bool:
    return QueryStatus(item.status).finished


def free_at(now: datetime) -> Condition:
    """Not at its end, and held by nobody."""
    free: Condition = UNFINISHED & (QueryItem.held_until.does_not_exist() | (QueryItem.held_until <= now))
    return free


def held_by(holder: str) -> Condition:
    held: Condition = (QueryItem.status == QueryStatus.RUNNING.value) & (QueryItem.holder == holder)
    return held


def first_state(query: Query) -> dict[str, Any]:
    """The attributes of a new item, without its bodies."""
    lease = query.lease
    return {
        "owner": query.owner,
        "mode": query.mode,
        "status": query.status.value,
        "created_at": query.created_at,
        "expires_at": math.ceil(query.expires_at.timestamp()),
        "attempts": query.attempts,
        "due_at": query.due_at,
        "started_at": query.started_at,
        "completed_at": query.completed_at,
        "holder": lease.holder if lease else None,
        "held_until": lease.until if lease else None,
        "problem": _document(query.problem) if query.problem else None,
        "cache_keys": set(query.cache_keys) or None,
        "idempotency_scope": query.idempotency_scope,
        "logs_bodies": query.logs_bodies or None,
        **_account(query),
    }


def ending(query: Query, answer: Kept) -> list[Action]:
    """What the end of a query changes; what it has not got stays as it is."""
    changes: tuple[tuple[Attribute[Any], Any], ...] = (
        (QueryItem.status, query.status.value),
        (QueryItem.attempts, query.attempts),
        (QueryItem.started_at, query.started_at),
        (QueryItem.completed_at, query.completed_at),
        (QueryItem.problem, _document(query.problem) if query.problem else None),
        (QueryItem.cache_keys, set(query.cache_keys) or None),
        (QueryItem.idempotency_scope, query.idempotency_scope),
        (QueryItem.answer, answer.packed),
        (QueryItem.answer_key, answer.key),
    )
    return [attribute.set(value) for attribute, value in changes if value is not None]


def cancelling(now: datetime, *, write_id: str) -> list[Action]:
    return [
        QueryItem.status.set(QueryStatus.CANCELLED.value),
        QueryItem.completed_at.set(now),
        QueryItem.write_id.set(write_id),
    ]


def failing(problem: QueryProblem, *, now: datetime, write_id: str) -> list[Action]:
    """Fails a query with the problem that is kept, or else with `problem`."""
    return [
        QueryItem.status.set(QueryStatus.FAILED.value),
        QueryItem.completed_at.set(now),
        QueryItem.problem.set(QueryItem.problem | _document(problem)),
        QueryItem.write_id.set(write_id),
    ]


def taking_up(lease: Lease, *, now: datetime) -> list[Action]:
    return [
        QueryItem.status.set(QueryStatus.RUNNING.value),
        QueryItem.attempts.add(1),
        QueryItem.started_at.set(now),
        QueryItem.holder.set(lease.holder),
        QueryItem.held_until.set(lease.until),
    ]


def giving_back(problem: QueryProblem | None, *, counted: bool) -> list[Action]:
    changes: list[Action] = [
        QueryItem.status.set(QueryStatus.QUEUED.value),
        QueryItem.held_until.remove(),
        QueryItem.started_at.remove(),
    ]
    if problem is not None:
        changes.append(QueryItem.problem.set(_document(problem)))
    if not counted:
        changes.append(QueryItem.attempts.add(-1))
    return changes


def summary_of(item: QueryItem, *, now: datetime) -> QuerySummary | None:
    """Where the query stands; None where its time is over: DynamoDB deletes what has expired within days, not at once."""
    if item.expires_at <= now.timestamp():
        return None
    status = QueryStatus(item.status)
    summary = QuerySummary(
        id=item.query_id,
        owner=item.owner,
        mode=cast(Mode, item.mode),
        status=status,
        created_at=item.created_at,
        expires_at=datetime.fromtimestamp(item.expires_at, tz=UTC),
        attempts=int(item.attempts),
        due_at=item.due_at,
        started_at=item.started_at,
        completed_at=item.completed_at,
        fault=None if status.finished else _problem_of(item),
        problem=_problem_of(item) if status is QueryStatus.FAILED else None,
        lease=_lease_of(item) if status is QueryStatus.RUNNING else None,
        cancel_requested=bool(item.cancel_requested),
        cache_keys=frozenset(item.cache_keys or ()),
        idempotency_scope=item.idempotency_scope,
        logs_bodies=bool(item.logs_bodies),
        terms=_terms_of(item),
        taken=_taken_of(item),
    )
    return as_told(summary, now=now)


# Imported where there is something to read: most queries are asked with a key that has neither limits nor a budget.


def _account(query: Query) -> dict[str, str]:
    kept: dict[str, str] = {}
    if query.terms is not None:
        from llm_gateway.domain.terms import Terms

        kept["terms"] = to_json(Terms, query.terms).decode()
    if query.taken is not None:
        from llm_gateway.domain.accounts import Taken

        kept["taken"] = to_json(Taken, query.taken).decode()
    return kept


def _terms_of(item: QueryItem) -> "Terms | None":
    if not item.terms:
        return None
    from llm_gateway.domain.terms import Terms

    return from_json(Terms, item.terms)


def _taken_of(item: QueryItem) -> "Taken | None":
    if not item.taken:
        return None
    from llm_gateway.domain.accounts import Taken

    return from_json(Taken, item.taken)


def _lease_of(item: QueryItem) -> Lease | None:
    return Lease(holder=item.holder, until=item.held_until) if item.held_until else None


def _problem_of(item: QueryItem) -> QueryProblem | None:
    return from_json(QueryProblem, item.problem) if item.problem else None


def _document(problem: QueryProblem) -> str:
    return to_json(QueryProblem, problem).decode()
