"""The audit log: entries that are only ever added, denials that are counted first, and copies out of the writers' reach."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from llm_gateway.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date, datetime

    from llm_gateway.domain.audit.chain import Anchor, Kept
    from llm_gateway.domain.audit.denials import CountedDenials, Denial
    from llm_gateway.domain.audit.entries import AuditEntry, Deed, Head
    from llm_gateway.ports.system import Page


class Change(Protocol):
    """A conditional write that a store has prepared. An `AuditLog` over the same database carries it out with its entry."""

    def done(self) -> None:
        """To be called once it was carried out: what the store remembers is no longer true."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """Entries from `since` (inclusive) to `until` (exclusive), of one actor (a key's id or an address), of one action."""

    since: datetime
    until: datetime
    actor: str | None = None
    action: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that is stored: every entry up to the head."""

    head: Head | None
    kept: tuple[Kept, ...]


class AuditLog(Protocol):
    """Every method raises `DependencyUnavailable` where the log cannot be reached."""

    def append(self, deed: Deed, *changes: Change) -> AuditEntry:
        """Enters the deed and carries out its changes, all at once: where one cannot be done, nothing is.

        Raises what a change's own condition stands for (`AlreadyExists`, `RevisionConflict`, a `NotFound`), and
        `DependencyUnavailable`, also where too many append at the same time. One whose answer was lost is done once.
        """
        ...

    def page(self, search: Search, *, limit: int, cursor: str | None) -> Page[AuditEntry]:
        """Entries, newest first. A page may have fewer than `limit` and still a next one.

        Raises `MalformedRequest` for a cursor that is not one of this list's.
        """
        ...

    def head(self) -> Head | None:
        """The chain's end; None before the first entry."""
        ...

    def between(self, since: datetime, until: datetime) -> Iterator[Kept]:
        """Entries from `since` (inclusive) to `until` (exclusive), oldest first."""
        ...

    def contents(self) -> Contents:
        """Reads the whole table."""
        ...


class AuditArchive(Protocol):
    """Anchors and exported days: objects that are written once, where none of the log's writers has any right.

    Every method raises `DependencyUnavailable` where it cannot be reached.
    """

    def anchor(self, anchor: Anchor) -> None: ...

    def anchors(self) -> Sequence[Anchor]:
        """All that were ever written, hidden ones too."""
        ...

    def export(self, day: date, kept: Iterable[Kept]) -> None:
        """Keeps the entries of a UTC day; a day that is kept already stays as it is."""
        ...

    def last_exported(self) -> date | None: ...

    def exported(self) -> Iterator[Kept]:
        """Every exported entry, as it was exported first."""
        ...


class DenialCounters(Protocol):
    """Denials of the last minutes that are not in the log yet."""

    def count(self, denial: Denial, *, minute: datetime) -> None:
        """Counts one more. Raises `DependencyUnavailable`."""
        ...

    def counted(self, minute: datetime) -> Sequence[CountedDenials]: ...

    def enter(self, counted: CountedDenials) -> bool:
        """Enters them in the log and forgets their count, both or neither. False where the count is another by now."""
        ...

    def entered_until(self) -> datetime | None:
        """The minute before which every count was entered; None where none ever was."""
        ...

    def note_entered(self, until: datetime) -> None: ...
