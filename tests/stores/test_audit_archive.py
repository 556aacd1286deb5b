"""Where anchors and exported days are kept: written once, and read although somebody tried to hide them."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from llm_gateway.domain.audit.chain import Anchor, Kept, Wrong, verify
from llm_gateway.domain.audit.entries import Actor, AuditEntry, Deed, Head, entered
from llm_gateway.settings import Settings
from llm_gateway.stores.audit_archive import S3AuditArchive
from llm_gateway.stores.connection import Aws

from tests.adapters.aws import REGION
from tests.stores.conftest import Stores

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = date(2026, 11, 22)


def chain(length: int = 4) -> tuple[list[AuditEntry], Head]:
    entries: list[AuditEntry] = []
    head: Head | None = None
    for number in range(length):
        deed = Deed(actor=Actor(key_id="key_1"), action="provider.updated", after={"name": f"Größe\n{number}"})
        entries.append(entered(deed, after=head, now=NOON + timedelta(minutes=number)))
        head = entries[-1].as_head(head)
    assert head is not None
    return entries, head


ENTRIES, HEAD = chain()
KEPT = [Kept(place=entry.place, document=entry.document, hash=entry.hash) for entry in ENTRIES]
ANCHOR = Anchor(sequence=HEAD.sequence, hash=HEAD.hash, at=NOON)


def test_anchors_are_read_back(stores: Stores) -> None:
    assert tuple(stores.archive.anchors()) == ()
    later = Anchor(sequence=5, hash="ab" * 32, at=NOON + timedelta(hours=1))
    stores.archive.anchor(ANCHOR)
    stores.archive.anchor(later)
    assert set(stores.archive.anchors()) == {ANCHOR, later}


def test_a_day_is_exported_once(stores: Stores) -> None:
    assert stores.archive.last_exported() is None
    stores.archive.export(DAY, KEPT[:3])
    stores.archive.export(DAY, [])
    stores.archive.export(DAY + timedelta(days=1), KEPT[3:])
    stores.archive.export(DAY + timedelta(days=2), [])
    assert list(stores.archive.exported()) == KEPT
    assert stores.archive.last_exported() == date(2026, 11, 24)


@pytest.fixture
def archive(aws: Aws, settings: Settings) -> S3AuditArchive:
    return S3AuditArchive(aws=aws, bucket=settings.audit_bucket)


def test_an_exported_line_is_the_entry_as_it_is_shown(archive: S3AuditArchive, aws: Aws, settings: Settings) -> None:
    archive.export(DAY, KEPT)
    stored = aws.s3.get_object(Bucket=settings.audit_bucket, Key="entries/2026-11-22.jsonl")["Body"].read().decode()
    lines = stored.splitlines()
    assert [json.loads(line) for line in lines] == [{**entry.members(), "hash": entry.hash} for entry in ENTRIES]


def test_what_was_overwritten_or_hidden_is_still_read(archive: S3AuditArchive, aws: Aws, settings: Settings) -> None:
    archive.anchor(ANCHOR)
    archive.export(DAY, KEPT)
    bucket = settings.audit_bucket
    keys = [found["Key"] for found in aws.s3.list_objects_v2(Bucket=bucket)["Contents"]]
    for key in keys:
        aws.s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
        aws.s3.delete_object(Bucket=bucket, Key=key)
    assert set(archive.anchors()) == {ANCHOR}
    assert list(archive.exported()) == KEPT


def test_other_objects_are_no_anchors(archive: S3AuditArchive, aws: Aws, settings: Settings) -> None:
    aws.s3.put_object(Bucket=settings.audit_bucket, Key="anchors/readme.txt", Body=b"")
    assert archive.anchors() == ()


@pytest.mark.parametrize("number", range(4))
def test_a_flipped_bit_of_an_exported_line_is_found_there(
    archive: S3AuditArchive, aws: Aws, settings: Settings, number: int
) -> None:
    archive.export(DAY, KEPT)
    key = "entries/2026-11-22.jsonl"
    lines = aws.s3.get_object(Bucket=settings.audit_bucket, Key=key)["Body"].read().split(b"\n")
    for place in range(0, len(lines[number]), 11):
        flipped = bytearray(lines[number])
        flipped[place] ^= 1
        bucket = f"{settings.audit_bucket}-{place}"
        aws.s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        aws.s3.put_object(
            Bucket=bucket, Key=key, Body=b"\n".join([*lines[:number], bytes(flipped), *lines[number + 1 :]])
        )
        finding = verify(list(S3AuditArchive(aws=aws, bucket=bucket).exported()), head=HEAD)
        assert finding is not None, bytes(flipped)
        assert finding.entry_id == ENTRIES[number].id, bytes(flipped)


def test_an_entry_that_was_made_unreadable_is_exported_as_it_is(archive: S3AuditArchive) -> None:
    archive.export(DAY, [KEPT[0], Kept(place=KEPT[1].place, document="not JSON", hash=KEPT[1].hash), *KEPT[2:]])
    finding = verify(list(archive.exported()), head=HEAD)
    assert finding is not None
    assert (finding.entry_id, finding.wrong) == (ENTRIES[1].id, Wrong.CHANGED)
