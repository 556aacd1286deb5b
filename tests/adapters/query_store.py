"""Queries in memory, gone when their time is up."""

import math
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from itertools import count
from threading import RLock

from llm_gateway.domain.queries import Ending, Lease, Query, QueryProblem, QueryStatus, QuerySummary, as_told
from llm_gateway.domain.usage import UsageRecord
from llm_gateway.errors import AlreadyExists
from llm_gateway.ports.queries import QueryStore
from llm_gateway.ports.system import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stored:
    """`finisher` is the holder that ended the query."""

    query: Query
    finisher: str | None = None


def _is_redacted(query: Query) -> bool:
    return query.request.privacy is not None and query.request.privacy.is_redacted


class InMemoryQueryStore(QueryStore):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stored: dict[str, _Stored] = {}
        self._counted: dict[str, UsageRecord] = {}
        self._holders = count(1)
        self._writing = RLock()

    def add(self, query: Query) -> None:
        with self._writing:
            if query.id in self._stored:
                raise AlreadyExists(f"The query id {query.id!r} is taken.")
            expires_at = datetime.fromtimestamp(math.ceil(query.expires_at.timestamp()), tz=UTC)
            self._stored[query.id] = _Stored(query=replace(query, expires_at=expires_at))

    def get(self, query_id: str) -> Query | None:
        query = self._query(query_id)
        if query is None:
            return None
        return as_told(query, now=self._clock.now())

    def summary(self, query_id: str) -> QuerySummary | None:
        query = self.get(query_id)
        if query is None:
            return None
        return QuerySummary(**{field.name: getattr(query, field.name) for field in fields(QuerySummary)})

    def claim(self, query_id: str, *, until: datetime) -> Query | None:
        with self._writing:
            query = self._query(query_id)
            if query is None or not self._is_free(query) or query.cancel_requested:
                return None
            lease = Lease(holder=f"holder-{next(self._holders)}", until=until)
            attempts, now = query.attempts + 1, self._clock.now()
            return self._write(
                replace(
                    query,
                    status=QueryStatus.RUNNING,
                    attempts=attempts,
                    started_at=query.started_at or now,
                    lease=lease,
                )
            )

    def renew(self, query: Query, *, until: datetime) -> bool:
        with self._writing:
            stored = self._held(query)
            if stored is None or stored.lease is None or stored.cancel_requested:
                return False
            self._write(replace(stored, lease=replace(stored.lease, until=until)))
            return True

    def requeue(self, query: Query, *, problem: QueryProblem | None, counted: bool) -> bool:
        with self._writing:
            stored = self._held(query)
            if stored is None or stored.cancel_requested:
                return False
            attempts = stored.attempts if counted else stored.attempts - 1
            started_at = stored.started_at if attempts else None
            queued = replace(stored, status=QueryStatus.QUEUED, attempts=attempts, started_at=started_at, lease=None)
            self._write(replace(queued, fault=problem or stored.fault))
            return True

    def finish(self, query: Query) -> bool:
        with self._writing:
            kept = self._stored.get(query.id)
            if kept is None:
                return False
            stored, holder = kept.query, query.lease.holder if query.lease else None
            if stored.status.finished:
                return holder is not None and kept.finisher == holder
            if query.status is not QueryStatus.SUCCEEDED and query.lease and self._held(query) is None:
                return False
            self._write(
                replace(
                    stored,
                    status=query.status,
                    attempts=query.attempts,
                    started_at=query.started_at,
                    completed_at=query.completed_at,
                    fault=None,
                    problem=query.problem,
                    answer=query.answer,
                    figures=query.figures,
                    lease=None,
                    cache_keys=query.cache_keys or stored.cache_keys,
                    idempotency_scope=query.idempotency_scope or stored.idempotency_scope,
                    request=query.request if _is_redacted(query) else stored.request,
                ),
                finisher=holder,
            )
            return True

    def cancel(self, query_id: str) -> Ending | None:
        with self._writing:
            query = self._query(query_id)
            free = query is not None and self._is_free(query)
            if query is not None and free:
                self._cancel(query)
            elif query is not None and not query.status.finished:
                self._write(replace(query, cancel_requested=True))
            return self._ending(query_id, ended_now=free)

    def bury(self, query_id: str, *, problem: QueryProblem) -> Ending | None:
        with self._writing:
            query = self._query(query_id)
            free = query is not None and self._is_free(query)
            if query is not None and free and query.cancel_requested:
                self._cancel(query)
            elif query is not None and free:
                now, reason = self._clock.now(), query.fault or problem
                ended = replace(query, status=QueryStatus.FAILED, completed_at=now, problem=reason, lease=None)
                self._write(replace(ended, fault=None))
            return self._ending(query_id, ended_now=free)

    def redact(self, query: Query) -> None:
        with self._writing:
            stored = self._query(query.id)
            if stored is not None and stored.status.finished and _is_redacted(query):
                self._write(replace(stored, request=query.request))

    def erase(self, query_id: str) -> Ending | None:
        with self._writing:
            summary = self.summary(query_id)
            stored = self._stored.pop(query_id, None)
            if summary is None or stored is None:
                return None
            cancelled = replace(summary, status=QueryStatus.CANCELLED, completed_at=self._clock.now())
            record = UsageRecord.of(summary if summary.status.finished else cancelled)
            runs = summary.status is QueryStatus.RUNNING
            self._counted[query_id] = replace(record, cost_usd=None) if runs else record
            return Ending(query=summary, ended_now=not stored.query.status.finished)

    def drop(self, query_id: str) -> None:
        with self._writing:
            self._stored.pop(query_id, None)

    def all(self) -> list[QuerySummary]:
        """What is stored of every query, whether or not its time is up."""
        with self._writing:
            return [stored.query for stored in self._stored.values()]

    def counted(self, since: datetime, until: datetime) -> list[UsageRecord]:
        """What the queries count as that ended from `since` on and before `until`, erased ones too."""
        ended = [query for query in self.all() if query.completed_at and since <= query.completed_at < until]
        erased = [record for record in self._counted.values() if since <= record.completed_at < until]
        return [UsageRecord.of(query) for query in ended] + erased

    def _ending(self, query_id: str, *, ended_now: bool) -> Ending | None:
        summary = self.summary(query_id)
        return None if summary is None else Ending(query=summary, ended_now=ended_now)

    def _query(self, query_id: str) -> Query | None:
        stored = self._stored.get(query_id)
        return stored.query if stored is not None and stored.query.expires_at > self._clock.now() else None

    def _held(self, query: Query) -> Query | None:
        """What is stored of the query, if it runs under the lease that is shown."""
        if query.lease is None:
            raise ValueError(f"query {query.id} has no lease")
        stored = self._stored.get(query.id)
        lease = stored.query.lease if stored is not None else None
        return stored.query if stored is not None and lease and lease.holder == query.lease.holder else None

    def _is_free(self, query: Query) -> bool:
        held = query.lease is not None and query.lease.until > self._clock.now()
        return not query.status.finished and not held

    def _cancel(self, query: Query) -> None:
        now = self._clock.now()
        self._write(replace(query, status=QueryStatus.CANCELLED, completed_at=now, lease=None, fault=None))

    def _write(self, query: Query, *, finisher: str | None = None) -> Query:
        self._stored[query.id] = _Stored(query=query, finisher=finisher)
        return query
