"""Feedback: what people think of answers."""

from dataclasses import dataclass
from decimal import Decimal

from llm_gateway.domain.keys import Caller
from llm_gateway.errors import QueryInProgress, QueryNotFound
from llm_gateway.ports.evals import FeedbackStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.reading import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackGiven:
    """`score` is from 0 to 1. Feedback under a `name` takes the place of what was under it before."""

    score: Decimal
    name: str = "default"
    comment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackService:
    reader: Reader
    store: FeedbackStore
    clock: Clock

    def give(self, query_id: str, given: FeedbackGiven, *, caller: Caller) -> None:
        """Raises `QueryNotFound` (somebody else's too), `QueryExpired`, `QueryInProgress` before the query's end, and
        `ValidationFailed` for one name too many."""
        query = self.reader.summary(query_id, caller=caller)
        if not query.status.finished:
            raise QueryInProgress("The query has no answer yet: give feedback when it has.", retry_after_s=1)
        was_given = self.store.give(
            query_id, name=given.name, score=given.score, comment=given.comment, at=self.clock.now()
        )
        if not was_given:
            raise QueryNotFound(query_id)
