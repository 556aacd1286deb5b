"""Where a query stands, over HTTP."""

from typing import TYPE_CHECKING

from llm_gateway.domain.query_status import QueryStatus
from llm_gateway.wire.problems import Problem
from llm_gateway.wire.schema import Outgoing, Timestamp

if TYPE_CHECKING:
    from llm_gateway.domain.queries import QuerySummary


class StatusShown(Outgoing):
    """Where a query stands."""

    id: str
    status: QueryStatus
    attempts: int
    created_at: Timestamp
    started_at: Timestamp | None
    completed_at: Timestamp | None
    error: Problem | None

    @classmethod
    def of(cls, query: "QuerySummary") -> "StatusShown":
        return cls(
            id=query.id,
            status=query.status,
            attempts=query.attempts,
            created_at=query.created_at,
            started_at=query.started_at,
            completed_at=query.completed_at,
            error=Problem.of(query.problem, query_id=query.id) if query.problem else None,
        )


class PromptUsedShown(Outgoing):
    """The version of a prompt that a query was made from."""

    id: str
    version: int


class RoleUsedShown(Outgoing):
    """The version of a role that the query's system message has; version 0 is the one that ships with the gateway."""

    id: str
    version: int


class AcceptedShown(Outgoing):
    """A query that was taken on; where to ask for its end."""

    id: str
    status: QueryStatus
    status_url: str
    result_url: str

    @classmethod
    def of(cls, query: "QuerySummary", *, at: str) -> "AcceptedShown":
        """`at` is where the query is for the client who sent it."""
        return cls(id=query.id, status=QueryStatus.QUEUED, status_url=f"{at}/status", result_url=f"{at}/result")
