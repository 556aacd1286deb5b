"""Feedback in memory."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from threading import RLock

from llm_gateway.domain.prompts.canaries import Feedback
from llm_gateway.domain.prompts.performance import FeedbackSum, feedback_change
from llm_gateway.domain.usage import Bucket
from llm_gateway.errors import ValidationFailed
from llm_gateway.ports.evals import FeedbackStore
from llm_gateway.stores.feedback import MOST_NAMES

from tests.adapters.query_store import InMemoryQueryStore


class InMemoryFeedbackStore(FeedbackStore):
    def __init__(self, queries: InMemoryQueryStore) -> None:
        self._queries = queries
        self._given: dict[str, dict[str, Decimal]] = defaultdict(dict)
        self.comments: dict[tuple[str, str], str | None] = {}
        self._sums: dict[tuple[str, datetime, int, str], Feedback] = {}
        self._writing = RLock()

    def give(self, query_id: str, *, name: str, score: Decimal, comment: str | None, at: datetime) -> bool:
        with self._writing:
            query = self._queries.summary(query_id)
            if query is None:
                return False
            given = self._given[query_id]
            if name not in given and len(given) >= MOST_NAMES:
                raise ValidationFailed.of(
                    "name", f"is one too many: a query has feedback under {MOST_NAMES} names at most"
                )
            before = [*given.values()]
            given[name] = score
            self.comments[query_id, name] = comment
            change = feedback_change(query, before, [*given.values()])
            if query.prompt is not None and change is not None:
                hour = Bucket.HOUR.start(query.completed_at or query.created_at)
                place = query.prompt.id, hour, query.prompt.version, query.prompt.label or ""
                self._sums[place] = self._sums.get(place, Feedback()).plus(change)
            return True

    def sums(self, prompt_id: str, *, since: datetime, until: datetime) -> Iterator[FeedbackSum]:
        for (of, start, version, label), feedback in sorted(self._sums.items()):
            if of == prompt_id and since <= start < until:
                yield FeedbackSum(version=version, label=label or None, start=start, feedback=feedback)
