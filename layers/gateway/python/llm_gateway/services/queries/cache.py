"""Answers that are given again: each query's place in the cache, from where it looks its answer up to where it leaves one.

The cache is a help, never a condition: where it cannot be reached, the query goes on as if nothing were there.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.queries import CacheNote, Latency, Query, QueryRequest, QueryStatus
from llm_gateway.domain.routing import Step
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.queries import AnswerCache
from llm_gateway.ports.system import Clock
from llm_gateway.services.queries.cache_key import cache_key, is_cacheable, reads_cache, writes_cache
from llm_gateway.services.queries.progress import Course

_SPARE: Final = timedelta(seconds=30)
_LONGEST_WAIT_S: Final = 15
_LOOK_EVERY_S: Final = 0.1


def lifetime(request: QueryRequest) -> timedelta:
    """How long whoever works on the request may hold something for it: after that it must be dead."""
    return timedelta(seconds=request.timeout_s) + _SPARE


@dataclass(slots=True, kw_only=True)
class Place:
    """Where the answer of `first`, its query's first candidate, is kept. While `is_held`, others may be waiting for it."""

    key: str
    query: Query
    first: Step
    is_held: bool = False
    is_filled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Takes, fills and leaves places. None of it raises where the cache cannot be reached; without a place it does nothing."""

    cache: AnswerCache
    clock: Clock
    ttl: timedelta

    def place(self, query: Query, first: Step) -> Place | None:
        """The query's place, not taken yet. The query it holds names it, so that an erasure finds it; None without cache."""
        if not writes_cache(query.request):
            return None
        key = cache_key(first, owner=query.owner)
        return Place(key=key, query=replace(query, cache_keys=frozenset({key})), first=first)

    def look_up(self, place: Place | None) -> CachedAnswer | Pending | None:
        """The answer, or who is making it. None: nobody is, or the query does not want to know; it makes the answer itself."""
        if place is None or not reads_cache(place.query.request):
            return None
        # Held even if the cache's own answer is lost: the place may have been taken all the same.
        place.is_held = True
        try:
            found = self.cache.look_up(place.key, holder=place.query.id, until=self._until(place))
        except DependencyUnavailable:
            return None
        place.is_held = found is None
        return found

    def wait(self, place: Place, course: Course) -> CachedAnswer | None:
        """Waits while somebody else makes the same answer, for half of the time at most. None: the query makes it too."""
        now_s = self.clock.monotonic_s()
        until_s = now_s + min((course.deadline_s - now_s) / 2, _LONGEST_WAIT_S)
        found: CachedAnswer | Pending | None = None
        while self.clock.monotonic_s() < until_s and not course.cancelled():
            self.clock.sleep(_LOOK_EVERY_S)
            try:
                found = self.cache.peek(place.key) or self.look_up(place)
            except DependencyUnavailable:
                break
            if not isinstance(found, Pending):
                break
        course.waiting_s += self.clock.monotonic_s() - now_s
        return found if isinstance(found, CachedAnswer) else None

    def given_again(self, cached: CachedAnswer, query: Query, course: Course) -> Query:
        """The end of `query` with an answer from before: as its own, at no cost and without attempts."""
        now = self.clock.now()
        total_ms = round((self.clock.monotonic_s() - course.since_s) * 1000)
        age_s = max(0, int((now - cached.cached_at).total_seconds()))
        answer = replace(
            cached.answer,
            cost_usd=Decimal(0),
            attempts=(),
            latency=Latency(total_ms=total_ms, provider_ms=0, waiting_ms=round(course.waiting_s * 1000)),
            cache=CacheNote(hit=True, age_s=age_s, saved_usd=cached.answer.cost_usd),
        )
        return replace(query, status=QueryStatus.SUCCEEDED, completed_at=now, answer=answer)

    def fill(self, place: Place | None, query: Query) -> None:
        """Keeps what `query` ended with, if it is an answer for others; otherwise, or if the cache cannot, frees the place."""
        kept = None if place is None else self._kept(query, place.first)
        if place is not None and kept is not None:
            place.is_filled = True
            with suppress(DependencyUnavailable):
                self.cache.put(place.key, kept)
                place.is_held = False
        self.leave(place)

    def leave(self, place: Place | None) -> None:
        """Frees the place, if it is held: whoever waits for its answer need not wait any longer."""
        if place is not None and place.is_held:
            place.is_held = False
            with suppress(DependencyUnavailable):
                self.cache.release(place.key, holder=place.query.id)

    def take_back(self, place: Place | None) -> None:
        """Deletes what was kept of a query that turned out to be erased: nothing of it may stay anywhere."""
        if place is not None and place.is_filled:
            with suppress(DependencyUnavailable):
                self.cache.delete(place.key, query_id=place.query.id)

    def _kept(self, query: Query, first: Step) -> CachedAnswer | None:
        if query.status is not QueryStatus.SUCCEEDED or not query.answer or not is_cacheable(query.answer, first):
            return None
        now = self.clock.now()
        expires_at = min(now + self.ttl, query.expires_at)
        return CachedAnswer(answer=query.answer, query_id=query.id, cached_at=now, expires_at=expires_at)

    def _until(self, place: Place) -> datetime:
        return self.clock.now() + lifetime(place.query.request)
