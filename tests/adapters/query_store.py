"""Queries in memory, gone when their time is up."""

import math
from dataclasses import fields, replace
from datetime import UTC, datetime
from threading import Lock

from llm_gateway.domain.queries import Query, QuerySummary
from llm_gateway.errors import AlreadyExists
from llm_gateway.ports import Clock, QueryStore


class InMemoryQueryStore(QueryStore):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queries: dict[str, Query] = {}
        self._writing = Lock()

    def add(self, query: Query) -> None:
        with self._writing:
            if query.id in self._queries:
                raise AlreadyExists(f"The query id {query.id!r} is taken.")
            expires_at = datetime.fromtimestamp(math.ceil(query.expires_at.timestamp()), tz=UTC)
            self._queries[query.id] = replace(query, expires_at=expires_at)

    def get(self, query_id: str) -> Query | None:
        query = self._queries.get(query_id)
        return query if query is not None and query.expires_at > self._clock.now() else None

    def summary(self, query_id: str) -> QuerySummary | None:
        query = self.get(query_id)
        if query is None:
            return None
        return QuerySummary(**{field.name: getattr(query, field.name) for field in fields(QuerySummary)})

    def finish(self, query: Query) -> bool:
        with self._writing:
            stored = self._queries.get(query.id)
            if stored is None or stored.status.finished:
                return False
            self._queries[query.id] = replace(
                stored,
                status=query.status,
                attempts=query.attempts,
                started_at=query.started_at or stored.started_at,
                completed_at=query.completed_at,
                problem=query.problem,
                answer=query.answer,
            )
            return True
