"""Entries: what they tell, and how each is chained to the one before."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from llm_gateway.domain.audit.entries import (
    BEFORE_THE_FIRST,
    Actor,
    AuditEntry,
    Deed,
    Outcome,
    entered,
    id_of,
    instant,
    number_in,
    sequence_of,
)

NOW = datetime(2026, 11, 29, 18, 41, 31, 123999, tzinfo=UTC)
DEED = Deed(
    actor=Actor(key_id="key_1", role="admin", address="10.0.0.1"),
    action="provider.updated",
    target="openai",
    request_id="req-1",
    before={"name": "old"},
    after={"name": "new"},
)


def test_an_entry_has_the_members_of_the_contract_and_the_hash_of_them() -> None:
    entry = entered(DEED, after=None, now=NOW)
    shown = {
        "id": "aud_000000000001",
        "at": "2026-11-29T18:41:31.123Z",
        "actor": {"key_id": "key_1", "role": "admin", "address": "10.0.0.1"},
        "action": "provider.updated",
        "target": "openai",
        "before": {"name": "old"},
        "after": {"name": "new"},
        "outcome": "done",
        "request_id": "req-1",
        "count": 1,
        "previous_hash": BEFORE_THE_FIRST,
    }
    assert entry.members() == shown
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert entry.hash == hashlib.sha256(text.encode()).hexdigest()
    assert AuditEntry.read(entry.document) == entry


@pytest.mark.holds("STRIDE-R", "STRIDE-T")
def test_an_entry_follows_the_head() -> None:
    first = entered(DEED, after=None, now=NOW)
    second = entered(DEED, after=first.as_head(None), now=NOW + timedelta(seconds=1))
    assert (second.sequence, second.previous_hash) == (2, first.hash)
    assert second.as_head(first.as_head(None)).since == first.at


def test_time_never_runs_backwards() -> None:
    first = entered(DEED, after=None, now=NOW)
    second = entered(DEED, after=first.as_head(None), now=NOW - timedelta(hours=1))
    assert second.at == first.at
    assert second.place > first.place


@pytest.mark.holds("STRIDE-R")
def test_no_text_of_a_stranger_forges_anything() -> None:
    forged = 'x"}\n{"id":"aud_000000000009","outcome":"done"}\u202e'
    deed = Deed(
        actor=Actor(key_id=forged, role=forged, address=forged),
        action=forged,
        target=forged * 1000,
        request_id=forged,
        before={forged: forged},
        after={"name": [forged]},
        outcome=Outcome.DENIED,
    )
    entry = entered(deed, after=None, now=NOW)
    assert len(entry.document.splitlines()) == 1
    members = json.loads(entry.document)
    assert members["id"] == "aud_000000000001"
    texts = [*members["actor"].values(), members["action"], members["target"], members["request_id"]]
    texts += [*members["before"], *members["before"].values(), *members["after"]["name"]]
    assert all(text.isprintable() for text in texts)
    assert len(members["target"]) < 1000


@pytest.mark.parametrize("number", [1, 999, 10**12 - 1])
def test_an_id_tells_its_number(number: int) -> None:
    assert sequence_of(id_of(number)) == number


@pytest.mark.parametrize("text", ["", "aud_1", "aud_00000000000x", "aud_0000000000001", "key_000000000001"])
def test_other_texts_are_no_ids(text: str) -> None:
    with pytest.raises(ValueError):
        sequence_of(text)


@pytest.mark.parametrize("document", ["", "[]", "{}", "7", '{"id": 1}', "[" * 100_000, '{"id": "aud_000000000001"}'])
def test_other_documents_are_no_entries(document: str) -> None:
    with pytest.raises(ValueError):
        AuditEntry.read(document)


def test_places_sort_by_time_and_then_by_number() -> None:
    assert instant(datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2)))) == "2025-12-31T23:00:00.000Z"
    assert number_in("2026-11-29T18:41:31.123Z#000000000042") == 42
    assert number_in("head") == 0
