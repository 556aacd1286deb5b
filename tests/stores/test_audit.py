"""What an audit log promises: entries in a chain, with their changes or not at all, newest first in pages."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.awsrequest import AWSResponse
from llm_gateway.domain.audit.chain import Kept, Wrong, verify
from llm_gateway.domain.audit.entries import Actor, AuditEntry, Deed, Outcome
from llm_gateway.errors import (
    AlreadyExists,
    DependencyUnavailable,
    MalformedRequest,
    ProviderNotFound,
    RevisionConflict,
)
from llm_gateway.ports.audit import Search
from llm_gateway.settings import Settings
from llm_gateway.stores.audit import DynamoAuditLog
from llm_gateway.stores.connection import Aws

from tests.adapters.audit_log import InMemoryChange
from tests.adapters.aws import connect
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.adapters.ministack import free_port
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.values import api_key, provider

KEY = api_key()

DEED = Deed(
    actor=Actor(key_id="key_1", role="admin", address="10.0.0.1"),
    action="provider.updated",
    target="openai",
    request_id="req_1",
    before={"name": "Größe"},
    after={"models": [{"name": "small", "temperature": 0.5}]},
)


def everything(clock: FakeClock, **wanted: str) -> Search:
    return Search(since=datetime(2020, 1, 1, tzinfo=UTC), until=clock.now() + timedelta(hours=1), **wanted)


def test_an_entry_comes_back_as_it_was(stores: Stores, clock: FakeClock) -> None:
    denied = replace(DEED, actor=Actor(address="10.0.0.2"), before=None, outcome=Outcome.DENIED, count=7)
    first, second = stores.audit.append(DEED), stores.audit.append(denied)
    page = stores.audit.page(everything(clock), limit=10, cursor=None)
    assert (page.items, page.next_cursor) == ((second, first), None)
    assert stores.audit.head() == second.as_head(first.as_head(None))


def test_an_empty_log_has_no_head(stores: Stores, clock: FakeClock) -> None:
    assert stores.audit.head() is None
    assert stores.audit.page(everything(clock), limit=10, cursor=None).items == ()
    assert list(stores.audit.between(clock.now(), clock.now() + timedelta(days=1))) == []
    assert stores.audit.contents().kept == ()


def over_months(stores: Stores, clock: FakeClock, entries: int = 12) -> list[AuditEntry]:
    """Entries 20 days apart, by two actors in turn, the third of each six another action; newest first."""
    made = []
    for number in range(entries):
        actor = Actor(key_id=f"key_{number % 2}")
        action = "prompt.created" if number % 6 == 2 else "provider.updated"
        made.append(stores.audit.append(replace(DEED, actor=actor, action=action)))
        clock.advance(20 * 24 * 3600)
    return made[::-1]


def read(stores: Stores, search: Search, *, limit: int) -> list[AuditEntry]:
    found: list[AuditEntry] = []
    cursor = None
    while True:
        page = stores.audit.page(search, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 5, 12, 100])
def test_pages_hold_every_entry_once_the_newest_first(stores: Stores, clock: FakeClock, limit: int) -> None:
    made = over_months(stores, clock)
    assert read(stores, everything(clock), limit=limit) == made


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_entries_are_searched_by_actor_action_and_time(stores: Stores, clock: FakeClock, limit: int) -> None:
    made = over_months(stores, clock)
    whole = everything(clock)
    assert read(stores, replace(whole, actor="key_1"), limit=limit) == made[::2]
    assert read(stores, replace(whole, action="prompt.created"), limit=limit) == [made[3], made[9]]
    assert read(stores, replace(whole, actor="key_1", action="prompt.created"), limit=limit) == []
    assert read(stores, replace(whole, actor="nobody"), limit=limit) == []
    some = Search(since=made[5].at, until=made[2].at)
    assert read(stores, some, limit=limit) == made[3:6]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_entries_of_one_moment_are_in_order(stores: Stores, clock: FakeClock, limit: int) -> None:
    made = [stores.audit.append(DEED) for _ in range(5)]
    assert {entry.at for entry in made} == {clock.now()}
    assert read(stores, everything(clock), limit=limit) == made[::-1]
    assert read(stores, Search(since=clock.now(), until=clock.now()), limit=limit) == []


@pytest.mark.parametrize("cursor", ["", "?", "e30", "eyJiZWZvcmUiOiAiYSJ9", "eyJwcm92aWRlcl9pZCI6ICJhIn0"])
def test_a_bad_cursor_is_a_malformed_request(stores: Stores, clock: FakeClock, cursor: str) -> None:
    stores.audit.append(DEED)
    with pytest.raises(MalformedRequest):
        stores.audit.page(everything(clock), limit=1, cursor=cursor)


def test_entries_of_a_time_are_read_oldest_first(stores: Stores, clock: FakeClock) -> None:
    made = over_months(stores, clock)
    found = stores.audit.between(made[8].at, made[2].at)
    assert list(found) == [kept(entry) for entry in made[8:2:-1]]


def test_the_whole_log_is_read_for_the_proof(stores: Stores, clock: FakeClock) -> None:
    made = over_months(stores, clock)
    contents = stores.audit.contents()
    assert sorted(contents.kept, key=lambda one: one.place) == [kept(entry) for entry in made[::-1]]
    assert verify(contents.kept, head=contents.head) is None


def kept(entry: AuditEntry) -> Kept:
    return Kept(place=entry.place, document=entry.document, hash=entry.hash)


def test_a_change_and_its_entry_are_made_together(stores: Stores) -> None:
    stores.audit.append(DEED, stores.providers.adding(provider()))
    stores.audit.append(DEED, stores.providers.replacing(provider(name="new", revision=2), expected_revision=1))
    assert stores.providers.all() == (provider(name="new", revision=2),)
    stores.audit.append(DEED, stores.providers.deleting("openai", expected_revision=2), stores.keys.adding(KEY))
    assert stores.providers.all() == ()
    assert stores.keys.get(KEY.id) == KEY
    assert entries(stores) == 3


def test_a_change_that_cannot_be_made_leaves_no_entry_and_nothing_else(stores: Stores) -> None:
    stores.providers.add(provider(revision=3))
    changes = stores.providers
    for refused, change in (
        (AlreadyExists, changes.adding(provider())),
        (RevisionConflict, changes.replacing(provider(revision=3), expected_revision=2)),
        (RevisionConflict, changes.deleting("openai", expected_revision=2)),
        (ProviderNotFound, changes.replacing(provider("other", revision=2), expected_revision=1)),
        (ProviderNotFound, changes.deleting("other", expected_revision=None)),
    ):
        with pytest.raises(refused):
            stores.audit.append(DEED, stores.keys.adding(KEY), change)
    assert stores.providers.all() == (provider(revision=3),)
    assert stores.keys.find(KEY.id) is None
    assert entries(stores) == 0


def entries(stores: Stores) -> int:
    contents = stores.audit.contents()
    assert verify(contents.kept, head=contents.head) is None
    return len(contents.kept)


def test_an_entry_expires_where_that_is_set(aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds) -> None:
    retention = timedelta(days=30)
    log = DynamoAuditLog(aws=aws, table=settings.audit_table, clock=clock, ids=ids, retention=retention)
    entry = log.append(DEED)
    items = aws.dynamodb.scan(TableName=settings.audit_table)["Items"]
    expiring = {item["place"]["S"]: item.get("expires_at", {}).get("N") for item in items}
    assert expiring == {entry.place: str(int((clock.now() + retention).timestamp())), "head": None}


def test_another_stores_change_is_no_change(aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    with pytest.raises(TypeError):
        stores.audit.append(DEED, InMemoryChange(check=lambda: None, write=lambda: None))
    assert stores.audit.head() is None


def test_what_is_tampered_with_in_the_table_is_found(
    aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds
) -> None:
    log = DynamoAuditLog(aws=aws, table=settings.audit_table, clock=clock, ids=ids)
    made = [log.append(DEED) for _ in range(5)]
    key = {"month": {"S": "2026-11"}, "place": {"S": made[2].place}}
    stored = aws.dynamodb.get_item(TableName=settings.audit_table, Key=key)["Item"]

    def wrong() -> tuple[str, Wrong] | None:
        contents = log.contents()
        finding = verify(contents.kept, head=contents.head)
        return finding and (finding.entry_id, finding.wrong)

    document = stored["document"]["S"].replace("small", "smell")
    for changes in ({"document": {"S": document}}, {"hash": {"S": "0" * 64}}, {"document": {"NULL": True}}):
        aws.dynamodb.put_item(TableName=settings.audit_table, Item={**stored, **changes})
        assert wrong() == (made[2].id, Wrong.CHANGED)
    aws.dynamodb.delete_item(TableName=settings.audit_table, Key=key)
    assert wrong() == (made[2].id, Wrong.REMOVED)
    aws.dynamodb.put_item(TableName=settings.audit_table, Item=stored)
    assert wrong() is None


# When AWS is not as it should be


@pytest.fixture
def answers_get_lost(aws: Aws) -> Iterator[list[str]]:
    """Every transaction goes through, its answer is lost on the way, and botocore sends it again: moto then does it again."""
    lost: list[str] = []

    def lose(operation, attempts: int, **_: object) -> int | None:
        if attempts > 1 or operation.name != "TransactWriteItems":
            return None
        lost.append(operation.name)
        return 0

    aws.dynamodb.meta.events.register_first("needs-retry.dynamodb", lose)
    yield lost
    aws.dynamodb.meta.events.unregister("needs-retry.dynamodb", lose)


def test_a_change_whose_answer_was_lost_is_made_once(
    aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds, answers_get_lost: list[str]
) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    stores.audit.append(DEED, stores.providers.adding(provider()))
    stores.audit.append(DEED, stores.providers.replacing(provider(revision=2), expected_revision=1))
    stores.audit.append(DEED, stores.providers.deleting("openai", expected_revision=2))
    assert stores.providers.all() == ()
    assert len(answers_get_lost) == entries(stores) == 3


def test_a_log_out_of_reach_is_said(settings: Settings, clock: FakeClock, ids: FakeIds) -> None:
    away = connect(f"http://127.0.0.1:{free_port()}")
    stores = stores_on_aws(away, settings, clock, ids)
    for call in (
        lambda: stores.audit.append(DEED),
        lambda: stores.audit.head(),
        lambda: stores.audit.page(everything(clock), limit=1, cursor=None),
        lambda: stores.audit.contents(),
        lambda: list(stores.audit.between(clock.now(), clock.now())),
    ):
        with pytest.raises(DependencyUnavailable):
            call()


def test_a_transaction_that_dynamodb_cannot_carry_out_is_our_own_fault(
    aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds
) -> None:
    log = DynamoAuditLog(aws=aws, table=settings.audit_table, clock=clock, ids=ids)
    reasons = [{"Code": "ValidationError", "Message": "bad"}, {"Code": "None"}]
    with pytest.raises(ValueError, match="cannot carry out"):
        _cancelling(aws, log, reasons)
    assert log.head() is None


def test_who_is_always_overtaken_gives_up(aws: Aws, settings: Settings, clock: FakeClock, ids: FakeIds) -> None:
    log = DynamoAuditLog(aws=aws, table=settings.audit_table, clock=clock, ids=ids, draw=lambda: 0.5)
    with pytest.raises(DependencyUnavailable) as refused:
        _cancelling(aws, log, [{"Code": "None"}, {"Code": "TransactionConflict"}])
    assert refused.value.retry_after_s is not None
    assert 10 < clock.monotonic_s() < 20
    assert log.head() is None


def _cancelling(aws: Aws, log: DynamoAuditLog, reasons: list[dict[str, str]]) -> None:
    """Appends while every transaction is cancelled for these reasons."""
    parsed = {"Error": {"Code": "TransactionCanceledException", "Message": ""}, "CancellationReasons": reasons}

    def answer(**_: object) -> tuple[AWSResponse, dict[str, object]]:
        return AWSResponse("http://dynamodb", 400, {}, None), parsed

    events = aws.dynamodb.meta.events
    events.register_first("before-call.dynamodb.TransactWriteItems", answer)
    try:
        log.append(DEED)
    finally:
        events.unregister("before-call.dynamodb.TransactWriteItems", answer)
