"""The index of the queries in memory: it never lags."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from llm_gateway.domain.cursors import from_cursor, malformed, to_cursor
from llm_gateway.domain.erasures import Target, subject_of
from llm_gateway.domain.identifiers import QUERY_PREFIX, has_a_date
from llm_gateway.domain.queries import Query, QuerySummary, as_listed
from llm_gateway.domain.usage import HOUR, UsageRecord
from llm_gateway.ports.queries import QueryIndex, QuerySearch
from llm_gateway.ports.system import Clock, Page

from tests.adapters.query_store import InMemoryQueryStore


class InMemoryQueryIndex(QueryIndex):
    def __init__(self, store: InMemoryQueryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def page(self, search: QuerySearch, *, limit: int, cursor: str | None) -> Page[QuerySummary]:
        now = self._clock.now()
        listed = [
            as_listed(replace(query, lease=None), now=now) for query in self._store.all() if query.expires_at > now
        ]
        found = [query for query in listed if search.owner in (None, query.owner) and search.matches(query)]
        before = _place(cursor) if cursor else None
        newest = sorted(found, key=lambda query: query.id, reverse=True)
        left = [query for query in newest if before is None or query.id < before]
        shown = tuple(left[:limit])
        return Page(items=shown, next_cursor=to_cursor({"before": shown[-1].id}) if len(left) > limit else None)

    def of_target(self, target: Target, *, before: str, limit: int) -> tuple[tuple[str, ...], str | None]:
        def is_about(query: QuerySummary) -> bool:
            if target.key_id is not None:
                return query.owner == target.key_id
            return (
                isinstance(query, Query) and subject_of(query.request.metadata, query.request.privacy) == target.subject
            )

        about = (query.id for query in self._store.all() if query.id < before and is_about(query))
        found = sorted(about, reverse=True)
        return tuple(found[:limit]), found[limit - 1] if len(found) > limit else None

    def ended(self, hour: datetime, *, owner: str | None = None) -> Iterator[UsageRecord]:
        for record in self._store.counted(hour, hour + HOUR):
            if owner in (None, record.group.key):
                yield record


def _place(cursor: str) -> str:
    before = from_cursor(cursor, "before")["before"]
    if not has_a_date(before, prefix=QUERY_PREFIX):
        raise malformed()
    return before
