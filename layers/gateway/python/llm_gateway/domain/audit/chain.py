"""Whether a chain of entries is whole: the first one that was changed, removed, reordered, added or cut off is named."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from llm_gateway.domain.audit.entries import BEFORE_THE_FIRST, FIRST, AuditEntry, Head, id_of, instant, number_in
from llm_gateway.domain.audit.exhibits import sha256
from llm_gateway.values import dataclass


class Wrong(StrEnum):
    CHANGED = "changed"
    REMOVED = "removed"
    REORDERED = "reordered"
    ADDED = "added"
    CUT_OFF = "cut_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An entry as a store holds it: the place that it is filed under, its document and the hash beside it."""

    place: str
    document: str
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """The chain's end at a time, kept where its writers cannot reach it."""

    sequence: int
    hash: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The first entry that is wrong, and what is wrong with it."""

    entry_id: str
    wrong: Wrong
    detail: str

    @property
    def said(self) -> str:
        return f"{self.wrong.value.replace('_', ' ')}: {self.detail}"


def verify(kept: Sequence[Kept], *, head: Head | None, anchors: Sequence[Anchor] = ()) -> Finding | None:
    """None where the chain is whole. `kept` is all that is stored, from the first entry on, in any order.

    What was cut off at the end is found up to the last anchor, and after it by the head alone.
    """
    ordered = sorted(kept, key=lambda one: one.place)
    anchored: dict[int, list[Anchor]] = {}
    for anchor in anchors:
        anchored.setdefault(anchor.sequence, []).append(anchor)
    return next(_findings(ordered, anchored), None) or _wrong_end(ordered, head=head, anchors=anchors)


def _findings(ordered: Sequence[Kept], anchored: Mapping[int, Sequence[Anchor]]) -> Iterator[Finding]:
    previous_hash = BEFORE_THE_FIRST
    for number, kept in enumerate(ordered, start=FIRST):
        entry = _entry(kept)
        here = _number(kept, entry)
        if here != number:
            yield _out_of_turn(number, here, ordered)
        elif entry is None:
            yield _found(number, Wrong.CHANGED, "its hash is not that of its content")
        elif entry.place != kept.place:
            yield _found(number, Wrong.REORDERED, f"it is filed under {kept.place!r}")
        elif entry.previous_hash != previous_hash:
            # Its own hash is right: the entry before was written anew, with a new hash. The first one has none before it.
            yield _found(max(number - 1, FIRST), Wrong.CHANGED, "its successor was chained to another hash")
        for anchor in anchored.get(number, ()):
            if anchor.hash != kept.hash:
                yield _found(number, Wrong.CHANGED, f"at {instant(anchor.at)} it was anchored with another hash")
        previous_hash = kept.hash


def _out_of_turn(number: int, here: int, ordered: Sequence[Kept]) -> Finding:
    """Why the entry `here` stands where `number` should."""
    if here < number:
        return _found(here, Wrong.ADDED, "it is there twice")
    if any(_number(other, _entry(other)) == number for other in ordered):
        return _found(number, Wrong.REORDERED, f"{id_of(here)} stands in its place")
    return _found(number, Wrong.REMOVED, f"{id_of(here)} stands in its place")


def _entry(kept: Kept) -> AuditEntry | None:
    """None where the document is not the one that was hashed."""
    try:
        return AuditEntry.read(kept.document) if sha256(kept.document) == kept.hash else None
    except ValueError:
        return None


def _number(kept: Kept, entry: AuditEntry | None) -> int:
    """The entry's own number; of a document that was changed, the one that it is filed under."""
    return entry.sequence if entry else number_in(kept.place)


def _wrong_end(ordered: Sequence[Kept], *, head: Head | None, anchors: Sequence[Anchor]) -> Finding | None:
    last = len(ordered)
    farthest = max(anchors, key=lambda anchor: anchor.sequence, default=None)
    if farthest is not None and farthest.sequence > last:
        return _found(last + 1, Wrong.CUT_OFF, f"at {instant(farthest.at)} the log reached {id_of(farthest.sequence)}")
    if head is None:
        return _found(last, Wrong.CUT_OFF, "the log's head is not there") if ordered else None
    if head.sequence > last:
        return _found(last + 1, Wrong.CUT_OFF, f"the log's head is {id_of(head.sequence)}")
    if head.sequence < last:
        return _found(head.sequence + 1, Wrong.ADDED, f"the log's head is {id_of(head.sequence)}")
    if ordered and head.hash != ordered[-1].hash:
        return _found(last, Wrong.CHANGED, "the log's head has another hash")
    return None


def _found(number: int, wrong: Wrong, detail: str) -> Finding:
    return Finding(entry_id=id_of(number), wrong=wrong, detail=detail)
