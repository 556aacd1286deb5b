"""Counted denials in memory."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from threading import Lock

from llm_gateway.domain.audit.denials import CountedDenials, Denial
from llm_gateway.ports.audit import AuditLog, DenialCounters


class InMemoryDenialCounters(DenialCounters):
    """While `fault` is set, the counters cannot be reached."""

    def __init__(self, log: AuditLog) -> None:
        self.log = log
        self.fault: Exception | None = None
        self.counts: Counter[tuple[datetime, Denial]] = Counter()
        self.until: datetime | None = None
        self._writing = Lock()

    def count(self, denial: Denial, *, minute: datetime) -> None:
        if self.fault is not None:
            raise self.fault
        with self._writing:
            self.counts[minute, replace(denial, request_id=None)] += 1

    def counted(self, minute: datetime) -> Sequence[CountedDenials]:
        with self._writing:
            return [
                CountedDenials(denial=denial, minute=then, count=count)
                for (then, denial), count in self.counts.items()
                if then == minute
            ]

    def enter(self, counted: CountedDenials) -> bool:
        with self._writing:
            if self.counts[counted.minute, counted.denial] != counted.count:
                return False
            self.log.append(counted.deed())
            del self.counts[counted.minute, counted.denial]
            return True

    def entered_until(self) -> datetime | None:
        return self.until

    def note_entered(self, until: datetime) -> None:
        self.until = until
