"""Erasing all queries of a key or of a subject: asked for in one request, done by the workers, page by page, and counted."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Final

from llm_gateway.domain.erasures import (
    SWEPT_AFTER,
    Erasure,
    ErasureStatus,
    Target,
)
from llm_gateway.domain.identifiers import ERASURE_PREFIX, ID_LAG, QUERY_PREFIX, RUN_OF_A_TEST, first_at
from llm_gateway.errors import DependencyUnavailable, KeyNotFound, NotDone, QueryNotFound, RevisionConflict

if TYPE_CHECKING:
    from llm_gateway.domain.audit.entries import Author
    from llm_gateway.domain.queries import QuerySummary
    from llm_gateway.ports.audit import AuditLog
    from llm_gateway.ports.erasures import Erasable, ErasureStore
    from llm_gateway.ports.evals import RunStore
    from llm_gateway.ports.keys import KeyStore
    from llm_gateway.ports.queries import Delivery, QueryQueue, QueryStore
    from llm_gateway.ports.sealing import Shredder
    from llm_gateway.ports.system import Clock, Ids
    from llm_gateway.services.queries.closing import Closing

_log = logging.getLogger(__name__)

PAGE: Final = 20
SLICE_S: Final = 420
"""A worker goes on for so long, then another message does."""

_AGAIN_S: Final = 30
_WRITTEN_AFTER_S: Final = 1
"""Its message comes when it is written down. Where that takes longer, it is looked for again, until no request can write it."""
_LOOK_AGAIN_S: Final = 10
_LOOKS: Final = 4
_FINGERPRINT: Final = 8
_TRIES: Final = 3
"""What keeps a query from going may pass: so often is its page tried, then the others go on without it."""


class _Became(Enum):
    """What became of a query that was about to go. LATE: it came in later, and stays. AWAY: it was gone already."""

    ERASED = auto()
    LATE = auto()
    AWAY = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureService:
    """`kept` is how long an erasure can be read. `seal` is asked for where a key's words are to be erased."""

    store: "ErasureStore"
    keys: "KeyStore"
    queue: "QueryQueue"
    log: "AuditLog"
    seal: "Callable[[], Shredder]"
    clock: "Clock"
    ids: "Ids"
    kept: timedelta

    def start(self, target: Target, *, by: "Author") -> Erasure:
        """Hands the erasure to the workers, and writes it down with its entry in the audit log.

        In this order: a process that dies in between leaves a message that finds nothing, and no record that nobody works on.
        Raises `KeyNotFound`; and `DependencyUnavailable`, where it may have been written down all the same: then it is done.
        """
        if target.key_id is not None and self.keys.find(target.key_id) is None:
            raise KeyNotFound(target.key_id)
        now = self.clock.now()
        erasure = Erasure(
            id=ERASURE_PREFIX + self.ids.ulid(), target=target, created_at=now, expires_at=now + self.kept
        )
        if target.key_id is not None:
            # Its end takes the secrets that were there before: what the key asks from now on is not to go with them.
            self.seal().renew(target.key_id)
        self.queue.send(erasure.id, delay_s=_WRITTEN_AFTER_S)
        self.log.append(by.deed(erasure.id, after=_shown(target)), self.store.adding(erasure))
        return erasure

    def get(self, erasure_id: str) -> Erasure:
        """Raises `ErasureNotFound`."""
        return self.store.get(erasure_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureWorker:
    """Erases a page at a time. What is about to go is written down first: whoever goes on after a crash counts it once."""

    store: "ErasureStore"
    index: "Erasable"
    queries: "QueryStore"
    closing: "Closing"
    runs: "RunStore"
    seal: "Shredder"
    queue: "QueryQueue"
    clock: "Clock"

    def process(self, delivery: "Delivery") -> None:
        """Raises `NotDone` where the message must be delivered again."""
        erasure = self.store.find(delivery.query_id)
        if erasure is None:
            if delivery.count < _LOOKS:
                raise self._later(delivery, "The erasure is not written down yet.", again_s=_LOOK_AGAIN_S)
            return
        if not self._is_due(erasure):
            return
        try:
            self._work(erasure, ends_s=self.clock.monotonic_s() + SLICE_S, patient=delivery.count < _TRIES)
        except RevisionConflict:
            raise self._later(delivery, "Somebody else works on the erasure.") from None
        except DependencyUnavailable as error:
            raise self._later(
                delivery, f"Something that the erasure takes cannot be reached: {error.detail}"
            ) from error

    def bury(self, delivery: "Delivery") -> None:
        """An erasure is never given up: one that was tried too often is tried again later."""
        erasure = self.store.find(delivery.query_id)
        if erasure is not None and not erasure.swept:
            self.queue.send(erasure.id, delay_s=SWEPT_AFTER.total_seconds())

    def _is_due(self, erasure: Erasure) -> bool:
        """Whether there is something to do: what was asked for, or later the sweep."""
        if erasure.swept:
            return False
        return not _has_passed(erasure) or self.clock.now() >= erasure.created_at + SWEPT_AFTER

    def _work(self, erasure: Erasure, *, ends_s: float, patient: bool) -> None:
        erasure = self._finish_page(erasure, patient=patient, resumed=True)
        # From the newest on, those that would not go are met again.
        failed = 0 if erasure.before is None else erasure.failed
        before: str | None = erasure.before or first_at(erasure.created_at + ID_LAG, prefix=QUERY_PREFIX)
        while before is not None:
            if self.clock.monotonic_s() >= ends_s:
                self.queue.send(erasure.id)
                return
            found, before = self.index.of_target(erasure.target, before=before, limit=PAGE)
            erasure = self._write(erasure, pending=found, before=before, failed=failed)
            erasure = self._finish_page(erasure, patient=patient)
            failed = erasure.failed
        self._end(erasure)

    def _finish_page(self, erasure: Erasure, *, patient: bool, resumed: bool = False) -> Erasure:
        if not erasure.pending:
            return erasure
        # One that is gone although it was written down went before the crash.
        became = [self._try(query_id, erasure, patient=patient) for query_id in erasure.pending]
        gone = became.count(_Became.ERASED) + (became.count(_Became.AWAY) if resumed else 0)
        failed = erasure.failed + became.count(_Became.FAILED)
        return self._write(erasure, pending=(), erased=erasure.erased + gone, failed=failed)

    def _try(self, query_id: str, erasure: Erasure, *, patient: bool) -> _Became:
        """`_erase`, so that a query that does not go keeps no other from going. While `patient`, what may pass is raised."""
        try:
            return self._erase(query_id, erasure)
        except Exception as error:
            if patient and isinstance(error, (DependencyUnavailable, RevisionConflict)):
                raise
            # The type alone: a message may quote what was asked.
            _log.error("The query %s cannot be erased by %s: %s.", query_id, erasure.id, type(error).__qualname__)
            return _Became.FAILED

    def _erase(self, query_id: str, erasure: Erasure) -> _Became:
        query = self.queries.summary(query_id)
        if query is None:
            return _Became.AWAY
        if query.created_at >= erasure.created_at:
            return _Became.LATE
        self._forget_findings(query)
        try:
            self.closing.erase(query)
        except QueryNotFound:
            return _Became.AWAY
        return _Became.ERASED

    def _forget_findings(self, query: "QuerySummary") -> None:
        """What a run of tests quotes of the answer. The query itself says which run asked it."""
        from llm_gateway.domain.usage import TEST_TAG

        whole = self.queries.get(query.id) if TEST_TAG in query.tags else None
        run_id = whole.request.metadata.get(RUN_OF_A_TEST) if whole is not None else None
        if isinstance(run_id, str):
            self.runs.forget(run_id, query_id=query.id)

    def _end(self, erasure: Erasure) -> None:
        if erasure.target.key_id is not None:
            self.seal.shred(erasure.target.key_id, made_before=erasure.created_at)
        is_sweep = _has_passed(erasure)
        if not is_sweep:
            # First, so that no crash leaves an erasure that nobody sweeps behind.
            self.queue.send(erasure.id, delay_s=SWEPT_AFTER.total_seconds())
        status = erasure.status
        if not erasure.failed:
            status = ErasureStatus.FINISHED
        elif is_sweep:
            status = ErasureStatus.FAILED
        completed_at = erasure.completed_at if status is erasure.status else self.clock.now()
        self._write(erasure, status=status, completed_at=completed_at, before=None, passed=True, swept=is_sweep)

    def _write(self, erasure: Erasure, **changes: object) -> Erasure:
        changed = erasure.changed(**changes)
        self.store.replace(changed, expected_revision=erasure.revision)
        return changed

    def _later(self, delivery: "Delivery", reason: str, *, again_s: float = _AGAIN_S) -> NotDone:
        try:
            self.queue.hold(delivery, duration_s=again_s * delivery.count)
        except DependencyUnavailable:
            # It is then delivered again when the queue's own timeout is over.
            return NotDone(reason)
        return NotDone(reason)


def _has_passed(erasure: Erasure) -> bool:
    """One that finished before this was written down has."""
    return erasure.passed or erasure.status is ErasureStatus.FINISHED


def _shown(target: Target) -> dict[str, str]:
    if target.key_id is not None:
        return {"key_id": target.key_id}
    return {"subject": f"sha256:{(target.subject or '')[:_FINGERPRINT]}…"}
