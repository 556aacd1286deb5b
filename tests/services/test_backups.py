"""A backup is put back as it was, once it was found whole; what is not sound changes nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some
from llm_gateway.domain.audit.entries import COMMAND_LINE
from llm_gateway.services.backups import MOST_LINE_CHARACTERS, Backups, NotABackup, checked

from tests.adapters.audit_log import InMemoryAuditLog
from tests.adapters.clock import FakeClock
from tests.adapters.configuration_tables import InMemoryConfigurationTables

KEY = {"key_id": {"S": "key_1"}, "hash": {"B": b"\x00\xff"}, "roles": {"SS": ["a", "b"]}, "uses": {"N": "3"}}
PROVIDER = {
    "collection": {"S": "providers"},
    "provider_id": {"S": "p"},
    "limits": {"M": {"on": {"BOOL": True}, "none": {"NULL": True}, "list": {"L": [{"N": "1"}, {"BS": [b"x"]}]}}},
}
PROMPT = {"collection": {"S": "prompts"}, "place": {"S": "a#1"}, "body": {"S": "Grüß Gott — 你好"}}


class Kit:
    def __init__(self) -> None:
        self.tables, clock = InMemoryConfigurationTables(), FakeClock()
        self.log = InMemoryAuditLog(clock)
        self.backups = Backups(tables=self.tables, log=self.log, clock=clock)


@pytest.fixture
def kit() -> Kit:
    return Kit()


@pytest.fixture
def lines(kit: Kit) -> list[str]:
    for table, item in (("keys", KEY), ("providers", PROVIDER), ("prompts", PROMPT)):
        kit.tables.put_new(table, item)
    return list(kit.backups.written())


def test_what_is_written_is_put_back_as_it_was(kit: Kit, lines: list[str]) -> None:
    other = Kit()
    restored = other.backups.restore(lambda: lines)
    assert restored.put == {"keys": 1, "providers": 1, "prompts": 1}
    assert restored.kept == {"keys": 0, "providers": 0, "prompts": 0}
    assert other.tables.kept == kit.tables.kept
    assert list(other.backups.written())[1:] == lines[1:]


def test_what_is_there_stays_and_an_import_can_be_repeated(lines: list[str]) -> None:
    other = Kit()
    other.tables.put_new("keys", {**KEY, "uses": {"N": "9"}})
    first, second = (other.backups.restore(lambda: lines) for _ in range(2))
    assert (first.put["keys"], first.kept["keys"], first.put["providers"]) == (0, 1, 1)
    assert sum(second.put.values()) == 0
    assert other.tables.kept["keys"][0]["uses"] == {"N": "9"}


def test_an_import_is_entered_in_the_audit_log(lines: list[str]) -> None:
    other = Kit()
    other.backups.restore(lambda: lines)
    (entry,) = other.log.entries
    assert (entry.deed.actor, entry.deed.action) == (COMMAND_LINE, "backup.imported")
    assert entry.deed.after is not None
    assert entry.deed.after["items"] == {"keys": 1, "providers": 1, "prompts": 1}
    assert entry.deed.after["sha256"] == checked(lines).sha256


def changed(lines: list[str], number: int, **members: Any) -> list[str]:
    found = {**json.loads(lines[number]), **members}
    return [*lines[:number], json.dumps(found), *lines[number + 1 :]]


MISTAKES = {
    "empty": (lambda lines: lines[:0], "it has no end"),
    "cut short": (lambda lines: lines[:-1], "it has no end"),
    "an item after the end": (lambda lines: [*lines, lines[1]], "comes after the end"),
    "garbage after the end": (lambda lines: [*lines, "{"], "comes after the end"),
    "an item as its beginning": (lambda lines: changed(lines, 0, table="keys", item={}), "line 1: 'item', 'table'"),
    "an item left out": (lambda lines: [lines[0], *lines[2:]], "line 4: its count or its hash"),
    "an item changed": (
        lambda lines: changed(lines, 1, item={**json.loads(lines[1])["item"], "uses": {"N": "4"}}),
        "its hash",
    ),
    "another format": (lambda lines: changed(lines, 0, format="zip"), 'line 1: "format" is not'),
    "another version": (lambda lines: changed(lines, 0, version=2), 'line 1: "version" is not 1'),
    "no JSON": (lambda lines: [lines[0], "{", *lines[1:]], "line 2: "),
    "no object": (lambda lines: [lines[0], "[]", *lines[1:]], "line 2: is not an object"),
    "too long": (lambda lines: [lines[0], "x" * (MOST_LINE_CHARACTERS + 1)], "line 2: has more than"),
    "another table": (lambda lines: changed(lines, 1, table="audit"), 'line 2: "table" is none of keys'),
    "no item": (lambda lines: changed(lines, 1, item=[]), 'line 2: "item" is not an object'),
    "no key": (lambda lines: changed(lines, 1, item={"hash": {"B": ""}}), "has no text as its 'key_id'"),
    "an empty key": (lambda lines: changed(lines, 1, item={"key_id": {"S": ""}}), "has no text as its 'key_id'"),
    "a number for a key": (lambda lines: changed(lines, 1, item={"key_id": {"N": "1"}}), "has no text as its 'key_id'"),
    "no type": (lambda lines: changed(lines, 1, item={"key_id": "1"}), "not one type with its value"),
    "two types": (
        lambda lines: changed(lines, 1, item={"key_id": {"S": "1", "N": "1"}}),
        "not one type with its value",
    ),
    "another type": (lambda lines: changed(lines, 1, item={"key_id": {"Q": "1"}}), "not of its type 'Q'"),
    "no base64": (lambda lines: changed(lines, 1, item={"key_id": {"B": "?"}}), "bytes that are not base64"),
    "no base64 in a set": (lambda lines: changed(lines, 1, item={"key_id": {"BS": ["AA==", 1]}}), "not base64"),
    "a number as text": (lambda lines: changed(lines, 1, item={"key_id": {"S": 1}}), "not of its type 'S'"),
    "a set of all kinds": (lambda lines: changed(lines, 1, item={"key_id": {"SS": ["a", 1]}}), "not of its type 'SS'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_not_sound_changes_nothing(mistake: str, lines: list[str]) -> None:
    wrong, told = MISTAKES[mistake]
    other = Kit()
    with pytest.raises(NotABackup, match=told):
        other.backups.restore(lambda: wrong(lines))
    assert not any(other.tables.kept.values())
    assert other.log.entries == []


def test_an_item_is_no_deeper_than_dynamodb_takes_it(lines: list[str]) -> None:
    value: Any = {"S": "deep"}
    for _ in range(40):
        value = {"L": [value]}
    with pytest.raises(NotABackup, match="not one type with its value"):
        checked(changed(lines, 1, item={"key_id": value}))


VALUES = some.recursive(
    some.builds(lambda text: {"S": text}, some.text())
    | some.builds(lambda raw: {"B": raw}, some.binary())
    | some.builds(lambda number: {"N": str(number)}, some.integers())
    | some.builds(lambda flag: {"BOOL": flag}, some.booleans()),
    lambda inner: (
        some.builds(lambda parts: {"L": parts}, some.lists(inner, max_size=3))
        | some.builds(
            lambda parts: {"M": parts}, some.dictionaries(some.text(min_size=1, max_size=5), inner, max_size=3)
        )
    ),
    max_leaves=8,
)


@given(some.dictionaries(some.text(min_size=1, max_size=8), VALUES, max_size=4))
def test_any_item_comes_back(item: dict[str, Any]) -> None:
    kit, other = Kit(), Kit()
    kit.tables.put_new("keys", {**item, "key_id": {"S": "key"}})
    lines = list(kit.backups.written())
    other.backups.restore(lambda: lines)
    assert other.tables.kept == kit.tables.kept
