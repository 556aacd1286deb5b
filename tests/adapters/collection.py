"""Collections of documents in memory, in order of their ids."""

from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Generic, TypeVar

from llm_gateway.errors import AlreadyExists, NotFound, RevisionConflict
from llm_gateway.ports.collections import Collection, Revised
from llm_gateway.ports.system import Page
from llm_gateway.stores.cursors import from_cursor, to_cursor

from tests.adapters.audit_log import InMemoryChange

D = TypeVar("D", bound=Revised)


class InMemoryCollection(Collection[D], Generic[D]):
    """`fault`, where it is set, is raised by everything that reads or writes."""

    def __init__(self, *, name: str, not_found: Callable[[str], NotFound]) -> None:
        self.fault: Exception | None = None
        self._name = name
        self._not_found = not_found
        self._documents: dict[str, D] = {}
        self._writing = Lock()

    def add(self, document: D) -> None:
        with self._writing:
            self._expect_none(document.id)
            self._documents[document.id] = document

    def adding(self, document: D) -> InMemoryChange:
        return InMemoryChange(check=partial(self._expect_none, document.id), write=partial(self.add, document))

    def replacing(self, document: D, *, expected_revision: int) -> InMemoryChange:
        check = partial(self._expect, document.id, expected_revision)
        return InMemoryChange(check=check, write=partial(self.replace, document, expected_revision=expected_revision))

    def deleting(self, document_id: str, *, expected_revision: int | None) -> InMemoryChange:
        check = partial(self._expect, document_id, expected_revision)
        return InMemoryChange(check=check, write=partial(self.delete, document_id, expected_revision=expected_revision))

    def find(self, document_id: str) -> D | None:
        return self._reached().get(document_id)

    def get(self, document_id: str) -> D:
        document = self.find(document_id)
        if document is None:
            raise self._not_found(document_id)
        return document

    def all(self) -> tuple[D, ...]:
        return tuple(sorted(self._reached().values(), key=lambda document: document.id))

    def page(self, *, limit: int, cursor: str | None) -> Page[D]:
        id_name = f"{self._name}_id"
        after = from_cursor(cursor, id_name)[id_name] if cursor is not None else ""
        rest = [document for document in self.all() if document.id > after]
        more = len(rest) > limit
        return Page(items=tuple(rest[:limit]), next_cursor=to_cursor({id_name: rest[limit - 1].id}) if more else None)

    def replace(self, document: D, *, expected_revision: int) -> None:
        with self._writing:
            self._expect(document.id, expected_revision)
            self._documents[document.id] = document

    def delete(self, document_id: str, *, expected_revision: int | None) -> None:
        with self._writing:
            self._expect(document_id, expected_revision)
            del self._documents[document_id]

    def _reached(self) -> dict[str, D]:
        if self.fault is not None:
            raise self.fault
        return self._documents

    def _expect_none(self, document_id: str) -> None:
        if document_id in self._reached():
            raise AlreadyExists(f"The {self._name} id {document_id!r} is taken.")

    def _expect(self, document_id: str, revision: int | None) -> None:
        stored = self.get(document_id)
        if revision not in (None, stored.revision):
            raise RevisionConflict(f"The {self._name} is at revision {stored.revision} by now: read it again.")
