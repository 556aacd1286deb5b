"""Changes and conditions as DynamoDB wants them written: every name and value under a placeholder, and none that is not used."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from llm_gateway.stores.described_items import MomentAttribute
from llm_gateway.stores.expressions import (
    Changes,
    IfAbsent,
    Plus,
    Where,
    above,
    absent,
    among,
    at_most,
    equal,
    members_of,
    unequal,
)
from llm_gateway.stores.query_items import QueryItem, day, hour
from pynamodb.attributes import UTCDateTimeAttribute

NOW = datetime(2026, 11, 30, tzinfo=UTC)
NOW_MS = str(int(NOW.timestamp() * 1000))


def members(changes: Changes, where: Where | None) -> dict[str, object]:
    return members_of(QueryItem.get_attributes(), changes, where)


def test_changes_are_written_by_what_they_do() -> None:
    changes: Changes = {
        "status": "running",
        "attempts": Plus(-1),
        "problem": None,
        "owner": IfAbsent("key_a"),
        "answer": None,
        "held_until": NOW,
    }
    assert members(changes, None) == {
        "UpdateExpression": "SET #status = :status, #owner = if_not_exists(#owner, :owner), #held_until = :held_until"
        " ADD #attempts :attempts REMOVE #problem, #answer",
        "ExpressionAttributeNames": {f"#{name}": name for name in changes},
        "ExpressionAttributeValues": {
            ":status": {"S": "running"},
            ":attempts": {"N": "-1"},
            ":owner": {"S": "key_a"},
            ":held_until": {"N": NOW_MS},
        },
    }


@pytest.mark.parametrize(
    ("where", "text", "values"),
    [
        (absent("owner"), "attribute_not_exists(#owner)", []),
        (equal("owner", "a"), "#owner = :0", [{"S": "a"}]),
        (unequal("owner", "a"), "#owner <> :0", [{"S": "a"}]),
        (at_most("held_until", NOW), "#held_until <= :0", [{"N": NOW_MS}]),
        (above("held_until", NOW), "#held_until > :0", [{"N": NOW_MS}]),
        (among("owner", "a", "b"), "#owner IN (:0, :1)", [{"S": "a"}, {"S": "b"}]),
        (
            (equal("owner", "a") | at_most("held_until", NOW)) & equal("owner", "b"),
            "((#owner = :0) OR (#held_until <= :1)) AND (#owner = :2)",
            [{"S": "a"}, {"N": NOW_MS}, {"S": "b"}],
        ),
    ],
)
def test_a_condition_is_written_with_its_values_in_order(where: Where, text: str, values: list[object]) -> None:
    asked = members({}, where)
    assert asked["ConditionExpression"] == text
    assert asked.get("ExpressionAttributeValues", {}) == {f":{at}": value for at, value in enumerate(values)}
    assert asked["ExpressionAttributeNames"] == {f"#{name}": name for name in re.findall(r"#(\w+)", text)}


def test_a_value_that_looks_like_a_placeholder_is_a_value() -> None:
    asked = members({"owner": "? #status"}, equal("owner", "?"))
    assert asked == {
        "UpdateExpression": "SET #owner = :owner",
        "ConditionExpression": "#owner = :0",
        "ExpressionAttributeNames": {"#owner": "owner"},
        "ExpressionAttributeValues": {":owner": {"S": "? #status"}, ":0": {"S": "?"}},
    }


def test_a_change_and_its_condition_may_be_about_the_same_attribute() -> None:
    asked = members({"status": "running"}, equal("status", "queued"))
    assert asked["ExpressionAttributeValues"] == {":status": {"S": "running"}, ":0": {"S": "queued"}}


@pytest.mark.parametrize(
    "moment",
    [
        NOW,
        datetime(2026, 11, 30, 1, 2, 3, 4, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 30, tzinfo=timezone(timedelta(hours=-2))),
        datetime(999, 1, 1, tzinfo=UTC),
    ],
)
def test_a_moment_is_written_as_pynamodb_writes_it(moment: datetime) -> None:
    written = MomentAttribute().serialize(moment)
    assert written == UTCDateTimeAttribute().serialize(moment)
    assert MomentAttribute().deserialize(written) == moment
    assert (day(moment), hour(moment)) == (written[:10], written[:13])
