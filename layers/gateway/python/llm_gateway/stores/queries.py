"""Queries in DynamoDB with their bodies: inside the item while they fit, in S3 beyond that."""

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Final

from llm_gateway.access import QUERY_BODIES, SHORTER_BODIES
from llm_gateway.domain.queries import (
    Ending,
    Lease,
    Query,
    QueryAnswer,
    QueryProblem,
    QueryRequest,
    QueryStatus,
    QuerySummary,
)
from llm_gateway.errors import AlreadyExists, DependencyUnavailable
from llm_gateway.ports.queries import BodyStore
from llm_gateway.ports.system import Clock, Ids
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.connection import Aws, ConditionFailed, reaching
from llm_gateway.stores.described_items import DescribedItems, Outcome
from llm_gateway.stores.documents import Documents, Kept, Owner, Sealing
from llm_gateway.stores.expressions import Changes, Where, above, absent, equal
from llm_gateway.stores.query_items import (
    ENDED,
    NOT_TO_BE_CANCELLED,
    STANDING,
    UNFINISHED,
    QueryItem,
    Replaced,
    cancelling,
    ending,
    erasing,
    failing,
    first_state,
    free_at,
    giving_back,
    has_ended,
    held_by,
    is_erased,
    redacting,
    summary_of,
    taking_up,
)
from llm_gateway.stores.raw_items import is_key

TRIES: Final = 4

_DAY: Final = timedelta(days=1)
_SECOND: Final = timedelta(seconds=1)

_KEYS: Final = ("request_key", "answer_key")
_SUMMARY: Final = [field.name for field in fields(QuerySummary)]


class DynamoQueryStore:
    """One call to DynamoDB each, where nobody else changes the query meanwhile; two to mark or end what is to be cancelled."""

    def __init__(
        self,
        *,
        aws: Aws,
        table: str,
        bodies: BodyStore,
        clock: Clock,
        ids: Ids,
        sealing: Sealing | None = None,
        retention_days: int = 0,
    ) -> None:
        """Large bodies of queries that are kept for less than `retention_days` are where they are deleted sooner."""
        self._items = DescribedItems(QueryItem, aws=aws, table=table, key_name="query_id")
        self._documents = Documents(bodies, sealing)
        self._retention_days = retention_days
        self._clock = clock
        self._ids = ids

    def add(self, query: Query) -> None:
        write_id = self._ids.ulid()
        request, answer = self._keep_request(query, write_id), self._keep_answer(query, write_id)
        values = {
            **first_state(query),
            "request": request.packed,
            "request_key": request.key,
            "answer": answer.packed,
            "answer_key": answer.key,
        }
        try:
            with reaching("queries"):
                self._items.put_new(values, write_id=write_id)
        except ConditionFailed:
            self._documents.discard(request, answer)
            raise AlreadyExists(f"The query id {query.id!r} is taken.") from None

    def get(self, query_id: str) -> Query | None:
        item = self._item(query_id)
        return None if item is None else self._whole(item)

    def summary(self, query_id: str) -> QuerySummary | None:
        item = self._item(query_id, attributes=STANDING)
        return None if item is None else self._told(item)

    def claim(self, query_id: str, *, until: datetime) -> Query | None:
        now, lease = self._clock.now(), Lease(holder=self._ids.ulid(), until=until)
        claimed = self._change(query_id, taking_up(lease, now=now), where=free_at(now) & NOT_TO_BE_CANCELLED)
        item = claimed.item
        # A claim that went through although its answer was lost is sent again, and then meets itself.
        mine = item is not None and (claimed.done or item.holder == lease.holder)
        return self._whole(item) if item is not None and mine else None

    def renew(self, query: Query, *, until: datetime) -> bool:
        return self._note(query.id, {"held_until": until}, where=held_by(_holder(query)) & NOT_TO_BE_CANCELLED)

    def requeue(self, query: Query, *, problem: QueryProblem | None, counted: bool) -> bool:
        holder = _holder(query)
        where = held_by(holder) & NOT_TO_BE_CANCELLED
        given_back = self._change(query.id, giving_back(query, problem, counted=counted), where=where)
        item = given_back.item
        return item is not None and item.holder == holder and item.status == QueryStatus.QUEUED

    def finish(self, query: Query) -> bool:
        # A holder's own, so that it may ask again.
        write_id = f"{query.lease.holder}-end" if query.lease else self._ids.ulid()
        answer = self._keep_answer(query, write_id)
        redacted = self._redacted_request(query, write_id)
        anybodys = query.status is QueryStatus.SUCCEEDED or query.lease is None
        allowed = UNFINISHED if anybodys else held_by(_holder(query))
        changes = {**ending(query, answer), **redacting(redacted), "write_id": write_id}
        done = self._note(query.id, changes, where=allowed | equal("write_id", write_id))
        if not done:
            self._documents.discard(answer, redacted.now)
        else:
            self._documents.discard(redacted.before)
        return done

    def cancel(self, query_id: str) -> Ending | None:
        write_id = self._ids.ulid()
        for _ in range(TRIES):
            now = self._clock.now()
            outcome = self._cancel_if_free(query_id, now, write_id)
            if not outcome.done and outcome.item is not None and not has_ended(outcome.item):
                held = UNFINISHED & above("held_until", now)
                outcome = self._change(query_id, {"cancel_requested": True}, where=held)
            if outcome.done or outcome.item is None or has_ended(outcome.item):
                return self._ending(outcome.item, write_id)
        raise _contended(query_id)

    def bury(self, query_id: str, *, problem: QueryProblem) -> Ending | None:
        now, write_id = self._clock.now(), self._ids.ulid()
        where = free_at(now) & NOT_TO_BE_CANCELLED
        outcome = self._change(query_id, failing(query_id, problem, now=now, write_id=write_id), where=where)
        if not outcome.done and outcome.item is not None and outcome.item.cancel_requested:
            outcome = self._cancel_if_free(query_id, now, write_id)
        return self._ending(outcome.item, write_id)

    def redact(self, query: Query) -> None:
        redacted = self._redacted_request(query, self._ids.ulid())
        if redacted.now.is_there:
            same = _is("request_key", redacted.before.key)
            done = self._note(query.id, redacting(redacted), where=ENDED & same)
            self._documents.discard(redacted.before if done else redacted.now)

    def erase(self, query_id: str) -> Ending | None:
        item = self._item(query_id, attributes=[*STANDING, *_KEYS])
        for _ in range(TRIES):
            summary = None if item is None else self._told(item)
            if item is None or summary is None:
                return None
            # An item that went ahead of its bodies would leave them to nobody, were S3 away: it goes when they are gone.
            self._documents.delete(item.request_key, item.answer_key)
            outcome = self._change(query_id, erasing(summary, now=self._clock.now()), where=_unchanged(item))
            if outcome.done:
                return Ending(query=summary, ended_now=not has_ended(item))
            item = outcome.item
        raise _contended(query_id)

    def drop(self, query_id: str) -> None:
        # As above: its bodies go first.
        request_key = answer_key = None
        for _ in range(TRIES):
            unchanged = _is("request_key", request_key) & _is("answer_key", answer_key)
            with reaching("queries"):
                outcome = self._items.erase(query_id, where=unchanged)
            item = outcome.item
            if outcome.done or item is None:
                return
            request_key, answer_key = item.request_key, item.answer_key
            self._documents.delete(request_key, answer_key)
        raise _contended(query_id)

    def _note(self, query_id: str, changes: Changes, *, where: Where) -> bool:
        """Whether it was done. Not `_change`: nothing of a large item need come back."""
        try:
            with reaching("queries"):
                self._items.note(query_id, changes, where=where)
        except ConditionFailed:
            return False
        return True

    def _change(self, query_id: str, changes: Changes, *, where: Where) -> Outcome[QueryItem]:
        if not is_key(query_id):
            return Outcome(done=False, item=None)
        with reaching("queries"):
            outcome = self._items.change(query_id, changes, where=where)
        erased = not outcome.done and outcome.item is not None and is_erased(outcome.item)
        return Outcome(done=False, item=None) if erased else outcome

    def _cancel_if_free(self, query_id: str, now: datetime, write_id: str) -> Outcome[QueryItem]:
        return self._change(query_id, cancelling(query_id, now, write_id=write_id), where=free_at(now))

    def _ending(self, item: QueryItem | None, write_id: str) -> Ending | None:
        """Where the query stands after a write that was to end it; the one that did has left its id there."""
        summary = None if item is None else self._told(item)
        if item is None or summary is None:
            return None
        return Ending(query=summary, ended_now=item.write_id == write_id)

    def _item(self, query_id: str, *, attributes: list[str] | None = None) -> QueryItem | None:
        if not is_key(query_id):
            return None
        with reaching("queries"):
            item = self._items.find(query_id, attributes=attributes)
        return None if item is None or is_erased(item) else item

    def _told(self, item: QueryItem) -> QuerySummary | None:
        return summary_of(item, now=self._clock.now())

    def _whole(self, item: QueryItem) -> Query | None:
        summary = self._told(item)
        if summary is None:
            return None
        owner = Owner(key_id=item.owner, query_id=item.query_id)
        answered = Kept(packed=item.answer, key=item.answer_key)
        request = self._documents.read(Kept(packed=item.request, key=item.request_key), owner=owner)
        answer = self._documents.read(answered, owner=owner)
        if request is None or (answer is None and answered.is_there):
            # Erased between the two reads, or with all that its key has sealed.
            return None
        return Query(
            **{name: getattr(summary, name) for name in _SUMMARY},
            request=from_json(QueryRequest, request),
            answer=None if answer is None else from_json(QueryAnswer, answer),
        )

    def _redacted_request(self, query: Query, write_id: str) -> Replaced:
        """The words of a query that are redacted at its end, in the place of those that were sealed for its worker."""
        if query.request.privacy is None or not query.request.privacy.is_redacted:
            return Replaced()
        item = self._item(query.id, attributes=list(_KEYS))
        return Replaced(
            before=Kept(key=item.request_key if item else None), now=self._keep_request(query, f"{write_id}-redacted")
        )

    def _keep_request(self, query: Query, write_id: str) -> Kept:
        # A request is mostly what nobody asked for, and each 1 KB of it is paid for.
        document = to_json(QueryRequest, query.request, with_nulls=False)
        privacy = query.request.privacy
        is_open = privacy is not None and privacy.is_redacted and not query.status.finished
        return self._documents.keep(
            document, key=self._place(query, "request", write_id), owner=_owner(query), must_be_sealed=is_open
        )

    def _keep_answer(self, query: Query, write_id: str) -> Kept:
        document = None if query.answer is None else to_json(QueryAnswer, query.answer)
        return self._documents.keep(document, key=self._place(query, "answer", write_id), owner=_owner(query))

    def _place(self, query: Query, what: str, write_id: str) -> str:
        # Read back it is a second more at most: items have whole ones.
        days = -((query.created_at - query.expires_at + _SECOND) // _DAY)
        shorter = (each for each in SHORTER_BODIES if days <= each < self._retention_days)
        return f"{SHORTER_BODIES.get(next(shorter, 0), QUERY_BODIES)}{query.id}/{what}/{write_id}"


def _owner(query: Query) -> Owner:
    return Owner(key_id=query.owner, query_id=query.id)


def _holder(query: Query) -> str:
    """Raises ValueError for a query that was not taken up: it is not its owner's to give back or to renew."""
    if query.lease is None:
        raise ValueError(f"query {query.id} has no lease")
    return query.lease.holder


def _unchanged(item: QueryItem) -> Where:
    bodies = _is("request_key", item.request_key) & _is("answer_key", item.answer_key)
    return equal("status", item.status) & bodies


def _is(attribute: str, value: str | None) -> Where:
    return absent(attribute) if value is None else equal(attribute, value)


def _contended(query_id: str) -> DependencyUnavailable:
    return DependencyUnavailable(f"Query {query_id!r} is changing too fast right now.", retry_after_s=1)
