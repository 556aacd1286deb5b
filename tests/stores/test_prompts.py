"""What a store of prompts promises to their editors, and a reader of them to queries."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from llm_gateway.domain.prompts.prompts import Gate, PastPrompt, PromptKind, PromptMetadata
from llm_gateway.errors import (
    AlreadyExists,
    DependencyUnavailable,
    MalformedRequest,
    PromptNotFound,
    RevisionConflict,
    ValidationFailed,
)
from llm_gateway.ports.audit import Change
from llm_gateway.ports.prompts import PromptReader, PromptSave, PromptSearch
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.prompt_reader import DynamoPromptReader

from tests.adapters.authors import BY
from tests.adapters.clock import FakeClock
from tests.adapters.ids import FakeIds
from tests.stores.conftest import Stores, stores_on_aws
from tests.stores.values import prompt, prompt_version


def plain(prompt_id: str = "answer", **changes: Any) -> PromptMetadata:
    """A prompt with one version, and nothing that the store looks at."""
    said = {"version": 1, "revision": 1, "changes": 1, "labels": {}, "roles": {}, "suite_hash": None}
    return prompt(prompt_id, **(said | changes))


def role(prompt_id: str, **changes: Any) -> PromptMetadata:
    return plain(prompt_id, kind=PromptKind.ROLE, **changes)


def commit(stores: Stores, changes: Iterable[Change]) -> None:
    stores.audit.append(BY.deed("answer"), *changes)


def add(stores: Stores, metadata: PromptMetadata, **save: Any) -> PromptMetadata:
    version = prompt_version(metadata.id, metadata.version)
    commit(stores, stores.prompts.saving(PromptSave(metadata=metadata, before=None, version=version, **save)))
    return metadata


def change(stores: Stores, before: PromptMetadata, after: PromptMetadata, **save: Any) -> PromptMetadata:
    after = replace(after, changes=before.changes + 1)
    commit(stores, stores.prompts.saving(PromptSave(metadata=after, before=before, **save)))
    return after


def named(*versions: int) -> dict[str, Any]:
    (label,) = prompt().labels.values()
    return {"labels": {"production": replace(label, versions=dict.fromkeys(versions, 1))}}


def add_second(stores: Stores, before: PromptMetadata, **changes: Any) -> PromptMetadata:
    after = replace(before, version=before.version + 1, **changes)
    return change(stores, before, after, version=prompt_version(before.id, after.version))


def test_a_prompt_comes_back_as_it_was(stores: Stores) -> None:
    first = add(stores, plain(), suite=({"name": "greets", "assert": [{"type": "contains", "value": "ä"}]},))
    whole = change(stores, first, prompt(), version=prompt_version(number=2))
    assert stores.prompts.get("answer") == stores.prompts.find("answer") == whole
    assert stores.prompts.page(PromptSearch(), limit=1, cursor=None).items == (whole,)
    assert stores.prompts.version("answer", 2) == prompt_version(number=2)
    assert stores.prompts.suite("answer") == ({"name": "greets", "assert": [{"type": "contains", "value": "ä"}]},)


@pytest.mark.parametrize("prompt_id", ["unknown", "", "p" * 3000, "\ud800", "live#answer", "a\x00"])
def test_what_is_not_there_is_not_found(stores: Stores, prompt_id: str) -> None:
    add(stores, plain())
    assert stores.prompts.find(prompt_id) is None
    with pytest.raises(PromptNotFound):
        stores.prompts.get(prompt_id)
    assert stores.prompts.past(prompt_id) is None
    assert stores.prompts.version(prompt_id, 1) is None
    assert stores.prompts.versions(prompt_id, limit=1, cursor=None).items == ()
    assert stores.prompts.suite(prompt_id) == ()
    assert stores.prompt_reader.open(prompt_id, roles=False).prompt is None
    assert stores.prompt_reader.version(prompt_id, 1) is None


def test_an_id_is_taken_once(stores: Stores) -> None:
    add(stores, plain())
    with pytest.raises(AlreadyExists, match="The prompt id 'answer' is taken"):
        add(stores, plain(name="Another"))
    assert stores.prompts.get("answer") == plain()


def test_of_two_who_write_at_once_one_has_to_read_again(stores: Stores) -> None:
    before = add(stores, plain())
    after = add_second(stores, before)
    with pytest.raises(RevisionConflict):
        add_second(stores, before, name="Mine")
    assert stores.prompts.get("answer") == after


def test_a_number_is_given_once(stores: Stores) -> None:
    before = add(stores, plain())
    with pytest.raises(RevisionConflict):
        change(stores, before, replace(before, name="New"), version=prompt_version(number=1, commit_message="other"))
    assert stores.prompts.version("answer", 1) == prompt_version()
    assert stores.prompts.get("answer") == before


def test_versions_are_listed_newest_first(stores: Stores) -> None:
    found = add(stores, plain())
    for _ in range(4):
        found = add_second(stores, found)
    first = stores.prompts.versions("answer", limit=2, cursor=None)
    rest = stores.prompts.versions("answer", limit=3, cursor=first.next_cursor)
    assert [version.number for version in (*first.items, *rest.items)] == [5, 4, 3, 2, 1]
    assert rest.next_cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "eyJ2ZXJzaW9uIjoieCJ9", "eyJ2ZXJzaW9uIjoiwrIifQ"])
def test_a_cursor_of_another_list_is_refused(stores: Stores, cursor: str) -> None:
    with pytest.raises(MalformedRequest):
        stores.prompts.versions("answer", limit=2, cursor=cursor)
    with pytest.raises(MalformedRequest):
        stores.prompts.page(PromptSearch(), limit=2, cursor=cursor)


SEARCHES = [
    (PromptSearch(), ["billing", "greeter", "refund", "tone"]),
    (PromptSearch(kind=PromptKind.ROLE), ["tone"]),
    (PromptSearch(category="money"), ["billing", "refund"]),
    (PromptSearch(tag="mail"), ["greeter", "refund"]),
    (PromptSearch(tag="ma"), []),
    (PromptSearch(name="re"), ["refund"]),
    (PromptSearch(name="RE"), ["refund"]),
    (PromptSearch(category="money", tag="mail", kind=PromptKind.PROMPT), ["refund"]),
]


@pytest.mark.parametrize(("search", "found"), SEARCHES)
def test_prompts_are_found_by_what_is_said_of_them(stores: Stores, search: PromptSearch, found: list[str]) -> None:
    add(stores, plain("billing", name="Billing", category="money", tags=()))
    add(stores, plain("greeter", name="Greeter", category=None, tags=("mail",)))
    add(stores, plain("refund", name="Refund", category="money", tags=("mail", "urgent")))
    add(stores, role("tone", name="Tone", category=None, tags=()))
    ids, cursor = [], None
    for _ in range(len(found) + 1):
        page = stores.prompts.page(search, limit=1, cursor=cursor)
        ids += [each.id for each in page.items]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert ids == found


def test_a_deleted_prompt_leaves_its_versions_and_where_to_count_on(stores: Stores) -> None:
    found = add_second(stores, add(stores, plain(), suite=({"name": "t"},)))
    commit(stores, stores.prompts.deleting(found, unused_since=None))
    assert stores.prompts.find("answer") is None
    assert stores.prompts.suite("answer") == ()
    assert stores.prompts.past("answer") == PastPrompt(kind=PromptKind.PROMPT, version=2, changes=2)
    assert stores.prompts.version("answer", 1) == prompt_version(number=1)
    assert stores.prompt_reader.version("answer", 2) == prompt_version(number=2)
    assert stores.prompt_reader.open("answer", version=2, roles=False).prompt is None


def test_what_has_changed_is_not_deleted(stores: Stores) -> None:
    before = add(stores, plain())
    after = add_second(stores, before)
    with pytest.raises(RevisionConflict):
        commit(stores, stores.prompts.deleting(before, unused_since=None))
    assert stores.prompts.get("answer") == after


def test_a_role_tells_who_names_it(stores: Stores) -> None:
    add(stores, role("support"))
    unused = stores.prompts.use("support")
    assert unused.prompts == ()
    user = add(stores, plain(roles={1: ("support@1", "assistant")}), needs=frozenset({"support"}))
    used = stores.prompts.use("support")
    assert (used.prompts, used.names) == (("answer",), {"support@1"})
    assert used.stamp != unused.stamp
    assert stores.prompts.use("supp").prompts == ()
    change(stores, user, replace(user, roles={}))
    assert stores.prompts.use("support").prompts == ()


def test_a_role_is_not_deleted_that_a_prompt_began_to_name(stores: Stores) -> None:
    found = add(stores, role("support"))
    unused = stores.prompts.use("support")
    add(stores, plain(roles={1: ("support",)}), needs=frozenset({"support"}))
    with pytest.raises(RevisionConflict):
        commit(stores, stores.prompts.deleting(found, unused_since=unused.stamp))
    assert stores.prompts.get("support") == found


def test_a_role_is_not_named_that_was_deleted(stores: Stores) -> None:
    found = add(stores, role("support"))
    commit(stores, stores.prompts.deleting(found, unused_since=stores.prompts.use("support").stamp))
    with pytest.raises(ValidationFailed, match="no role 'support'"):
        add(stores, plain(roles={1: ("support",)}), needs=frozenset({"support"}))
    assert stores.prompts.find("answer") is None


def test_what_is_said_of_a_prompt_has_a_bound(aws: Aws, settings: Any, clock: FakeClock, ids: FakeIds) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    (label,) = prompt().labels.values()
    history = tuple(replace(label.history[0], reason=random_text(150)) for _ in range(20))
    labels = {f"l{number}": replace(label, versions={1: 1}, history=history) for number in range(20)}
    found = add(stores, plain(labels=labels, description=random_text(2000)))
    assert stores.prompts.get("answer") == found
    far = labels | {f"m{number}": each for number, each in enumerate(labels.values())}
    with pytest.raises(ValidationFailed, match="labels"):
        change(stores, found, replace(found, labels=far))


def random_text(length: int) -> str:
    """Of characters with four bytes each, which hardly can be compressed."""
    return "".join(chr(0x20000 + secrets.randbelow(40_000)) for _ in range(length))


def test_a_query_gets_a_prompt_with_its_live_versions(stores: Stores) -> None:
    found = add(stores, plain())
    found = add_second(stores, found, **named(1))
    found = add_second(stores, found)
    opened = stores.prompt_reader.open("answer", roles=False).prompt
    assert opened is not None
    assert opened.metadata == found
    assert opened.versions == {1: prompt_version(number=1), 3: prompt_version(number=3)}
    with_second = stores.prompt_reader.open("answer", version=2, roles=False).prompt
    assert with_second is not None
    assert with_second.versions[2] == prompt_version(number=2)


def test_a_version_that_becomes_live_again_is_at_hand(aws: Aws, settings: Any, clock: FakeClock, ids: FakeIds) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    found = add(stores, plain())
    found = add_second(stores, add_second(stores, found))
    change(stores, found, replace(found, **named(1, 2)), opened={each: prompt_version(number=each) for each in (1, 2)})
    elsewhere = stores_on_aws(aws, settings, clock, ids).prompt_reader
    opened = elsewhere.open("answer", roles=False).prompt
    assert opened is not None
    assert opened.versions == {number: prompt_version(number=number) for number in (1, 2, 3)}
    assert {item["place"]["S"] for item in _items(aws, settings, "live#answer")} == {
        f"{number:012}" for number in (1, 2, 3)
    }


def test_what_is_live_no_more_lies_with_the_live_ones_no_more(
    aws: Aws, settings: Any, clock: FakeClock, ids: FakeIds
) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    found = add_second(stores, add(stores, plain()))
    assert [item["place"]["S"] for item in _items(aws, settings, "live#answer")] == [f"{2:012}"]
    commit(stores, stores.prompts.deleting(found, unused_since=None))
    assert _items(aws, settings, "live#answer") == []


def test_roles_come_where_they_are_wanted_or_named(stores: Stores) -> None:
    add_second(stores, add(stores, role("support")), **named(1))
    add(stores, plain())
    assert stores.prompt_reader.open(None, roles=False).roles == {}
    roles = stores.prompt_reader.open(None, roles=True).roles
    assert list(roles) == ["support"]
    assert roles["support"].metadata == stores.prompts.get("support")
    assert roles["support"].versions == {number: prompt_version("support", number) for number in (1, 2)}
    assert stores.prompt_reader.open("answer", roles=False).roles == roles


def test_a_deleted_role_is_gone_for_queries(stores: Stores) -> None:
    found = add(stores, role("support"))
    commit(stores, stores.prompts.deleting(found, unused_since=stores.prompts.use("support").stamp))
    assert stores.prompt_reader.open(None, roles=True).roles == {}


def test_a_change_elsewhere_shows_within_five_seconds(aws: Aws, settings: Any, clock: FakeClock, ids: FakeIds) -> None:
    here, elsewhere = (stores_on_aws(aws, settings, clock, ids) for _ in range(2))
    first = add(elsewhere, plain())
    assert newest(here) == 1
    add_second(elsewhere, first)
    clock.advance(4.999)
    assert newest(here) == 1
    assert newest(elsewhere) == 2
    clock.advance(0.001)
    assert newest(here) == 2


def newest(stores: Stores) -> int:
    opened = stores.prompt_reader.open("answer", roles=False).prompt
    assert opened is not None
    return opened.metadata.version


@pytest.mark.parametrize("others", [0, 3])
def test_a_query_waits_once_for_a_prompt_it_does_not_know_and_then_no_more(
    aws: Aws, settings: Any, clock: FakeClock, ids: FakeIds, others: int
) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    add(stores, role("support"))
    found = add(stores, plain(roles={1: ("support",)}), needs=frozenset({"support"}))
    for _ in range(others):
        found = add_second(stores, found)
    asked = _Counting(stores_on_aws(aws, settings, clock, ids).prompt_reader, aws)
    assert asked.open("answer") == {"prompts": 1, "live#answer": 1, "roles": 1}
    assert asked.open("answer") == {}
    clock.advance(5)
    assert asked.open("answer") == {"prompts": 1, "roles": 1}
    assert asked.open("answer", version=found.version) == {}


def test_a_version_is_read_once_however_long_ago(aws: Aws, settings: Any, clock: FakeClock, ids: FakeIds) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    add_second(stores, add(stores, plain()))
    asked = _Counting(stores_on_aws(aws, settings, clock, ids).prompt_reader, aws)
    assert asked.open("answer", version=1) == {"prompts": 1, "versions#answer": 1, "roles": 1}
    clock.advance(100_000)
    assert asked.version("answer", 1) == {}


def test_versions_take_a_bounded_room(aws: Aws, settings: Any, clock: FakeClock, ids: FakeIds) -> None:
    stores = stores_on_aws(aws, settings, clock, ids)
    found = add(stores, plain())
    for _ in range(5):
        found = add_second(stores, found)
    small = DynamoPromptReader(aws=aws, table=settings.prompts_table, clock=clock, most_bytes=3000)
    asked = _Counting(small, aws)
    for number in range(1, 7):
        assert asked.version("answer", number) == {"versions#answer": 1}
    assert asked.version("answer", 6) == {}
    assert asked.version("answer", 1) == {"versions#answer": 1}


READS: list[Callable[[Stores], object]] = [
    lambda stores: stores.prompts.find("answer"),
    lambda stores: stores.prompts.page(PromptSearch(), limit=1, cursor=None),
    lambda stores: stores.prompts.versions("answer", limit=1, cursor=None),
    lambda stores: stores.prompts.use("answer"),
    lambda stores: stores.prompt_reader.open("answer", roles=True),
    lambda stores: stores.prompt_reader.version("answer", 1),
]


@pytest.mark.parametrize("read", READS)
def test_a_store_that_cannot_be_reached_is_told_of(
    aws: Aws, settings: Any, clock: FakeClock, ids: FakeIds, read: Callable[[Stores], object]
) -> None:
    with pytest.raises(DependencyUnavailable):
        read(stores_on_aws(aws, replace(settings, prompts_table="nowhere"), clock, ids))


def _items(aws: Aws, settings: Any, collection: str) -> list[Any]:
    return aws.dynamodb.query(
        TableName=settings.prompts_table,
        KeyConditionExpression="#c = :c",
        ExpressionAttributeNames={"#c": "collection"},
        ExpressionAttributeValues={":c": {"S": collection}},
    )["Items"]


class _Counting:
    """What a reader asks of the table for each of its answers, by collection."""

    def __init__(self, reader: PromptReader, aws: Aws) -> None:
        self._reader = reader
        self._events = aws.dynamodb.meta.events
        self._asked: list[str] = []

    def open(self, prompt_id: str, **named: Any) -> dict[str, int]:
        return self._counted(lambda: self._reader.open(prompt_id, roles=False, **named).prompt)

    def version(self, prompt_id: str, number: int) -> dict[str, int]:
        return self._counted(lambda: self._reader.version(prompt_id, number))

    def _counted(self, read: Callable[[], object]) -> dict[str, int]:
        self._asked.clear()
        self._events.register("before-parameter-build", self._note)
        try:
            assert read() is not None
        finally:
            self._events.unregister("before-parameter-build", self._note)
        return {each: self._asked.count(each) for each in self._asked}

    def _note(self, params: dict[str, Any], **_: object) -> None:
        values = params["Key"]["collection"] if "Key" in params else params["ExpressionAttributeValues"][":0"]
        self._asked.append(values["S"])


def watched(stores: Stores) -> list[str]:
    return [each.id for each in stores.prompts.watched()]


def test_a_prompt_is_watched_while_a_label_with_a_gate_has_weights(stores: Stores) -> None:
    (label,) = prompt().labels.values()
    gate = Gate(max_error_rate=0.1)
    first = add_second(stores, add(stores, plain()))
    add(stores, plain("other"))
    assert watched(stores) == []
    weights = {"a": replace(label, versions={1: 9, 2: 1}, gate=gate)}
    opened = {1: prompt_version()}
    weighted = change(stores, first, replace(first, labels=weights), opened=opened)
    assert watched(stores) == ["answer"]
    assert stores.prompts.watched() == (weighted,)
    renamed = change(stores, weighted, replace(weighted, name="Another"))
    assert watched(stores) == ["answer"]
    whole = change(stores, renamed, replace(renamed, labels={"a": replace(label, versions={1: 100}, gate=gate)}))
    assert watched(stores) == []
    tested = {"a": replace(label, versions={1: 9, 2: 1}, gate=Gate(tests=True))}
    free = change(stores, whole, replace(whole, labels=tested), opened=opened)
    assert watched(stores) == []
    again = change(stores, free, replace(free, labels=weighted.labels))
    commit(stores, stores.prompts.deleting(again, unused_since=None))
    assert watched(stores) == []
