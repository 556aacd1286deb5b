"""Queries: asking a model and keeping what came of it."""

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from llm_gateway.domain.identifiers import QUERY_PREFIX, made_at_s
from llm_gateway.domain.keys import Caller
from llm_gateway.domain.queries import (
    Latency,
    Output,
    Query,
    QueryAnswer,
    QueryProblem,
    QueryRequest,
    QueryStatus,
    QuerySummary,
)
from llm_gateway.domain.routing import candidates
from llm_gateway.errors import (
    DependencyUnavailable,
    GatewayError,
    ProviderFault,
    QueryExpired,
    QueryNotFound,
)
from llm_gateway.ports import Clock, Ids, ProviderStore, QueryStore
from llm_gateway.services.dispatch import Dispatched, Dispatcher

Q = TypeVar("Q", bound=QuerySummary)

NOT_STORED = "The answer could not be stored: /status and /result will not find this query."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a caller asks, and since when (a time of the monotonic clock) it has been waiting."""

    request: QueryRequest
    caller: Caller
    received_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryService:
    """The life of a query, from its question to the day it is forgotten."""

    store: QueryStore
    providers: ProviderStore
    dispatcher: Dispatcher
    clock: Clock
    ids: Ids
    retention: timedelta

    def run(self, asked: Asked) -> Query:
        """Asks and waits. A query that cannot be routed is refused and leaves no trace; one that then fails is stored, and
        its error carries its id. Raises what `candidates` and `Dispatcher.ask` raise."""
        chosen = candidates(asked.request, self.providers.all(), draw=random.random)
        query = self._new(asked)
        try:
            deadline_s = asked.received_s + asked.request.timeout_s
            dispatched = self.dispatcher.ask(asked.request, chosen, deadline_s=deadline_s)
        except GatewayError as error:
            error.query_id = query.id
            self._stores(self._failed(query, error))
            raise
        answered = self._answered(query, dispatched, asked)
        return answered if self._stores(answered) else _warned(answered, NOT_STORED)

    def summary(self, query_id: str, *, caller: Caller) -> QuerySummary:
        """Raises `QueryNotFound` (also for somebody else's) or `QueryExpired`."""
        everybodys = caller.sees_everybodys_queries(content=False)
        return self._seen(self.store.summary(query_id), query_id, everybodys=everybodys, caller=caller)

    def get(self, query_id: str, *, caller: Caller) -> Query:
        """Raises as `summary` does."""
        everybodys = caller.sees_everybodys_queries(content=True)
        return self._seen(self.store.get(query_id), query_id, everybodys=everybodys, caller=caller)

    def _seen(self, query: Q | None, query_id: str, *, everybodys: bool, caller: Caller) -> Q:
        if query is not None and (everybodys or query.owner == caller.key_id):
            return query
        made_s = made_at_s(query_id, prefix=QUERY_PREFIX)
        if (
            query is None
            and made_s is not None
            and made_s + self.retention.total_seconds() < self.clock.now().timestamp()
        ):
            raise QueryExpired(f"Queries are kept for {self.retention.days} days.")
        raise QueryNotFound(query_id)

    def _new(self, asked: Asked) -> Query:
        now = self.clock.now()
        return Query(
            id=QUERY_PREFIX + self.ids.ulid(),
            owner=asked.caller.key_id,
            status=QueryStatus.RUNNING,
            request=asked.request,
            created_at=now,
            started_at=now,
            expires_at=now + self.retention,
            attempts=1,
        )

    def _answered(self, query: Query, dispatched: Dispatched, asked: Asked) -> Query:
        answer = dispatched.answer
        latency = Latency(
            total_ms=round((self.clock.monotonic_s() - asked.received_s) * 1000),
            provider_ms=dispatched.provider_ms,
            waiting_ms=dispatched.waiting_ms,
        )
        return replace(
            query,
            status=QueryStatus.SUCCEEDED,
            completed_at=self.clock.now(),
            answer=QueryAnswer(
                output=Output(text=answer.text, tool_calls=answer.tool_calls),
                finish_reason=answer.finish_reason,
                provider=dispatched.candidate.provider.id,
                model=answer.model,
                usage=answer.usage,
                cost_usd=dispatched.attempts[-1].cost_usd,
                attempts=dispatched.attempts,
                latency=latency,
            ),
        )

    def _failed(self, query: Query, error: GatewayError) -> Query:
        problem = QueryProblem(
            status=error.status,
            code=error.code,
            title=error.title,
            detail=error.detail,
            provider=error.provider if isinstance(error, ProviderFault) else None,
            attempts=error.attempts,
        )
        return replace(query, status=QueryStatus.FAILED, completed_at=self.clock.now(), problem=problem)

    def _stores(self, query: Query) -> bool:
        # An answer that was paid for goes out even where it cannot be kept.
        try:
            self.store.add(query)
        except DependencyUnavailable:
            return False
        return True


def _warned(query: Query, warning: str) -> Query:
    answer = query.answer
    return query if answer is None else replace(query, answer=replace(answer, warnings=(*answer.warnings, warning)))
