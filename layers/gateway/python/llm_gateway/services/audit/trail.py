"""The audit log's readers: pages of it, and the proof that nobody touched it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from llm_gateway.domain.audit.chain import Finding, Kept, Wrong, verify
from llm_gateway.domain.audit.entries import AuditEntry, Head, id_of, instant, number_in
from llm_gateway.errors import ValidationFailed
from llm_gateway.ports.audit import AuditArchive, AuditLog, Search
from llm_gateway.ports.system import Clock, Page

_DEFAULT_WINDOW: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Entries from `since` on and before `until` (the last 24 hours where neither is given), of one actor, of one action."""

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What `verify` looked at, and the first thing that is wrong; `finding` is None where all is whole."""

    entries: int
    anchors: int
    exported: int
    head: Head | None
    finding: Finding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditTrail:
    """`archive` is None where the deployment has none; `retention` is how long entries stay in the log itself, None: for ever."""

    log: AuditLog
    archive: AuditArchive | None
    clock: Clock
    retention: timedelta | None = None

    def page(self, wanted: Wanted, *, limit: int, cursor: str | None) -> Page[AuditEntry]:
        """Entries, newest first.

        Raises `ValidationFailed` for a time that ends before it begins, `MalformedRequest` for a cursor of another list.
        """
        until = wanted.until or self.clock.now()
        since = wanted.since or until - min(_DEFAULT_WINDOW, until - datetime.min.replace(tzinfo=until.tzinfo))
        if since >= until:
            raise ValidationFailed.of("from", f"must be earlier than `to`, which is {instant(until)}")
        search = Search(since=since, until=until, actor=wanted.actor, action=wanted.action)
        return self.log.page(search, limit=limit, cursor=cursor)

    def verify(self) -> Verdict:
        """Reads everything: the log, its exports, and the anchors."""
        contents = self.log.contents()
        anchors = self.archive.anchors() if self.archive else ()
        exported = {kept.place: kept for kept in self.archive.exported()} if self.archive else {}
        live = {kept.place: kept for kept in contents.kept}
        finding = (
            verify(tuple({**exported, **live}.values()), head=contents.head, anchors=anchors)
            or verify(tuple({**live, **exported}.values()), head=contents.head, anchors=anchors)
            or self._missing(exported, live)
        )
        return Verdict(
            entries=len(live), anchors=len(anchors), exported=len(exported), head=contents.head, finding=finding
        )

    def _missing(self, exported: dict[str, Kept], live: dict[str, Kept]) -> Finding | None:
        """An entry that was exported and is not old enough to have left the log."""
        expired = instant(self.clock.now() - self.retention) if self.retention else ""
        for place in sorted(exported):
            if place >= expired and place not in live:
                detail = "it was exported, and its time to leave the log has not come"
                return Finding(entry_id=id_of(number_in(place)), wrong=Wrong.REMOVED, detail=detail)
        return None
