"""The audit log's readers: the default window, and the proof over log, exports and anchors."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from llm_gateway.domain.audit.chain import Wrong
from llm_gateway.domain.audit.entries import Actor, AuditEntry, Deed
from llm_gateway.errors import ValidationFailed
from llm_gateway.services.audit.keeping import AuditKeeper
from llm_gateway.services.audit.trail import AuditTrail, Wanted

from tests.adapters.audit_archive import InMemoryAuditArchive
from tests.adapters.audit_log import InMemoryAuditLog
from tests.adapters.clock import FakeClock

DEED = Deed(actor=Actor(key_id="key_1"), action="provider.updated")
HOUR = 3600


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def log(clock: FakeClock) -> InMemoryAuditLog:
    return InMemoryAuditLog(clock)


@pytest.fixture
def archive() -> InMemoryAuditArchive:
    return InMemoryAuditArchive()


@pytest.fixture
def trail(log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock) -> AuditTrail:
    return AuditTrail(log=log, archive=archive, clock=clock)


def page(trail: AuditTrail, **asked: Any) -> list[AuditEntry]:
    return list(trail.page(Wanted(**asked), limit=100, cursor=None).items)


def test_without_times_the_last_day_is_read(trail: AuditTrail, log: InMemoryAuditLog, clock: FakeClock) -> None:
    for _ in range(4):
        log.append(DEED)
        clock.advance(8 * HOUR)
    assert page(trail) == log.entries[:0:-1]
    assert page(trail, since=log.entries[0].at) == log.entries[::-1]
    assert page(trail, until=log.entries[1].at) == log.entries[:1]
    assert page(trail, since=log.entries[1].at, until=log.entries[3].at) == log.entries[2:0:-1]


@pytest.mark.parametrize("after", [timedelta(), timedelta(hours=1)])
def test_a_time_ends_after_it_begins(trail: AuditTrail, clock: FakeClock, after: timedelta) -> None:
    with pytest.raises(ValidationFailed) as refused:
        page(trail, since=clock.now() + after, until=clock.now())
    assert refused.value.errors[0].field == "from"


def kept_over_days(log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock, *, days: int) -> None:
    keeper = AuditKeeper(log=log, archive=archive, clock=clock)
    for _ in range(24 * days):
        log.append(DEED)
        keeper.keep()
        clock.advance(HOUR)


def test_a_whole_log_is_whole(
    trail: AuditTrail, log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock
) -> None:
    assert trail.verify().finding is None
    kept_over_days(log, archive, clock, days=3)
    verdict = trail.verify()
    assert verdict.finding is None
    assert (verdict.entries, verdict.anchors, verdict.exported) == (72, 72, 12 + 24 + 24)
    assert verdict.head == log.head()


def test_the_end_is_exported_and_anchored_out_of_the_logs_reach(
    trail: AuditTrail, log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock
) -> None:
    kept_over_days(log, archive, clock, days=1)
    del log.entries[5:]
    finding = trail.verify().finding
    assert finding is not None
    # Up to midnight the exported day has them; what came after it, the last anchor tells of.
    assert (finding.entry_id, finding.wrong) == ("aud_000000000013", Wrong.CUT_OFF)


def test_an_entry_that_was_exported_and_taken_from_the_log_is_missed(
    trail: AuditTrail, log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock
) -> None:
    kept_over_days(log, archive, clock, days=2)
    gone = log.entries.pop(4)
    finding = trail.verify().finding
    assert finding is not None
    assert (finding.entry_id, finding.wrong) == (gone.id, Wrong.REMOVED)


def test_an_entry_that_has_expired_is_not_missed(
    trail: AuditTrail, log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock
) -> None:
    kept_over_days(log, archive, clock, days=3)
    expiring = replace(trail, retention=timedelta(days=2))
    del log.entries[:4]
    assert expiring.verify().finding is None
    del log.entries[10:30]
    finding = expiring.verify().finding
    assert finding is not None
    assert finding.wrong is Wrong.REMOVED


def test_an_export_that_differs_from_the_log_is_found(
    trail: AuditTrail, log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock
) -> None:
    kept_over_days(log, archive, clock, days=2)
    (day, kept) = next(iter(archive.days.items()))
    archive.days[day] = (*kept[:3], replace(kept[3], document=kept[3].document.replace("key_1", "key_2")), *kept[4:])
    finding = trail.verify().finding
    assert finding is not None
    assert (finding.entry_id, finding.wrong) == ("aud_000000000004", Wrong.CHANGED)


def test_without_an_archive_the_head_alone_tells_the_end(trail: AuditTrail, log: InMemoryAuditLog) -> None:
    for _ in range(3):
        log.append(DEED)
    verdict = replace(trail, archive=None).verify()
    assert (verdict.finding, verdict.anchors, verdict.exported) == (None, 0, 0)
