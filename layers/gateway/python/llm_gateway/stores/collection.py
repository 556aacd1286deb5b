"""Collections of documents that change by revisions, in DynamoDB: conditional writes, consistent reads, pages by id.

A table keeps its documents in one of two layouts. `OneHashKey` puts a whole collection under one hash key: the lot is read
in one round trip. `ById` spreads documents over the table's partitions, and an index over `collection` lists their ids.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from llm_gateway.errors import AlreadyExists, NotFound, RevisionConflict
from llm_gateway.ports.collections import Revised
from llm_gateway.ports.system import Ids, Page
from llm_gateway.stores.changes import PreparedChange, RawItem
from llm_gateway.stores.codec import from_json, to_json
from llm_gateway.stores.connection import reaching
from llm_gateway.stores.cursors import from_cursor, to_cursor
from llm_gateway.stores.raw_items import BY_COLLECTION, RawItems, is_key

if TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition

    from llm_gateway.stores.document_items import DocumentItem

D = TypeVar("D", bound=Revised)
Refused = Callable[[RawItem | None], Exception]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An id of a list, and its document; None where it was deleted since it was listed."""

    id: str
    document: str | None


class Layout(Protocol):
    """Where the items of a collection lie; `id_name` is the attribute with a document's id.

    Documents are read as they are, without a model: every query reads its key, and the providers. `models` gives what changes
    them.
    """

    @property
    def raw(self) -> RawItems: ...

    @property
    def models(self) -> "Callable[[], type[DocumentItem]]": ...

    @property
    def id_name(self) -> str: ...

    def key(self, document_id: str) -> Mapping[str, str]:
        """The item's key: the hash key first, then the range key in a table that has one."""
        ...

    def new(self, document_id: str, **values: Any) -> "DocumentItem":
        """An item that is not saved yet."""
        ...

    def all(self) -> Iterable[str]:
        """Every document, by id."""
        ...

    def listed(self, *, after: str | None = None, limit: int) -> Sequence[Listed]:
        """Items in order of their ids."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OneHashKey:
    """A table whose hash key is `collection`, and whose range key is the document's id."""

    raw: RawItems
    models: "Callable[[], type[DocumentItem]]"
    collection: str
    id_name: str

    def key(self, document_id: str) -> Mapping[str, str]:
        return {"collection": self.collection, self.id_name: document_id}

    def new(self, document_id: str, **values: Any) -> "DocumentItem":
        return self.models()(self.collection, document_id, **values)

    def all(self) -> Iterable[str]:
        return [document_in(item) for item in self.raw.under("collection", self.collection)]

    def listed(self, *, after: str | None = None, limit: int) -> Sequence[Listed]:
        above = (self.id_name, after) if after else None
        found = self.raw.under("collection", self.collection, above=above, limit=limit)
        return [Listed(id=item[self.id_name]["S"], document=document_in(item)) for item in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class ById:
    """A table whose hash key is the document's id; its index `BY_COLLECTION` over `collection` and the id holds keys alone.

    The index lags: a document that was just added may be missing from a list. What is listed is read as it is now.
    """

    raw: RawItems
    models: "Callable[[], type[DocumentItem]]"
    collection: str
    id_name: str

    def key(self, document_id: str) -> Mapping[str, str]:
        return {self.id_name: document_id}

    def new(self, document_id: str, **values: Any) -> "DocumentItem":
        return self.models()(document_id, collection=self.collection, **values)

    def all(self) -> Iterable[str]:
        return [each.document for each in self.listed() if each.document is not None]

    def listed(self, *, after: str | None = None, limit: int | None = None) -> Sequence[Listed]:
        model = self.models()
        beyond = getattr(model, self.id_name) > after if after else None
        keys = model.query(self.collection, beyond, index_name=BY_COLLECTION, limit=limit)
        ids: list[str] = [getattr(key, self.id_name) for key in keys]
        found = {getattr(item, self.id_name): item.document for item in model.batch_get(ids, consistent_read=True)}
        return [Listed(id=document_id, document=found.get(document_id)) for document_id in ids]


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

        return self._saving(document, self._layout.models().revision.does_not_exist(), refused=taken)

    def find(self, document_id: str) -> D | None:
        if not is_key(document_id):
            return None
        with reaching(self._kind.plural):
            found = self._layout.raw.get(**self._layout.key(document_id))
        return None if found is None else self._read(document_in(found))

    def get(self, document_id: str) -> D:
        document = self.find(document_id)
        if document is None:
            raise self._kind.not_found(document_id)
        return document

    def all(self) -> tuple[D, ...]:
        """Every document, by id."""
        with reaching(self._kind.plural):
            return tuple(map(self._read, self._layout.all()))

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
        unchanged = self._layout.models().revision == expected_revision
        return self._saving(document, unchanged, refused=self._conflict(document.id))

    def delete(self, document_id: str, *, expected_revision: int | None) -> None:
        """One that was done although its answer was lost is sent again, and then finds nothing: `NotFound`."""
        self._carry_out(self.deleting(document_id, expected_revision=expected_revision))

    def deleting(self, document_id: str, *, expected_revision: int | None) -> PreparedChange:
        if not is_key(document_id):
            raise self._kind.not_found(document_id)
        model = self._layout.models()
        condition = model.revision.exists() if expected_revision is None else model.revision == expected_revision
        hash_key, range_key, *_ = (*self._layout.key(document_id).values(), None)
        request = model(hash_key, range_key).get_delete_kwargs_from_instance(
            condition=condition, return_values_on_condition_failure="ALL_OLD"
        )
        return self._change({"Delete": request}, refused=self._conflict(document_id))

    def forget(self) -> None:
        """Called after every change: what a store remembers is no longer true."""

    def _saving(self, document: D, condition: "Condition", *, refused: Refused) -> PreparedChange:
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
            condition=condition | (self._layout.models().write_id == write_id),
            return_values_on_condition_failure="ALL_OLD",
        )
        return self._change({"Put": request}, refused=refused)

    def _change(self, operation: dict[str, Any], *, refused: Refused) -> PreparedChange:
        return PreparedChange(operation=operation, refused=refused, after=self.forget)

    def _carry_out(self, change: PreparedChange) -> None:
        with reaching(self._kind.plural):
            self._layout.models().carry_out(change)

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
        return tuple(self._read(each.document) for each in listed if each.document is not None)

    def _read(self, document: str) -> D:
        return from_json(self._kind.type, document)


def document_in(item: RawItem) -> str:
    text: str = item["document"]["S"]
    return text
