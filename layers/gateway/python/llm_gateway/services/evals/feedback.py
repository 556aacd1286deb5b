"""Feedback: what people think of answers."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from llm_gateway.domain.keys import Caller
from llm_gateway.errors import QueryInProgress, QueryNotFound
from llm_gateway.ports.evals import FeedbackStore
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.reading import Reader

if TYPE_CHECKING:
    from llm_gateway.services.privacy.policies import Policies


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
    policies: "Callable[[], Policies]"

    def give(self, query_id: str, given: FeedbackGiven, *, caller: Caller) -> None:
        """A comment is kept as the key's policies have it. Raises `QueryNotFound` (somebody else's too), `QueryExpired`,
        `QueryInProgress` before the query's end, `ValidationFailed` for one name too many, and what `Policies.kept_text` does."""
        query = self.reader.summary(query_id, caller=caller)
        if not query.status.finished:
            raise QueryInProgress("The query has no answer yet: give feedback when it has.", retry_after_s=1)
        comment = given.comment
        if comment is not None and caller.pii:
            comment = self.policies().kept_text(comment, caller.pii, key_id=caller.key_id, field="comment")
        was_given = self.store.give(query_id, name=given.name, score=given.score, comment=comment, at=self.clock.now())
        if not was_given:
            raise QueryNotFound(query_id)
