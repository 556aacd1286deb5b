"""The answer cache with a span for each time that a query asks it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.ports.queries import AnswerCache
from llm_gateway.ports.tracing import Span


@dataclass(frozen=True, slots=True)
class TracedAnswerCache(AnswerCache):
    cache: AnswerCache
    step: Callable[[str], AbstractContextManager[Span]]

    def look_up(self, key: str, *, holder: str, until: datetime) -> CachedAnswer | Pending | None:
        with self.step("cache look up") as span:
            found = self.cache.look_up(key, holder=holder, until=until)
            span.note(llm_gateway__cache__hit=isinstance(found, CachedAnswer))
            return found

    def peek(self, key: str) -> CachedAnswer | Pending | None:
        # A query that waits peeks ten times a second.
        return self.cache.peek(key)

    def put(self, key: str, answer: CachedAnswer, *, owner: str) -> None:
        with self.step("cache fill"):
            self.cache.put(key, answer, owner=owner)

    def release(self, key: str, *, holder: str) -> None:
        with self.step("cache leave"):
            self.cache.release(key, holder=holder)

    def delete(self, key: str, *, query_id: str) -> None:
        with self.step("cache delete"):
            self.cache.delete(key, query_id=query_id)
