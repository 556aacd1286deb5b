"""Collections of documents that change by revisions: what their stores promise, alike for every kind of document."""

from typing import Protocol, TypeVar

from llm_gateway.ports.system import Page


class Revised(Protocol):
    """A document with an id of its own; `revision` counts its changes, from 1."""

    @property
    def id(self) -> str: ...

    @property
    def revision(self) -> int: ...


D = TypeVar("D", bound=Revised)


class Collection(Protocol[D]):
    """Everything is read as it is now: who has written a document finds it so at once."""

    def add(self, document: D) -> None:
        """Raises `AlreadyExists` where the id is taken."""
        ...

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
