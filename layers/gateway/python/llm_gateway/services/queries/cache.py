"""Answers that are given again: which may be, under which key, and a query's seat in the cache from look-up to answer.

The cache is a help, never a condition: where it cannot be reached, the query goes on as if nothing were there.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.domain.chat import FinishReason
from llm_gateway.domain.queries import (
    Query,
    QueryAnswer,
    QueryRequest,
    QueryStatus,
    QuerySummary,
    is_deterministic,
    lifetime,
)
from llm_gateway.domain.strict_json import digest
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.ports.queries import AnswerCache
from llm_gateway.ports.system import Clock
from llm_gateway.values import dataclass

if TYPE_CHECKING:
    from llm_gateway.domain.routing import Candidate, Step
    from llm_gateway.services.privacy.policies import Policies
    from llm_gateway.services.queries.progress import Deadline

_WHOLE: Final = frozenset({FinishReason.STOP, FinishReason.TOOL_CALLS})
_LONGEST_WAIT_S: Final = 15
_LOOK_EVERY_S: Final = 0.1


def cache_keys(step: "Step", request: QueryRequest, *, owner: str) -> frozenset[str]:
    """Where the answer of the query's first `step` is kept; nowhere, where it is not.

    What a prompt wished for and the candidate cannot take makes no answer the same again.
    """
    is_kept = request.cache != "auto" or is_deterministic(step.chat.parameters)
    return frozenset({cache_key(step, request, owner=owner)} if request.writes_cache and is_kept else ())


def cache_key(step: "Step", request: QueryRequest, *, owner: str) -> str:
    """A hash over all that affects the answer, and over whose it is: answers are never shared between API keys.

    The versions of a prompt and of roles count too, where the request was made from any.
    """
    provider, origin = step.candidate.provider, request.origin
    made_from: tuple[object, ...] = (origin.prompt, origin.roles) if origin else ()
    if request.privacy is not None:
        made_from = (*made_from, request.privacy.rules)
    return digest([owner, provider.id, provider.kind, provider.base_url, step.chat, step.output, *made_from])


@dataclass(slots=True, kw_only=True)
class Seat:
    """Where the answer of a query's first `candidate` is kept. While `is_held`, others may be waiting for the answer.

    One that `reads` takes an answer from before, one that does not replaces it. It is held for `lasts` at most.
    """

    key: str
    holder: str
    candidate: "Candidate"
    reads: bool
    lasts: timedelta
    owner: str
    is_held: bool = False
    is_filled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """Takes, fills and leaves seats. None of it raises where the cache cannot be reached, but for `erase`."""

    cache: AnswerCache
    clock: Clock
    ttl: timedelta
    policies: "Callable[[], Policies]"

    def seat(self, query: Query, first: "Step") -> Seat:
        """The seat of a query that has a key, not taken yet."""
        (key,), request = query.cache_keys, query.request
        reads, lasts = request.reads_cache, lifetime(request)
        return Seat(key=key, holder=query.id, candidate=first.candidate, reads=reads, lasts=lasts, owner=query.owner)

    def look_up(self, seat: Seat) -> CachedAnswer | Pending | None:
        """The answer, or who is making it. None: nobody is, or the query does not want to know; it makes the answer itself."""
        if not seat.reads:
            return None
        # Held even if the cache's own answer is lost: the seat may have been taken all the same.
        seat.is_held = True
        try:
            found = self.cache.look_up(seat.key, holder=seat.holder, until=self.clock.now() + seat.lasts)
            seat.is_held = found is None
            return self._opened(found, seat)
        except DependencyUnavailable:
            return None

    def wait(self, seat: Seat, deadline: "Deadline") -> tuple[CachedAnswer | None, float]:
        """Waits while somebody else makes the same answer, for half of the time at most; and tells for how many seconds.

        None: the query makes the answer too.
        """
        now_s = self.clock.monotonic_s()
        until_s = now_s + min((deadline.ends_s - now_s) / 2, _LONGEST_WAIT_S)
        found: CachedAnswer | Pending | None = None
        while self.clock.monotonic_s() < until_s and not deadline.cancelled():
            self.clock.sleep(_LOOK_EVERY_S)
            try:
                found = self._opened(self.cache.peek(seat.key), seat) or self.look_up(seat)
            except DependencyUnavailable:
                break
            if not isinstance(found, Pending):
                break
        waited_s = self.clock.monotonic_s() - now_s
        return (found if isinstance(found, CachedAnswer) else None), waited_s

    def _opened(self, found: CachedAnswer | Pending | None, seat: Seat) -> CachedAnswer | Pending | None:
        if isinstance(found, CachedAnswer) and found.answer.sealed is not None:
            return self.policies().of_cache(found, owner=seat.owner)
        return found

    def fill(self, seat: Seat, query: Query, *, warnings: Sequence[str]) -> None:
        """Keeps what `query` ended with, if it is an answer for others, and of its warnings these: the others are of its own
        request. Otherwise, or if the cache cannot, frees the seat."""
        kept = self._kept(query, seat.candidate, warnings)
        if kept is not None:
            seat.is_filled = True
        try:
            if kept is not None:
                with suppress(DependencyUnavailable):
                    self.cache.put(seat.key, kept, owner=query.owner)
                    seat.is_held = False
        finally:
            self.leave(seat)

    def leave(self, seat: Seat) -> None:
        """Frees the seat, if it is held: nobody need wait for its answer any longer."""
        if seat.is_held:
            seat.is_held = False
            with suppress(DependencyUnavailable):
                self.cache.release(seat.key, holder=seat.holder)

    def take_back(self, seat: Seat) -> None:
        """Deletes what was kept of a query that turned out to be erased: nothing of it may stay anywhere."""
        if seat.is_filled:
            with suppress(DependencyUnavailable):
                self.cache.delete(seat.key, query_id=seat.holder)

    def erase(self, query: QuerySummary) -> None:
        """Deletes what is kept of the query's answer. Raises `DependencyUnavailable`: then it can be asked for again."""
        for key in query.cache_keys:
            self.cache.delete(key, query_id=query.id)

    def _ttl(self, request: QueryRequest) -> timedelta:
        own_s = request.origin.cache_ttl_s if request.origin else None
        return self.ttl if own_s is None else timedelta(seconds=own_s)

    def _kept(self, query: Query, named: "Candidate", warnings: Sequence[str]) -> CachedAnswer | None:
        if query.status is not QueryStatus.SUCCEEDED or not query.answer or not _is_cacheable(query.answer, named):
            return None
        now = self.clock.now()
        expires_at = min(now + self._ttl(query.request), query.expires_at)
        # By name: what is stored of a query may be other words than its caller's.
        answer = replace(query.answer, warnings=tuple(told for told in query.answer.warnings if told in warnings))
        return CachedAnswer(answer=answer, query_id=query.id, cached_at=now, expires_at=expires_at)


def _is_cacheable(answer: QueryAnswer, named: "Candidate") -> bool:
    """Only whole answers are kept, and only those of the candidate that the key names: its provider and its model."""
    if answer.cache.hit:
        return False
    called = answer.attempts[-1]
    return answer.finish_reason in _WHOLE and (called.provider, called.model) == (named.provider.id, named.model.name)
