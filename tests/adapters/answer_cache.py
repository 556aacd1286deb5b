"""Cached answers in memory, gone when their time is up."""

from datetime import datetime
from threading import Lock

from llm_gateway.domain.caching import CachedAnswer, Pending
from llm_gateway.ports.queries import AnswerCache
from llm_gateway.ports.system import Clock


class InMemoryAnswerCache(AnswerCache):
    """While `fault` is set, the cache cannot be reached."""

    def __init__(self, clock: Clock) -> None:
        self.fault: Exception | None = None
        self._clock = clock
        self._places: dict[str, CachedAnswer | Pending] = {}
        self._emptied: set[tuple[str, str]] = set()
        self._writing = Lock()

    def look_up(self, key: str, *, holder: str, until: datetime) -> CachedAnswer | Pending | None:
        with self._writing:
            found = self.peek(key)
            if found is None:
                self._places[key] = Pending(holder=holder, until=until)
            return None if isinstance(found, Pending) and found.holder == holder else found

    def peek(self, key: str) -> CachedAnswer | Pending | None:
        self._reach()
        found = self._places.get(key)
        taken_until = found.expires_at if isinstance(found, CachedAnswer) else found.until if found else None
        return found if taken_until and taken_until > self._clock.now() else None

    def put(self, key: str, answer: CachedAnswer, *, owner: str) -> None:
        self._reach()
        with self._writing:
            if (key, answer.query_id) not in self._emptied:
                self._places[key] = answer

    def release(self, key: str, *, holder: str) -> None:
        self._reach()
        with self._writing:
            found = self._places.get(key)
            if isinstance(found, Pending) and found.holder == holder:
                del self._places[key]

    def delete(self, key: str, *, query_id: str) -> None:
        self._reach()
        with self._writing:
            self._emptied.add((key, query_id))
            self._places.pop(key, None)

    def _reach(self) -> None:
        if self.fault:
            raise self.fault
