"""What is done with the audit log every hour: its end is anchored, and days that are over are exported."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from llm_gateway.domain.audit.chain import Anchor
from llm_gateway.domain.audit.entries import Head
from llm_gateway.ports.audit import AuditArchive, AuditLog
from llm_gateway.ports.system import Clock

_DAY: Final = timedelta(days=1)
_SETTLED: Final = timedelta(hours=1)
"""After so long nobody is still writing an entry of a day that is over."""
_MOST_DAYS: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditKeeper:
    """May be run at any time and any number of times."""

    log: AuditLog
    archive: AuditArchive
    clock: Clock

    def keep(self) -> None:
        """Raises `DependencyUnavailable`; what could not be exported is exported the next time."""
        head = self.log.head()
        if head is None:
            return
        # First, because it is what nobody can do later.
        self.archive.anchor(Anchor(sequence=head.sequence, hash=head.hash, at=self.clock.now()))
        self._export(head)

    def _export(self, head: Head) -> None:
        last = self.archive.last_exported()
        day = last + _DAY if last else head.since.date()
        for _ in range(_MOST_DAYS):
            if _end(day) + _SETTLED > self.clock.now():
                return
            self.archive.export(day, self.log.between(_end(day - _DAY), _end(day)))
            day += _DAY


def _end(day: date) -> datetime:
    return datetime.combine(day + _DAY, time(), UTC)
