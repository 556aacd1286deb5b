"""The proof: whatever was done to the chain, the first entry that is wrong is named."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from llm_gateway.domain.audit.chain import Anchor, Finding, Kept, Wrong, verify
from llm_gateway.domain.audit.entries import Actor, AuditEntry, Deed, Head, entered, id_of

NOW = datetime(2026, 11, 29, 23, 59, 58, tzinfo=UTC)
LENGTH = 9


def chain(length: int = LENGTH, *, start: tuple[AuditEntry, ...] = ()) -> list[AuditEntry]:
    entries = list(start)
    while len(entries) < length:
        number = len(entries) + 1
        deed = Deed(actor=Actor(key_id="key_1", role="admin"), action="provider.updated", after={"revision": number})
        entries.append(entered(deed, after=head_of(entries), now=NOW + timedelta(seconds=number)))
    return entries


def head_of(entries: Sequence[AuditEntry]) -> Head | None:
    return entries[-1].as_head(entries[0].as_head(None)) if entries else None


def kept(entry: AuditEntry) -> Kept:
    return Kept(place=entry.place, document=entry.document, hash=entry.hash)


ENTRIES = chain()
HEAD = head_of(ENTRIES)
KEPT = [kept(entry) for entry in ENTRIES]


def anchor_at(number: int) -> Anchor:
    return Anchor(sequence=number, hash=ENTRIES[number - 1].hash, at=NOW)


def found(entries: Sequence[Kept], *, head: Head | None = HEAD, anchors: Sequence[Anchor] = ()) -> tuple[str, Wrong]:
    finding = verify(entries, head=head, anchors=anchors)
    assert isinstance(finding, Finding)
    return finding.entry_id, finding.wrong


def test_a_whole_chain_is_whole_in_whatever_order_it_is_read() -> None:
    assert verify([], head=None) is None
    assert verify(KEPT[::-1], head=HEAD, anchors=[anchor_at(1), anchor_at(4), anchor_at(LENGTH)]) is None


@pytest.mark.parametrize("number", range(1, LENGTH + 1))
def test_a_flipped_bit_of_any_byte_is_found_in_its_entry(number: int) -> None:
    entry = KEPT[number - 1]
    for place in range(len(entry.document)):
        flipped = entry.document[:place] + chr(ord(entry.document[place]) ^ 1) + entry.document[place + 1 :]
        changed = [*KEPT[: number - 1], replace(entry, document=flipped), *KEPT[number:]]
        assert found(changed) == (id_of(number), Wrong.CHANGED)
    for place in range(len(entry.hash)):
        flipped = entry.hash[:place] + chr(ord(entry.hash[place]) ^ 1) + entry.hash[place + 1 :]
        changed = [*KEPT[: number - 1], replace(entry, hash=flipped), *KEPT[number:]]
        assert found(changed) == (id_of(number), Wrong.CHANGED)


@pytest.mark.parametrize("number", range(1, LENGTH))
def test_a_removed_entry_is_found(number: int) -> None:
    assert found([*KEPT[: number - 1], *KEPT[number:]]) == (id_of(number), Wrong.REMOVED)


@pytest.mark.parametrize("number", range(1, LENGTH))
@pytest.mark.parametrize("apart", [1, 3])
def test_a_swapped_pair_is_found_at_its_first(number: int, apart: int) -> None:
    other = min(number + apart, LENGTH)
    first, second = KEPT[number - 1], KEPT[other - 1]
    swapped = list(KEPT)
    swapped[number - 1] = replace(second, place=first.place)
    swapped[other - 1] = replace(first, place=second.place)
    assert found(swapped) == (id_of(number), Wrong.REORDERED)


def test_an_entry_that_was_moved_is_found() -> None:
    late = replace(KEPT[3], place=KEPT[-1].place + "x")
    assert found([*KEPT[:3], *KEPT[4:], late]) == (id_of(4), Wrong.REORDERED)
    near = replace(KEPT[3], place=KEPT[3].place + "x")
    assert found([*KEPT[:3], near, *KEPT[4:]]) == (id_of(4), Wrong.REORDERED)


def test_an_entry_that_is_there_twice_is_found() -> None:
    assert found([*KEPT[:4], replace(KEPT[3], place=KEPT[3].place + "x"), *KEPT[4:]]) == (id_of(4), Wrong.ADDED)


@pytest.mark.parametrize("left", range(LENGTH))
def test_a_tail_that_was_cut_off_is_found_by_the_head(left: int) -> None:
    assert found(KEPT[:left]) == (id_of(left + 1), Wrong.CUT_OFF)


@pytest.mark.parametrize("left", range(6))
def test_a_tail_that_was_cut_off_with_its_head_is_found_by_the_last_anchor(left: int) -> None:
    shortened = head_of(ENTRIES[:left])
    assert found(KEPT[:left], head=shortened, anchors=[anchor_at(2), anchor_at(6)]) == (id_of(left + 1), Wrong.CUT_OFF)


def test_what_was_cut_off_after_the_last_anchor_with_the_head_cannot_be_seen() -> None:
    assert verify(KEPT[:7], head=head_of(ENTRIES[:7]), anchors=[anchor_at(6)]) is None


def test_a_head_that_is_gone_or_behind_is_found() -> None:
    assert found(KEPT, head=None) == (id_of(LENGTH), Wrong.CUT_OFF)
    assert found(KEPT, head=head_of(ENTRIES[:5])) == (id_of(6), Wrong.ADDED)


def rewritten(number: int) -> AuditEntry:
    entry = ENTRIES[number - 1]
    return replace(entry, deed=replace(entry.deed, action="nothing.happened"))


@pytest.mark.parametrize("number", range(1, LENGTH + 1))
def test_an_entry_that_was_written_anew_with_its_hash_is_found(number: int) -> None:
    forged = [*KEPT[: number - 1], kept(rewritten(number)), *KEPT[number:]]
    assert found(forged) == (id_of(number), Wrong.CHANGED)


@pytest.mark.parametrize("number", range(1, 6))
def test_a_chain_that_was_written_anew_from_an_entry_on_is_found_by_the_next_anchor(number: int) -> None:
    forged = chain(start=(*ENTRIES[: number - 1], rewritten(number)))
    assert found([kept(entry) for entry in forged], head=head_of(forged), anchors=[anchor_at(5), anchor_at(5)]) == (
        id_of(5),
        Wrong.CHANGED,
    )


def test_a_finding_says_what_is_wrong() -> None:
    finding = verify(KEPT[:3], head=HEAD)
    assert finding is not None
    assert finding.said == "cut off: the log's head is aud_000000000009"
