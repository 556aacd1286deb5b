"""Audit entries: who did what to which thing, each chained to the one before it by that one's hash."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

from llm_gateway.domain.audit.exhibits import Document, canonical, exhibits, harmless, sha256
from llm_gateway.values import dataclass

FIRST: Final = 1
BEFORE_THE_FIRST: Final = "0" * 64
"""The `previous_hash` of the first entry."""

_PREFIX: Final = "aud_"
_DIGITS: Final = 12
_ID: Final = re.compile(rf"{_PREFIX}(\d{{{_DIGITS}}})")
_MOST_CHARACTERS: Final = 500


class Outcome(StrEnum):
    DONE = "done"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it: a key with its role, and the network address it came from. No key: nobody who could be recognised."""

    key_id: str | None = None
    role: str | None = None
    address: str | None = None

    @property
    def name(self) -> str | None:
        """What entries are searched by."""
        return self.key_id or self.address


COMMAND_LINE: Final = Actor(address="command-line")
"""Somebody with AWS credentials of the account, at a shell."""

GATEWAY: Final = Actor(address="gateway")
"""The gateway itself, by the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What is to be entered. `before` and `after` are the thing as its readers see it, as JSON; None where there is none."""

    actor: Actor
    action: str
    target: str | None = None
    request_id: str | None = None
    before: Document | None = None
    after: Document | None = None
    outcome: Outcome = Outcome.DONE
    count: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who asks for a change, by which request, and what the log calls it."""

    actor: Actor
    action: str
    request_id: str | None = None

    def deed(self, target: str, *, before: Document | None = None, after: Document | None = None) -> Deed:
        return Deed(
            actor=self.actor,
            action=self.action,
            request_id=self.request_id,
            target=target,
            before=before,
            after=after,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain: its last entry's number, hash and time; `since` is the first entry's time."""

    sequence: int
    hash: str
    at: datetime
    since: datetime

    @property
    def id(self) -> str:
        return id_of(self.sequence)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One entry; `sequence` counts them from 1 without a gap. Its texts are harmless, its secrets are fingerprints."""

    sequence: int
    at: datetime
    deed: Deed
    previous_hash: str

    @property
    def id(self) -> str:
        return id_of(self.sequence)

    @property
    def place(self) -> str:
        """Where it is kept: sorts by time, and within a time by number."""
        return place_of(self.at, self.sequence)

    @property
    def hash(self) -> str:
        return sha256(self.document)

    @property
    def document(self) -> str:
        """The entry as it is shown, without its hash, as canonical JSON."""
        return canonical(self.members())

    def members(self) -> dict[str, Any]:
        deed = self.deed
        actor = {"key_id": deed.actor.key_id, "role": deed.actor.role, "address": deed.actor.address}
        return {
            "id": self.id,
            "at": instant(self.at),
            "actor": actor,
            "action": deed.action,
            "target": deed.target,
            "before": deed.before,
            "after": deed.after,
            "outcome": deed.outcome.value,
            "request_id": deed.request_id,
            "count": deed.count,
            "previous_hash": self.previous_hash,
        }

    @classmethod
    def read(cls, document: str) -> Self:
        """The entry that a document tells. Raises ValueError for what is none."""
        try:
            members = json.loads(document)
            number = sequence_of(members["id"])
            return cls(
                sequence=number,
                at=datetime.fromisoformat(members["at"]),
                deed=_deed(members),
                previous_hash=members["previous_hash"],
            )
        except (KeyError, TypeError, AttributeError, RecursionError) as fault:
            raise ValueError("not an audit entry") from fault

    def as_head(self, head: Head | None) -> Head:
        """The chain's end with this entry after `head`."""
        return Head(sequence=self.sequence, hash=self.hash, at=self.at, since=head.since if head else self.at)


def entered(deed: Deed, *, after: Head | None, now: datetime) -> AuditEntry:
    """The entry that follows `after`. Time never runs backwards along the chain, however the writers' clocks differ."""
    before, then = exhibits(deed.before, deed.after)
    at = _to_the_millisecond(now)
    return AuditEntry(
        sequence=after.sequence + 1 if after else FIRST,
        at=max(at, after.at) if after else at,
        deed=replace(
            deed,
            actor=_harmless_actor(deed.actor),
            action=_bounded(deed.action) or "",
            target=_bounded(deed.target),
            request_id=_bounded(deed.request_id),
            before=before,
            after=then,
        ),
        previous_hash=after.hash if after else BEFORE_THE_FIRST,
    )


def id_of(sequence: int) -> str:
    return f"{_PREFIX}{sequence:0{_DIGITS}}"


def sequence_of(identifier: str) -> int:
    """Raises ValueError for what is no id of an entry."""
    found = _ID.fullmatch(identifier)
    if found is None:
        raise ValueError(f"not an id of an entry: {identifier!r}")
    return int(found[1])


def place_of(at: datetime, sequence: int) -> str:
    return f"{instant(at)}#{sequence:0{_DIGITS}}"


def number_in(place: str) -> int:
    """The number that a place names, 0 where it names none."""
    digits = place.rpartition("#")[2]
    return int(digits) if digits.isdecimal() else 0


def instant(moment: datetime) -> str:
    """`2026-11-29T18:41:31.123Z`: all of one length, so that they sort as texts."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _deed(members: dict[str, Any]) -> Deed:
    names = ("action", "target", "request_id", "before", "after", "count")
    return Deed(
        actor=Actor(**members["actor"]), outcome=Outcome(members["outcome"]), **{name: members[name] for name in names}
    )


def _harmless_actor(actor: Actor) -> Actor:
    return Actor(key_id=_bounded(actor.key_id), role=_bounded(actor.role), address=_bounded(actor.address))


def _bounded(text: str | None) -> str | None:
    return None if text is None else harmless(text[:_MOST_CHARACTERS])


def _to_the_millisecond(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
