"""Collections of documents that change by revisions, in DynamoDB: conditional writes, consistent reads, pages by id.

A table keeps its documents in one of two layouts. `OneHashKey` puts a whole collection under one hash key: the lot is read
in one round trip. `ById` spreads documents over the table's partitions, and an index over `collection` lists their ids.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import DoesNotExist
from pynamodb.expressions.condition import Condition

from llm_gateway.errors import AlreadyExists, NotFound, RevisionConflict
from llm_gateway.ports.collections import Revised
from llm_gateway.ports.system import Ids, Page
from llm_gateway.stores.changes import Item as RawItem
from llm_gateway.stores.changes import PreparedChange
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.connection import reaching
from llm_gateway.stores.cursors import from_cursor, to_cursor
from llm_gateway.stores.tables import Item, is_key

D = TypeVar("D", bound=Revised)
Refused = Callable[[RawItem | None], Exception]


class DocumentItem(Item):
    """`revision` repeats the document's, for conditions. A subclass adds the keys, `collection` among its attributes."""

    revision = NumberAttribute()
    document = UnicodeAttribute()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An id of a list, and its item; None where it was deleted since it was listed."""

    id: str
    item: DocumentItem | None


class Layout(Protocol):
    """Where the items of a collection lie; `id_name` is the attribute with a document's id."""

    @property
    def items(self) -> type[DocumentItem]: ...

    @property
    def id_name(self) -> str: ...

    def key(self, document_id: str) -> tuple[str, str | None]:
        """The item's hash key, and its range key in a table that has one."""
        ...

    def new(self, document_id: str, **values: Any) -> DocumentItem:
        """An item that is not saved yet."""
        ...

    def listed(self, *, after: str | None = None, limit: int | None = None) -> Sequence[Listed]:
        """Items in order of their ids."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OneHashKey:
    """A table whose hash key is `collection`, and whose range key is the document's id."""

    items: type[DocumentItem]
    collection: str
    id_name: str

    def key(self, document_id: str) -> tuple[str, str | None]:
        return self.collection, document_id

    def new(self, document_id: str, **values: Any) -> DocumentItem:
        return self.items(self.collection, document_id, **values)

    def listed(self, *, after: str | None = None, limit: int | None = None) -> Sequence[Listed]:
        found = self.items.query(self.collection, _beyond(self, after), consistent_read=True, limit=limit)
        return [Listed(id=getattr(item, self.id_name), item=item) for item in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class ById:
    """A table whose hash key is the document's id; its index `index_name` over `collection` and the id holds keys alone.

    The index lags: a document that was just added may be missing from a list. What is listed is read as it is now.
    """

    items: type[DocumentItem]
    collection: str
    id_name: str
    index_name: str

    def key(self, document_id: str) -> tuple[str, str | None]:
        return document_id, None

    def new(self, document_id: str, **values: Any) -> DocumentItem:
        return self.items(document_id, collection=self.collection, **values)

    def listed(self, *, after: str | None = None, limit: int | None = None) -> Sequence[Listed]:
        keys = self.items.query(self.collection, _beyond(self, after), index_name=self.index_name, limit=limit)
        ids: list[str] = [getattr(key, self.id_name) for key in keys]
        found = {getattr(item, self.id_name): item for item in self.items.batch_get(ids, consistent_read=True)}
        return [Listed(id=document_id, item=found.get(document_id)) for document_id in ids]


def _no_attributes(_: object) -> Mapping[str, Any]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[D]):
    """What a collection holds: `name` ("provider") and `plural` are for messages, `attributes` are kept beside the document."""

    type: type[D]
    name: str
    plural: str
    not_found: Callable[[str], NotFound]
    attributes: Callable[[D], Mapping[str, Any]] = _no_attributes


class DynamoCollection(Generic[D]):
    """One call to DynamoDB each. What is prepared (`adding`, `replacing`, `deleting`) is carried out by a log, with its entry."""

    def __init__(self, kind: Kind[D], *, layout: Layout, ids: Ids) -> None:
        self._kind = kind
        self._layout = layout
        self._ids = ids

    def add(self, document: D) -> None:
        self._carry_out(self.adding(document))

    def adding(self, document: D) -> PreparedChange:
        def taken(_: object) -> AlreadyExists:
            return AlreadyExists(f"The {self._kind.name} id {document.id!r} is taken.")

        return self._saving(document, self._layout.items.revision.does_not_exist(), refused=taken)

    def find(self, document_id: str) -> D | None:
        if not is_key(document_id):
            return None
        hash_key, range_key = self._layout.key(document_id)
        try:
            with reaching(self._kind.plural):
                return self._read(self._layout.items.get(hash_key, range_key, consistent_read=True))
        except DoesNotExist:
            return None

    def get(self, document_id: str) -> D:
        document = self.find(document_id)
        if document is None:
            raise self._kind.not_found(document_id)
        return document

    def all(self) -> tuple[D, ...]:
        """Every document, by id."""
        with reaching(self._kind.plural):
            return self._documents(self._layout.listed())

    def page(self, *, limit: int, cursor: str | None) -> Page[D]:
        id_name = self._layout.id_name
        after = from_cursor(cursor, id_name)[id_name] if cursor is not None else None
        with reaching(self._kind.plural):
            # One more than asked for tells whether a next page has anything on it.
            listed = self._layout.listed(after=after, limit=limit + 1)
        shown, more = listed[:limit], len(listed) > limit
        return Page(items=self._documents(shown), next_cursor=to_cursor({id_name: shown[-1].id}) if more else None)

    def replace(self, document: D, *, expected_revision: int) -> None:
        self._carry_out(self.replacing(document, expected_revision=expected_revision))

    def replacing(self, document: D, *, expected_revision: int) -> PreparedChange:
        unchanged = self._layout.items.revision == expected_revision
        return self._saving(document, unchanged, refused=self._conflict(document.id))

    def delete(self, document_id: str, *, expected_revision: int | None) -> None:
        """One that was done although its answer was lost is sent again by botocore, and then finds nothing: `NotFound`."""
        self._carry_out(self.deleting(document_id, expected_revision=expected_revision))

    def deleting(self, document_id: str, *, expected_revision: int | None) -> PreparedChange:
        if not is_key(document_id):
            raise self._kind.not_found(document_id)
        hash_key, range_key = self._layout.key(document_id)
        revision = self._layout.items.revision
        condition = revision.exists() if expected_revision is None else revision == expected_revision
        request = self._layout.items(hash_key, range_key).get_delete_kwargs_from_instance(
            condition=condition, return_values_on_condition_failure="ALL_OLD"
        )
        return self._change({"Delete": request}, refused=self._conflict(document_id))

    def forget(self) -> None:
        """Called after every change: what a store remembers is no longer true."""

    def _saving(self, document: D, condition: Condition, *, refused: Refused) -> PreparedChange:
        """A write whose answer was lost is sent again: its own `write_id` says that it was done."""
        write_id = self._ids.ulid()
        item = self._layout.new(
            document.id,
            revision=document.revision,
            document=to_json(self._kind.type, document).decode(),
            write_id=write_id,
            **self._kind.attributes(document),
        )
        request = item.get_save_kwargs_from_instance(
            condition=condition | (self._layout.items.write_id == write_id),
            return_values_on_condition_failure="ALL_OLD",
        )
        return self._change({"Put": request}, refused=refused)

    def _change(self, operation: dict[str, Any], *, refused: Refused) -> PreparedChange:
        return PreparedChange(operation=operation, refused=refused, after=self.forget)

    def _carry_out(self, change: PreparedChange) -> None:
        with reaching(self._kind.plural):
            self._layout.items.carry_out(change)

    def _conflict(self, document_id: str) -> Refused:
        """Why the condition on a revision failed, told by the item that was met."""

        def refused(met: RawItem | None) -> NotFound | RevisionConflict:
            if met is None:
                return self._kind.not_found(document_id)
            return RevisionConflict(
                f"The {self._kind.name} is at revision {met['revision']['N']} by now: read it again."
            )

        return refused

    def _documents(self, listed: Iterable[Listed]) -> tuple[D, ...]:
        return tuple(self._read(each.item) for each in listed if each.item is not None)

    def _read(self, item: DocumentItem) -> D:
        return from_json(self._kind.type, item.document)


def _beyond(layout: Layout, after: str | None) -> Condition | None:
    return getattr(layout.items, layout.id_name) > after if after else None
