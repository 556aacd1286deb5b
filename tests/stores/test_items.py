"""Conditional writes: DynamoDB does with every one of them what the rule's own words say."""

import json
import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import count
from typing import get_args
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st
from llm_gateway.domain.writes import (
    Above,
    Absent,
    Add,
    AtMost,
    Change,
    Condition,
    Contains,
    EntryEqual,
    Equal,
    Lacks,
    Put,
    PutEntry,
    Remove,
    RemoveEntry,
    SmallerThan,
    Write,
)
from llm_gateway.errors import DependencyUnavailable
from llm_gateway.settings import Settings
from llm_gateway.stores import items as stored
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.items import DynamoItems
from llm_gateway.stores.kept_connections import Answer

from tests.adapters.aws import ENVIRONMENT
from tests.adapters.items import InMemoryItems

_numbers = count()

NAMES = st.sampled_from(["size", "count", "user"])  # Words that DynamoDB keeps for itself, too.
ENTRIES = st.sampled_from(["one", "two", "9three"])
VALUES = st.integers(-3, 3) | st.integers(10**18, 10**19)
conditions = st.lists(
    st.one_of(
        st.builds(Absent, NAMES | st.just("places")),
        st.builds(Equal, NAMES, VALUES),
        st.builds(Equal, st.just("text"), st.sampled_from(["a", "b"])),
        st.builds(AtMost, NAMES, VALUES | st.decimals(-3, 3, places=5)),
        st.builds(Above, NAMES, VALUES),
        st.builds(Contains, st.just("places"), ENTRIES),
        st.builds(Lacks, st.just("places"), ENTRIES),
        st.builds(EntryEqual, st.just("places"), ENTRIES, VALUES),
        st.builds(SmallerThan, st.just("places"), st.integers(0, 3)),
    ),
    max_size=2,
)
changes = st.one_of(
    st.builds(Put, NAMES, VALUES),
    st.builds(Put, st.just("text"), st.sampled_from(["a", "b"])),
    st.builds(Put, st.just("places"), st.dictionaries(ENTRIES, VALUES)),
    st.builds(Add, NAMES, VALUES | st.decimals(-3, 3, places=5)),
    st.builds(Remove, NAMES),
    st.builds(PutEntry, st.just("places"), ENTRIES, VALUES | st.decimals(-3, 3, places=5)),
    st.builds(RemoveEntry, st.just("places"), ENTRIES),
)


def touched(change: Change) -> str:
    return change.path if change.path != "places" or isinstance(change, Put) else f"places.{change.entry}"  # type: ignore[union-attr]


def sensible(chosen: Sequence[Change]) -> bool:
    """Nothing is changed twice, nor a map together with one of its entries."""
    paths = [touched(change) for change in chosen]
    return len(set(paths)) == len(paths) and not (
        "places" in paths and any(path.startswith("places.") for path in paths)
    )


writes = st.builds(Write, conditions.map(tuple), st.lists(changes, min_size=1, max_size=3).filter(sensible).map(tuple))


@pytest.fixture
def items(aws: Aws, settings: Settings) -> DynamoItems:
    return DynamoItems(aws=aws, table=settings.limits_table, key_name="scope", holding="limits")


@settings(max_examples=60)
@given(script=st.lists(writes, max_size=8))
def test_dynamodb_and_memory_agree(items: DynamoItems, script: list[Write]) -> None:
    key, in_memory = f"agreement-{next(_numbers)}", InMemoryItems()
    for write in (Write((), (Put("places", {}), Put("expires_at", 1))), *script):
        assert items.write(key, write) == in_memory.write(key, write)
    assert items.read([key]) == in_memory.read([key])


def test_every_condition_and_change_has_its_words() -> None:
    assert set(stored._CONDITIONS) == set(get_args(Condition))
    assert set(stored._CHANGES) == set(get_args(Change))


def test_a_write_may_make_the_item_it_is_about(items: DynamoItems) -> None:
    outcome = items.write("new", Write((Absent("places"),), (Put("places", {"call": 1}), Add("count", Decimal("0.5")))))
    assert outcome.done
    assert outcome.item == {"places": {"call": 1}, "count": Decimal("0.5")}


def test_a_failed_condition_tells_what_is_there_instead(items: DynamoItems) -> None:
    for unmet in (Above("count", 0), Equal("count", 0), SmallerThan("places", 9), Contains("places", "call")):
        refused = items.write("absent", Write((unmet,), (Put("count", 1),)))
        assert (refused.done, refused.item) == (False, {})
    items.write("there", Write((), (Put("count", 7),)))
    refused = items.write("there", Write((Equal("count", 6),), (Put("count", 1),)))
    assert (refused.done, refused.item) == (False, {"count": 7})


def test_a_write_that_no_rule_would_ask_for_is_told_as_it_is(items: DynamoItems) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        items.write("absent", Write((), (PutEntry("places", "call", 1),)))


class Busy:
    """An exchange with a DynamoDB that reads so many items a request. It notes what it was asked for, and the pauses between."""

    def __init__(self, *, reads: int) -> None:
        self._reads = reads
        self.seen: list[int | str] = []

    def __call__(self, _headers: Mapping[str, str], body: bytes) -> Answer:
        [(table, wanted)] = json.loads(body)["RequestItems"].items()
        keys = wanted["Keys"]
        self.seen.append(len(keys))
        left = {table: {**wanted, "Keys": keys[self._reads :]}} if keys[self._reads :] else {}
        answer = {"Responses": {table: keys[: self._reads]}, "UnprocessedKeys": left}
        return Answer(200, {}, json.dumps(answer).encode())

    def pause(self) -> None:
        self.seen.append("a pause")

    def items(self) -> DynamoItems:
        with patch.dict(os.environ, {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}):
            aws = Aws(lambda _url: self)
            assert aws.tables
        return DynamoItems(aws=aws, table="limits", key_name="scope", holding="limits", pause=self.pause)


def test_what_a_busy_table_has_not_read_is_asked_for_again_after_a_pause() -> None:
    busy = Busy(reads=2)
    assert busy.items().read(["a", "b", "c", "d", "e"]) == {"a": {}, "b": {}, "c": {}, "d": {}, "e": {}}
    assert busy.seen == [5, "a pause", 3, "a pause", 1]


def test_a_table_that_stays_busy_is_told() -> None:
    busy = Busy(reads=0)
    with pytest.raises(DependencyUnavailable, match="too busy"):
        busy.items().read(["a"])
    assert busy.seen == [1, "a pause", 1, "a pause", 1]


def test_any_number_of_items_is_read(items: DynamoItems) -> None:
    for number in range(0, 230, 7):
        items.write(f"item-{number}", Write((), (Put("number", number),)))
    found = items.read([f"item-{number}" for number in range(230)])
    assert found == {f"item-{number}": {"number": number} if number % 7 == 0 else {} for number in range(230)}
