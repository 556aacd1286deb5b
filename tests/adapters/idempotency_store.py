"""Idempotency keys in memory, forgotten when their time is up."""

from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

from llm_gateway.domain.idempotency import IdempotencyRecord
from llm_gateway.ports.replay import IdempotencyStore
from llm_gateway.ports.system import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    record: IdempotencyRecord
    until: datetime


class InMemoryIdempotencyStore(IdempotencyStore):
    """While `fault` is set, the store cannot be reached."""

    def __init__(self, clock: Clock) -> None:
        self.fault: Exception | None = None
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._writing = Lock()

    def claim(self, scope: str, *, fingerprint: str, reference: str, until: datetime) -> IdempotencyRecord | None:
        self._reach()
        with self._writing:
            kept = self._kept.get(scope)
            if kept is None or kept.until <= self._clock.now():
                record = IdempotencyRecord(fingerprint=fingerprint, reference=reference, completed=False)
                self._kept[scope] = _Kept(record=record, until=until)
                return None
            return kept.record if kept.record.completed or kept.record.reference != reference else None

    def find(self, scope: str) -> IdempotencyRecord | None:
        self._reach()
        kept = self._kept.get(scope)
        return None if kept is None or kept.until <= self._clock.now() else kept.record

    def complete(self, scope: str, *, reference: str, expires_at: datetime, response: bytes | None = None) -> bool:
        with self._writing:
            record = self._own(scope, reference)
            if record is None:
                return False
            self._kept[scope] = _Kept(record=replace(record, completed=True, response=response), until=expires_at)
            return True

    def release(self, scope: str, *, reference: str) -> None:
        with self._writing:
            record = self._own(scope, reference)
            if record is not None and not record.completed:
                del self._kept[scope]

    def delete(self, scope: str, *, reference: str) -> None:
        with self._writing:
            if self._own(scope, reference) is not None:
                del self._kept[scope]

    def _own(self, scope: str, reference: str) -> IdempotencyRecord | None:
        self._reach()
        kept = self._kept.get(scope)
        return kept.record if kept is not None and kept.record.reference == reference else None

    def _reach(self) -> None:
        if self.fault:
            raise self.fault
