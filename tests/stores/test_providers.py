"""What a provider store promises."""

import base64
import json

import pytest
from llm_gateway.errors import AlreadyExists, MalformedRequest, ProviderNotFound, RevisionConflict

from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.values import provider


def test_a_provider_comes_back_as_it_was(stores: Stores) -> None:
    stores.providers.add(provider())
    assert stores.providers.get("openai") == provider()
    assert stores.providers.all() == (provider(),)


def test_a_taken_id_is_refused_and_the_first_provider_stays(stores: Stores) -> None:
    stores.providers.add(provider())
    with pytest.raises(AlreadyExists):
        stores.providers.add(provider(name="another"))
    assert stores.providers.get("openai") == provider()


@pytest.mark.parametrize("provider_id", ["unknown", "", "p" * 3000, "\ud800"])
def test_an_unknown_provider_is_not_found(stores: Stores, provider_id: str) -> None:
    with pytest.raises(ProviderNotFound):
        stores.providers.get(provider_id)
    with pytest.raises(ProviderNotFound):
        stores.providers.delete(provider_id, expected_revision=None)


def test_a_provider_is_replaced_at_its_revision(stores: Stores) -> None:
    stores.providers.add(provider())
    changed = provider(name="changed", revision=2)
    stores.providers.replace(changed, expected_revision=1)
    assert stores.providers.get("openai") == changed
    assert stores.providers.all() == (changed,)


def test_a_stale_replacement_writes_nothing(stores: Stores) -> None:
    stores.providers.add(provider(revision=3))
    with pytest.raises(RevisionConflict):
        stores.providers.replace(provider(name="changed", revision=3), expected_revision=2)
    assert stores.providers.get("openai") == provider(revision=3)


def test_what_is_not_there_cannot_be_replaced(stores: Stores) -> None:
    with pytest.raises(ProviderNotFound):
        stores.providers.replace(provider(revision=2), expected_revision=1)
    assert stores.providers.all() == ()


@pytest.mark.parametrize("revision", [None, 2])
def test_a_provider_is_deleted(stores: Stores, revision: int | None) -> None:
    stores.providers.add(provider(revision=2))
    stores.providers.delete("openai", expected_revision=revision)
    assert stores.providers.all() == ()
    with pytest.raises(ProviderNotFound):
        stores.providers.delete("openai", expected_revision=revision)


def test_a_stale_deletion_deletes_nothing(stores: Stores) -> None:
    stores.providers.add(provider(revision=2))
    with pytest.raises(RevisionConflict):
        stores.providers.delete("openai", expected_revision=1)
    assert stores.providers.get("openai") == provider(revision=2)


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 100])
def test_pages_hold_every_provider_once_and_in_order(stores: Stores, limit: int) -> None:
    names = ["a", "a-b", "b", "b1", "c", "d"]
    for name in reversed(names):
        stores.providers.add(provider(name))
    found: list[str] = []
    cursor = None
    pages = 0
    while pages == 0 or cursor is not None:
        page = stores.providers.page(limit=limit, cursor=cursor)
        found += [config.id for config in page.items]
        cursor = page.next_cursor
        pages += 1
    assert found == names
    assert pages == -(-len(names) // limit)


def test_a_cursor_outlives_the_provider_it_points_at(stores: Stores) -> None:
    for name in ("a", "b", "c"):
        stores.providers.add(provider(name))
    cursor = stores.providers.page(limit=2, cursor=None).next_cursor
    stores.providers.delete("b", expected_revision=None)
    assert [config.id for config in stores.providers.page(limit=2, cursor=cursor).items] == ["c"]


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
        _cursor({"provider_id": 1}),
        _cursor({"provider_id": ""}),
        _cursor({"provider_id": "p" * 3000}),
        _cursor({"provider_id": "a", "collection": "key"}),
        _cursor({"query_id": "a"}),
    ],
)
def test_a_bad_cursor_is_a_malformed_request(stores: Stores, cursor: str) -> None:
    with pytest.raises(MalformedRequest):
        stores.providers.page(limit=2, cursor=cursor)


def test_a_change_elsewhere_shows_within_five_seconds(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    here = stores_on_aws(aws, settings, clock, ids).providers
    elsewhere = stores_on_aws(aws, settings, clock, ids).providers
    assert here.all() == ()
    elsewhere.add(provider())
    clock.advance(4.999)
    assert here.all() == ()
    assert here.get("openai") == provider()
    clock.advance(0.001)
    assert here.all() == (provider(),)


def test_a_change_elsewhere_shows_at_once_to_who_asks_anew(aws, settings, clock: FakeClock, ids: FakeIds) -> None:
    here = stores_on_aws(aws, settings, clock, ids).providers
    assert here.all() == ()
    stores_on_aws(aws, settings, clock, ids).providers.add(provider())
    assert here.all(fresh=True) == (provider(),)
    assert here.all() == (provider(),)


def test_a_change_here_shows_at_once(stores: Stores) -> None:
    assert stores.providers.all() == ()
    stores.providers.add(provider())
    assert stores.providers.all() == (provider(),)
    stores.providers.replace(provider(revision=2), expected_revision=1)
    assert stores.providers.all() == (provider(revision=2),)
    stores.providers.delete("openai", expected_revision=2)
    assert stores.providers.all() == ()
