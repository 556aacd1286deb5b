"""What a collection of revised documents promises, whichever table keeps it."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from llm_gateway.errors import AlreadyExists, MalformedRequest, NotFound, RevisionConflict
from llm_gateway.ports.collections import Collection

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.values import api_key, provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A collection, and how its documents are made."""

    of: Callable[[Stores], Collection[Any]]
    make: Callable[..., Any]
    name: str


KINDS = {
    "providers": Kept(of=lambda stores: stores.providers, make=provider, name="provider"),
    "keys": Kept(of=lambda stores: stores.keys, make=api_key, name="key"),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kept:
    return KINDS[request.param]


@pytest.fixture
def make(kind: Kept) -> Callable[..., Any]:
    return kind.make


@pytest.fixture
def collection(kind: Kept, stores: Stores) -> Collection[Any]:
    return kind.of(stores)


def ids_of(collection: Collection[Any]) -> list[str]:
    return [document.id for document in collection.page(limit=100, cursor=None).items]


def test_a_document_comes_back_as_it_was(collection: Collection[Any], make: Callable[..., Any]) -> None:
    collection.add(make("a"))
    assert collection.get("a") == collection.find("a") == make("a")
    assert collection.page(limit=1, cursor=None).items == (make("a"),)


def test_a_taken_id_is_refused_and_the_first_document_stays(
    collection: Collection[Any], make: Callable[..., Any], kind: Kept
) -> None:
    collection.add(make("a"))
    with pytest.raises(AlreadyExists, match=f"The {kind.name} id 'a' is taken."):
        collection.add(make("a", name="another"))
    assert collection.get("a") == make("a")


@pytest.mark.parametrize("document_id", ["unknown", "", "p" * 3000, "\ud800", "key_\x00"])
def test_an_unknown_document_is_not_found(collection: Collection[Any], document_id: str) -> None:
    assert collection.find(document_id) is None
    with pytest.raises(NotFound):
        collection.get(document_id)
    with pytest.raises(NotFound):
        collection.delete(document_id, expected_revision=None)


def test_a_document_is_replaced_at_its_revision(collection: Collection[Any], make: Callable[..., Any]) -> None:
    collection.add(make("a"))
    changed = make("a", name="changed", revision=2)
    collection.replace(changed, expected_revision=1)
    assert collection.get("a") == changed
    assert collection.page(limit=2, cursor=None).items == (changed,)


def test_a_stale_replacement_writes_nothing(collection: Collection[Any], make: Callable[..., Any], kind: Kept) -> None:
    collection.add(make("a", revision=3))
    with pytest.raises(RevisionConflict, match=f"The {kind.name} is at revision 3 by now"):
        collection.replace(make("a", name="changed", revision=3), expected_revision=2)
    assert collection.get("a") == make("a", revision=3)


def test_what_is_not_there_cannot_be_replaced(collection: Collection[Any], make: Callable[..., Any]) -> None:
    with pytest.raises(NotFound):
        collection.replace(make("a", revision=2), expected_revision=1)
    assert ids_of(collection) == []


@pytest.mark.parametrize("revision", [None, 2])
def test_a_document_is_deleted(collection: Collection[Any], make: Callable[..., Any], revision: int | None) -> None:
    collection.add(make("a", revision=2))
    collection.delete("a", expected_revision=revision)
    assert ids_of(collection) == []
    assert collection.find("a") is None
    with pytest.raises(NotFound):
        collection.delete("a", expected_revision=revision)


def test_a_stale_deletion_deletes_nothing(collection: Collection[Any], make: Callable[..., Any]) -> None:
    collection.add(make("a", revision=2))
    with pytest.raises(RevisionConflict):
        collection.delete("a", expected_revision=1)
    assert collection.get("a") == make("a", revision=2)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 100])
def test_pages_hold_every_document_once_and_in_order(
    collection: Collection[Any], make: Callable[..., Any], limit: int
) -> None:
    names = ["a", "a-b", "b", "b1", "c", "d"]
    for name in reversed(names):
        collection.add(make(name))
    found: list[str] = []
    cursor = None
    pages = 0
    while pages == 0 or cursor is not None:
        page = collection.page(limit=limit, cursor=cursor)
        found += [document.id for document in page.items]
        cursor = page.next_cursor
        pages += 1
    assert found == names
    assert pages == -(-len(names) // limit)


def test_a_cursor_outlives_the_document_it_points_at(collection: Collection[Any], make: Callable[..., Any]) -> None:
    for name in ("a", "b", "c"):
        collection.add(make(name))
    cursor = collection.page(limit=2, cursor=None).next_cursor
    collection.delete("b", expected_revision=None)
    assert [document.id for document in collection.page(limit=2, cursor=cursor).items] == ["c"]


def _cursor(key: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "?",
        "a",
        "ä",
        "Zm9v",
        "[" * 100_000,
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        _cursor("a"),
        _cursor(None),
        _cursor({}),
        _cursor({"query_id": "a"}),
    ],
)
def test_a_bad_cursor_is_a_malformed_request(collection: Collection[Any], cursor: str) -> None:
    with pytest.raises(MalformedRequest):
        collection.page(limit=2, cursor=cursor)


@pytest.mark.parametrize("value", [1, "", "p" * 3000, None])
def test_a_cursor_holds_a_key_of_its_own_list(collection: Collection[Any], kind: Kept, value: object) -> None:
    for key in ({f"{kind.name}_id": value}, {f"{kind.name}_id": "a", "collection": "other"}):
        with pytest.raises(MalformedRequest):
            collection.page(limit=2, cursor=_cursor(key))


def test_a_change_elsewhere_is_read_at_once(aws, settings, clock: FakeClock, ids: FakeIds, kind: Kept) -> None:
    here, elsewhere = (kind.of(stores_on_aws(aws, settings, clock, ids)) for _ in range(2))
    assert here.find("a") is None
    elsewhere.add(kind.make("a"))
    assert here.get("a") == kind.make("a")
    elsewhere.replace(kind.make("a", revision=2), expected_revision=1)
    assert here.get("a").revision == 2
    assert here.page(limit=1, cursor=None).items == (kind.make("a", revision=2),)


def test_a_stored_document_without_a_later_field_is_still_read(
    aws, settings, clock: FakeClock, ids: FakeIds, kind: Kept
) -> None:
    """A field that is added later has a default: what was stored before stays readable."""
    collection = kind.of(stores_on_aws(aws, settings, clock, ids))
    collection.add(kind.make("a"))
    table = getattr(settings, f"{kind.name}s_table")
    (item,) = aws.dynamodb.scan(TableName=table)["Items"]
    document = json.loads(item["document"]["S"])
    document["a_field_of_another_release"] = 1
    aws.dynamodb.put_item(TableName=table, Item=item | {"document": {"S": json.dumps(document)}})
    assert collection.get("a") == kind.make("a")


def test_a_document_that_went_while_it_was_listed_is_left_out(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    keys = stores_on_aws(aws, settings, clock, ids).keys
    for name in ("a", "b", "c"):
        keys.add(api_key(name))

    def go(**_: object) -> None:
        aws.dynamodb.meta.events.unregister("before-call.dynamodb.BatchGetItem", go)
        keys.delete("b", expected_revision=None)

    aws.dynamodb.meta.events.register("before-call.dynamodb.BatchGetItem", go)
    page = keys.page(limit=2, cursor=None)
    assert [key.id for key in page.items] == ["a"]
    assert [key.id for key in keys.page(limit=2, cursor=page.next_cursor).items] == ["c"]
