"""The audit log in memory: an entry and its changes are made under one lock, or not at all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from threading import RLock

from llm_gateway.domain.audit.chain import Kept
from llm_gateway.domain.audit.entries import AuditEntry, Deed, Head, entered, instant
from llm_gateway.ports.audit import AuditLog, Change, Contents, Search
from llm_gateway.ports.system import Clock, Page
from llm_gateway.stores.cursors import from_cursor, malformed, to_cursor


@dataclass(frozen=True, slots=True, kw_only=True)
class InMemoryChange(Change):
    """`check` raises why it cannot be done, and `write` does it."""

    check: Callable[[], None]
    write: Callable[[], None]

    def done(self) -> None:
        pass


@dataclass(slots=True)
class InMemoryAuditLog(AuditLog):
    """While `fault` is set, the log cannot be reached."""

    clock: Clock
    entries: list[AuditEntry] = field(default_factory=list)
    fault: Exception | None = None
    _lock: RLock = field(default_factory=RLock)

    def append(self, deed: Deed, *changes: Change) -> AuditEntry:
        with self._lock:
            head = self.head()
            prepared = [change for change in changes if isinstance(change, InMemoryChange)]
            assert len(prepared) == len(changes)
            for change in prepared:
                change.check()
            for change in prepared:
                change.write()
            self.entries.append(entered(deed, after=head, now=self.clock.now()))
            return self.entries[-1]

    def page(self, search: Search, *, limit: int, cursor: str | None) -> Page[AuditEntry]:
        before = from_cursor(cursor, "before")["before"] if cursor is not None else instant(search.until)
        if cursor is not None and not before.startswith("2"):
            raise malformed()
        self._reach()
        found = [entry for entry in reversed(self.entries) if entry.place < before and _matches(entry, search)]
        more = len(found) > limit
        return Page(
            items=tuple(found[:limit]), next_cursor=to_cursor({"before": found[limit - 1].place}) if more else None
        )

    def head(self) -> Head | None:
        self._reach()
        if not self.entries:
            return None
        first, last = self.entries[0], self.entries[-1]
        return Head(sequence=last.sequence, hash=last.hash, at=last.at, since=first.at)

    def between(self, since: datetime, until: datetime) -> Iterator[Kept]:
        self._reach()
        return (_kept(entry) for entry in self.entries if since <= entry.at < until)

    def contents(self) -> Contents:
        return Contents(head=self.head(), kept=tuple(map(_kept, self.entries)))

    def _reach(self) -> None:
        if self.fault is not None:
            raise self.fault


def _kept(entry: AuditEntry) -> Kept:
    return Kept(place=entry.place, document=entry.document, hash=entry.hash)


def _matches(entry: AuditEntry, search: Search) -> bool:
    right_actor = search.actor in (None, entry.deed.actor.name)
    return right_actor and search.action in (None, entry.deed.action) and search.since <= entry.at
