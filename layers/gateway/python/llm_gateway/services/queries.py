"""Queries: asking a model and keeping what came of it."""

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
    total_usd,
)
from llm_gateway.errors import (
    DependencyUnavailable,
    GatewayError,
    ProviderFault,
    QueryExpired,
    QueryNotFound,
)
from llm_gateway.ports import Clock, Ids, QueryStore
from llm_gateway.services.calls import Answered, Course
from llm_gateway.services.dispatch import Dispatcher
from llm_gateway.services.planning import Planner
from llm_gateway.services.together import together

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
    planner: Planner
    dispatcher: Dispatcher
    clock: Clock
    ids: Ids
    retention: timedelta

    def run(self, asked: Asked) -> Query:
        """Asks and waits. A query that cannot be planned is refused and leaves no trace; one that then fails is stored, and
        its error carries its id. Raises what `Planner.plan` and `Dispatcher.ask` raise."""
        plan = self.planner.plan(asked.request)
        query = self._new(asked)
        course = Course(deadline_s=asked.received_s + asked.request.timeout_s)
        try:
            answered = self.dispatcher.ask(plan, course)
        except GatewayError as error:
            error.query_id, error.attempts = query.id, tuple(course.attempts)
            self._close(self._failed(query, error), course)
            raise
        done = self._answered(query, answered, course, received_s=asked.received_s)
        return done if self._close(done, course) else _warned(done, NOT_STORED)

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

    def _answered(self, query: Query, answered: Answered, course: Course, *, received_s: float) -> Query:
        answer, attempts = answered.answer, tuple(course.attempts)
        return replace(
            query,
            status=QueryStatus.SUCCEEDED,
            completed_at=self.clock.now(),
            answer=QueryAnswer(
                output=Output(text=answer.text, json=answered.json, tool_calls=answer.tool_calls),
                finish_reason=answer.finish_reason,
                provider=answered.candidate.provider.id,
                model=answer.model,
                usage=answer.usage,
                cost_usd=total_usd(attempts),
                attempts=attempts,
                latency=self._latency(course, received_s=received_s),
            ),
        )

    def _latency(self, course: Course, *, received_s: float) -> Latency:
        return Latency(
            total_ms=round((self.clock.monotonic_s() - received_s) * 1000),
            provider_ms=round(course.provider_s * 1000),
            waiting_ms=round(course.waiting_s * 1000),
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

    def _close(self, query: Query, course: Course) -> bool:
        """Stores the end of a query beside all that its calls left to note; whether it could be stored."""
        stored, *_ = together(lambda: self._stores(query), *course.settlements)
        return stored is True

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
