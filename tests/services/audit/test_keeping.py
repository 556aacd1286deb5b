"""What is done every hour: the end is anchored, and days that are over are exported, none left out."""

from datetime import UTC, date, datetime, timedelta

import pytest
from llm_gateway.domain.audit.chain import Anchor
from llm_gateway.domain.audit.entries import Actor, Deed
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.services.audit.keeping import AuditKeeper

from tests.adapters.audit_archive import InMemoryAuditArchive
from tests.adapters.audit_log import InMemoryAuditLog
from tests.adapters.clock import FakeClock
from tests.adapters.watched import Watched

DEED = Deed(actor=Actor(key_id="key_1"), action="provider.updated")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = 24 * 3600


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def log(clock: FakeClock) -> InMemoryAuditLog:
    return InMemoryAuditLog(clock)


@pytest.fixture
def archive() -> InMemoryAuditArchive:
    return InMemoryAuditArchive()


@pytest.fixture
def keeper(log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock) -> AuditKeeper:
    return AuditKeeper(log=log, archive=archive, clock=clock)


def test_an_empty_log_has_nothing_to_keep(keeper: AuditKeeper, archive: InMemoryAuditArchive) -> None:
    keeper.keep()
    assert (archive.kept_anchors, archive.days) == ([], {})


def test_the_end_is_anchored(
    keeper: AuditKeeper, log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock
) -> None:
    entry = log.append(DEED)
    keeper.keep()
    clock.advance(60)
    keeper.keep()
    assert archive.kept_anchors == [
        Anchor(sequence=1, hash=entry.hash, at=NOON),
        Anchor(sequence=1, hash=entry.hash, at=NOON + timedelta(minutes=1)),
    ]


def test_a_day_is_exported_when_it_is_over_and_nobody_writes_it_any_more(
    keeper: AuditKeeper, log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock
) -> None:
    log.append(DEED)
    clock.advance(12 * 3600 + 3599)
    log.append(DEED)
    keeper.keep()
    assert archive.days == {}
    clock.advance(1)
    keeper.keep()
    (exported,) = archive.days[date(2026, 11, 22)]
    assert exported.hash == log.entries[0].hash


def test_days_that_were_missed_are_made_up_for(
    keeper: AuditKeeper, log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock
) -> None:
    log.append(DEED)
    clock.advance(40 * DAY)
    log.append(DEED)
    keeper.keep()
    assert max(archive.days) == date(2026, 12, 22)
    keeper.keep()
    assert max(archive.days) == date(2026, 12, 31)
    assert len(archive.days) == 40
    assert sum(map(len, archive.days.values())) == 1


def test_what_cannot_be_exported_is_anchored_all_the_same(
    keeper: AuditKeeper, log: InMemoryAuditLog, archive: InMemoryAuditArchive, clock: FakeClock
) -> None:
    log.append(DEED)
    clock.advance(2 * DAY)
    watched = Watched(archive)
    watched.faults["export"] = DependencyUnavailable("S3 is away.")
    with pytest.raises(DependencyUnavailable):
        AuditKeeper(log=log, archive=watched, clock=clock).keep()
    assert len(archive.kept_anchors) == 1
