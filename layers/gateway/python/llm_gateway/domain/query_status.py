"""Where a query can stand. Apart from the query itself, because code that shows a status need not know what was asked."""

from enum import StrEnum


class QueryStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        return self in (QueryStatus.SUCCEEDED, QueryStatus.FAILED, QueryStatus.CANCELLED)
