"""Listing: which queries there are, and what became of them, without a word of their content."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.keys import Caller
from llm_gateway.errors import ValidationFailed
from llm_gateway.ports.queries import QueryIndex, QuerySearch
from llm_gateway.ports.system import Clock, Page

if TYPE_CHECKING:
    from llm_gateway.domain.queries import QueryStatus, QuerySummary

_DEFAULT_WINDOW: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueriesWanted:
    """Queries that came in from `since` on and before `until` (the last 24 hours where neither is given), with this status, made
    from the prompt of this id."""

    status: "QueryStatus | None" = None
    since: datetime | None = None
    until: datetime | None = None
    prompt: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lister:
    """Lists queries to their owner, and everybody's to those who may see their status. They are kept for `retention`."""

    index: QueryIndex
    clock: Clock
    retention: timedelta

    def page(self, wanted: QueriesWanted, *, caller: Caller, limit: int, cursor: str | None) -> "Page[QuerySummary]":
        """Queries, newest first. Raises `ValidationFailed` for a span that ends before it begins, `MalformedRequest` for a cursor
        of another list."""
        now = self.clock.now()
        until = wanted.until or now
        oldest = now - self.retention
        since = wanted.since or max(until, oldest + _DEFAULT_WINDOW) - _DEFAULT_WINDOW
        if since >= until and wanted.since is not None:
            raise ValidationFailed.of("from", "must be earlier than `to`")
        everybodys = caller.sees_everybodys_queries(content=False)
        search = QuerySearch(
            since=max(since, oldest),
            until=min(until, now + _DEFAULT_WINDOW),
            owner=None if everybodys else caller.key_id,
            status=wanted.status,
            prompt=wanted.prompt,
        )
        return self.index.page(search, limit=limit, cursor=cursor)
