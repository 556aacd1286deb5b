"""What DynamoDB holds of a query, which of its states a write may start from, and under what its indexes find it.

Four indexes hold what is small of a query, and nothing of what was asked or answered: two list queries from when they come in,
one counts them from when they end, and one finds those that name a subject, by its digest. An index is spread over `SHARDS`
partitions for each owner, day, hour and subject: where one of them takes no more writes, the table takes none either.
"""

import math
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast
from zlib import crc32

from pynamodb.attributes import (
    BinaryAttribute,
    BooleanAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
)

from llm_gateway.domain.identifiers import QUERY_PREFIX, made_at_s
from llm_gateway.domain.queries import (
    Figures,
    Lease,
    Mode,
    PromptUsed,
    Query,
    QueryProblem,
    QueryStatus,
    QuerySummary,
    as_told,
)
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.described_items import DescribedItem, MillisecondsAttribute, MomentAttribute
from llm_gateway.stores.documents import Kept
from llm_gateway.stores.expressions import Changes, IfAbsent, Plus, Where, absent, among, at_most, equal

if TYPE_CHECKING:
    from llm_gateway.domain.accounts import Taken
    from llm_gateway.domain.terms import Terms
    from llm_gateway.domain.usage import UsageRecord


class QueryItem(DescribedItem):
    """A body is either in the item, packed, or at a key of the body store. `expires_at` is in whole seconds, for the TTL.

    While the query is held, `held_until` says how long; `holder` stays for the next to come. `problem` is why it failed, or
    will have failed if nobody succeeds. `write_id` names the write that made the item, and later the one that ended the query.

    `listed_by`, `listed_on`, `ended_in` and `subject_in` are the indexes' keys. Of an erased query nothing is left but how it is
    `counted`.
    """

    query_id = UnicodeAttribute(hash_key=True)
    owner = UnicodeAttribute()
    mode = UnicodeAttribute()
    status = UnicodeAttribute()
    created_at = MomentAttribute()
    expires_at = NumberAttribute()
    attempts = NumberAttribute()
    due_at = MomentAttribute(null=True)
    started_at = MomentAttribute(null=True)
    completed_at = MomentAttribute(null=True)
    holder = UnicodeAttribute(null=True)
    held_until = MillisecondsAttribute(null=True)
    cancel_requested = BooleanAttribute(null=True)
    problem = UnicodeAttribute(null=True)
    cache_keys = UnicodeSetAttribute(null=True)
    idempotency_scope = UnicodeAttribute(null=True)
    logs_bodies = BooleanAttribute(null=True)
    terms = UnicodeAttribute(null=True)
    taken = UnicodeAttribute(null=True)
    tags = ListAttribute(of=UnicodeAttribute, null=True)
    prompt = UnicodeAttribute(null=True)
    figures = UnicodeAttribute(null=True)
    listed_by = UnicodeAttribute(null=True)
    listed_on = UnicodeAttribute(null=True)
    ended_in = UnicodeAttribute(null=True)
    counted = UnicodeAttribute(null=True)
    feedback = UnicodeAttribute(null=True)
    subject_in = UnicodeAttribute(null=True)
    request = BinaryAttribute(legacy_encoding=False, null=True)
    request_key = UnicodeAttribute(null=True)
    answer = BinaryAttribute(legacy_encoding=False, null=True)
    answer_key = UnicodeAttribute(null=True)


BY_OWNER: Final = "by_owner"
BY_DAY: Final = "by_day"
BY_END: Final = "by_end"
BY_SUBJECT: Final = "by_subject"
SHARDS: Final = 8
COUNTED_FOR: Final = timedelta(days=1)
"""For so long at least an erased query is still counted by itself: its hour is summed up long before."""

_KEPT: Final = frozenset({"query_id", "counted", "ended_in", "expires_at"})
_BESIDE: Final = frozenset({"request", "request_key", "answer", "answer_key", "write_id", "feedback", "subject_in"})
STANDING: Final = [name for name in QueryItem.get_attributes() if name not in _BESIDE]
"""The attributes that `summary_of` reads."""

UNFINISHED: Final = among("status", *(each.value for each in QueryStatus if not each.finished))
ENDED: Final = among("status", *(each.value for each in QueryStatus if each.finished))
NOT_TO_BE_CANCELLED: Final = absent("cancel_requested")


def partitions(of: str) -> tuple[str, ...]:
    """The partitions of an index that hold all the queries of an owner, a day or an hour."""
    return tuple(f"{of}#{shard}" for shard in range(SHARDS))


def day(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()[:10]


def hour(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()[:13]


def has_ended(item: QueryItem) -> bool:
    return QueryStatus(item.status).finished


def free_at(now: datetime) -> Where:
    """Not at its end, and held by nobody."""
    return UNFINISHED & (absent("held_until") | at_most("held_until", now))


def held_by(holder: str) -> Where:
    return equal("status", QueryStatus.RUNNING.value) & equal("holder", holder)


def first_state(query: Query) -> dict[str, Any]:
    """The attributes of a new item, without its bodies."""
    lease = query.lease
    return {
        "query_id": query.id,
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
        "tags": list(query.tags) or None,
        "prompt": _name(query.prompt) if query.prompt else None,
        "figures": _figures(query),
        "listed_by": _partition(query.owner, query.id),
        "listed_on": _partition(day(_made_at(query)), query.id),
        "ended_in": _partition(hour(query.completed_at), query.id) if query.completed_at else None,
        "subject_in": _subject(query) if query.request.metadata or query.request.privacy else None,
    }


def ending(query: Query, answer: Kept) -> Changes:
    """What the end of a query changes; what it has not got stays as it is, but for when it started."""
    changes = {
        "status": query.status.value,
        "attempts": query.attempts,
        "completed_at": query.completed_at,
        "problem": _document(query.problem) if query.problem else None,
        "cache_keys": set(query.cache_keys) or None,
        "idempotency_scope": query.idempotency_scope,
        "figures": _figures(query),
        "ended_in": _partition(hour(query.completed_at), query.id) if query.completed_at else None,
        "answer": answer.packed,
        "answer_key": answer.key,
    }
    gained = {name: value for name, value in changes.items() if value is not None}
    return {**gained, "started_at": query.started_at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replaced:
    """Where a query's words were, and where those are that take their place; nowhere where they stay."""

    before: Kept = field(default_factory=Kept)
    now: Kept = field(default_factory=Kept)


def redacting(request: Replaced) -> Changes:
    """Puts redacted words in the place of the query's own, where there are any."""
    return {"request": request.now.packed, "request_key": request.now.key} if request.now.is_there else {}


def cancelling(query_id: str, now: datetime, *, write_id: str) -> Changes:
    return {
        "status": QueryStatus.CANCELLED.value,
        "completed_at": now,
        "ended_in": _partition(hour(now), query_id),
        "write_id": write_id,
    }


def failing(query_id: str, problem: QueryProblem, *, now: datetime, write_id: str) -> Changes:
    """Fails a query with the problem that is kept, or else with `problem`."""
    return {
        "status": QueryStatus.FAILED.value,
        "completed_at": now,
        "ended_in": _partition(hour(now), query_id),
        "problem": IfAbsent(_document(problem)),
        "write_id": write_id,
    }


def taking_up(lease: Lease, *, now: datetime) -> Changes:
    return {
        "status": QueryStatus.RUNNING.value,
        "attempts": Plus(1),
        "started_at": IfAbsent(now),
        "holder": lease.holder,
        "held_until": lease.until,
    }


def giving_back(query: Query, problem: QueryProblem | None, *, counted: bool) -> Changes:
    changes: dict[str, Any] = {"status": QueryStatus.QUEUED.value, "held_until": None}
    if not counted and query.attempts == 1:
        changes["started_at"] = None
    if problem is not None:
        changes["problem"] = _document(problem)
    if not counted:
        changes["attempts"] = Plus(-1)
    return changes


def erasing(query: QuerySummary, *, now: datetime) -> Changes:
    """Leaves nothing but what the query counts as; one under way counts as cancelled."""
    from llm_gateway.domain.usage import UsageRecord

    ended = query if query.status.finished else replace(query, status=QueryStatus.CANCELLED, completed_at=now)
    record = UsageRecord.of(ended)
    if query.status is QueryStatus.RUNNING:
        # Its holder has yet to hear of it: nobody knows what its call will have cost.
        record = replace(record, cost_usd=None)
    return {
        **{name: None for name in QueryItem.get_attributes() if name not in _KEPT},
        "counted": to_json(UsageRecord, record).decode(),
        "ended_in": _partition(hour(record.completed_at), query.id),
        # As long as it would have been kept: a span of usage may begin within its hour until then.
        "expires_at": math.ceil(max(query.expires_at, now + COUNTED_FOR).timestamp()),
    }


def is_erased(item: QueryItem) -> bool:
    return item.counted is not None


def record_of(item: QueryItem) -> "UsageRecord":
    """What an ended query counts as, also of one that was erased, or whose time is over."""
    from llm_gateway.domain.usage import UsageRecord

    return from_json(UsageRecord, item.counted) if item.counted is not None else UsageRecord.of(standing_of(item))


def summary_of(item: QueryItem, *, now: datetime) -> QuerySummary | None:
    """Where the query stands; None where it is erased, or its time is over: DynamoDB deletes what has expired within days."""
    if is_erased(item) or item.expires_at <= now.timestamp():
        return None
    return as_told(standing_of(item), now=now)


def standing_of(item: QueryItem) -> QuerySummary:
    """Where the query stands as it is written, whatever time it is."""
    status = QueryStatus(item.status)
    return QuerySummary(
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
        fault=None if status in (QueryStatus.FAILED, QueryStatus.SUCCEEDED) else _problem_of(item),
        problem=_problem_of(item) if status is QueryStatus.FAILED else None,
        lease=_lease_of(item) if status is QueryStatus.RUNNING else None,
        cancel_requested=bool(item.cancel_requested),
        cache_keys=frozenset(item.cache_keys or ()),
        idempotency_scope=item.idempotency_scope,
        logs_bodies=bool(item.logs_bodies),
        terms=_terms_of(item),
        taken=_taken_of(item),
        tags=tuple(str(tag) for tag in item.tags or ()),
        prompt=_prompt_of(item),
        figures=from_json(Figures, item.figures) if item.figures else None,
    )


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


def _prompt_of(item: QueryItem) -> PromptUsed | None:
    prompt_id, _, rest = (item.prompt or "").partition("@")
    version, _, label = rest.partition(":")
    return PromptUsed(id=prompt_id, version=int(version), label=label or None) if version else None


def _name(prompt: PromptUsed) -> str:
    return f"{prompt.id}@{prompt.version}:{prompt.label}" if prompt.label else f"{prompt.id}@{prompt.version}"


def _figures(query: Query) -> str | None:
    return to_json(Figures, query.figures).decode() if query.figures else None


def _subject(query: Query) -> str | None:
    """None for most queries: they are in no index by subject, and pay for none."""
    from llm_gateway.domain.erasures import Target, subject_of

    subject = subject_of(query.request.metadata, query.request.privacy)
    return None if subject is None else _partition(Target(subject=subject).listed_under, query.id)


def _partition(of: str, query_id: str) -> str:
    # What a client gives for an id may be no text at all; it is refused with the write.
    shard = crc32(query_id.encode(errors="surrogatepass")) % SHARDS
    return f"{of}#{shard}"


def _made_at(query: QuerySummary) -> datetime:
    """As the id says it, because lists go by ids: it may be a moment after the query's own time."""
    made_s = made_at_s(query.id, prefix=QUERY_PREFIX)
    return query.created_at if made_s is None else datetime.fromtimestamp(made_s, tz=UTC)


def _document(problem: QueryProblem) -> str:
    return to_json(QueryProblem, problem).decode()
