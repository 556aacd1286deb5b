"""Collections of documents that change by revisions: what their stores promise, alike for every kind of document."""

# A port holds types alone: what imports one for its name does not wait for the import of every value that it speaks of.
from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from llm_gateway.ports.audit import Change
    from llm_gateway.ports.system import Page


class Revised(Protocol):
    """A document with an id of its own; `revision` counts its changes, from 1."""

    @property
    def id(self) -> str: ...

    @property
    def revision(self) -> int: ...


D = TypeVar("D", bound=Revised)


class Collection(Protocol[D]):
    """Every read is consistent: a process that has written a document reads it back at once."""

    def add(self, document: D) -> None:
        """Raises `AlreadyExists` where the id is taken."""
        ...

    def adding(self, document: D) -> Change:
        """`add`, prepared for the log to carry out."""
        ...

    def replacing(self, document: D, *, expected_revision: int) -> Change: ...

    def deleting(self, document_id: str, *, expected_revision: int | None) -> Change: ...

    def find(self, document_id: str) -> D | None: ...

    def get(self, document_id: str) -> D:
        """Raises the kind's own `NotFound`."""
        ...

    def page(self, *, limit: int, cursor: str | None) -> Page[D]:
        """Documents by id. Raises `MalformedRequest` for a cursor that is not one of this list's."""
        ...

    def replace(self, document: D, *, expected_revision: int) -> None:
        """Raises `RevisionConflict` where the stored revision is another, `NotFound` where there is none."""
        ...

    def delete(self, document_id: str, *, expected_revision: int | None) -> None:
        """Raises `NotFound`, or `RevisionConflict` where a revision is expected and the stored one is another."""
        ...
