"""A deployment over the last release keeps what that one has: nothing with a state is removed or replaced.

`released/` has the templates of the last release's production. They are written anew when a version is released, and only then:
`python -m tests.infra.test_replacements`. Nothing is released yet: they are those of 30 November 2026.
"""

import copy
import json
from pathlib import Path

import pytest

from tests.infra.deployments import deployed
from tests.infra.replacements import STATEFUL, losses

RELEASED = Path(__file__).parent / "released"
STACKS = ("data", "api")


def released(stack):
    return json.loads((RELEASED / f"{stack}.template.json").read_text())


def of_today(stack):
    return deployed(stage="prod").templates[stack].body


@pytest.mark.parametrize("stack", STACKS)
def test_nothing_with_a_state_is_lost_to_the_next_release(stack):
    assert losses(released(stack), of_today(stack)) == []


def test_everything_with_a_state_is_in_a_stack_that_is_looked_at():
    for name, template in deployed(stage="prod").templates.items():
        stateful = [resource for resource in template.body["Resources"].values() if resource["Type"] in STATEFUL]
        assert bool(stateful) == (name in STACKS)


def without(properties, name):
    properties.pop(name)


CHANGES = {
    "another table's name": ("AWS::DynamoDB::Table", lambda it: it.update(TableName="keys"), "TableName cannot change"),
    "another key": (
        "AWS::DynamoDB::Table",
        lambda it: it.update(KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}]),
        "KeySchema cannot change",
    ),
    "another bucket's name": ("AWS::S3::Bucket", lambda it: it.update(BucketName="b"), "BucketName cannot change"),
    "a queue in order": ("AWS::SQS::Queue", lambda it: it.update(FifoQueue=True), "FifoQueue cannot change"),
    "another secret's name": ("AWS::SecretsManager::Secret", lambda it: without(it, "Name"), "Name cannot change"),
}


@pytest.mark.parametrize(("type_", "change", "said"), CHANGES.values(), ids=list(CHANGES))
def test_a_change_that_replaces_is_found(type_, change, said):
    changed = copy.deepcopy(released("data"))
    id_ = next(id_ for id_, resource in changed["Resources"].items() if resource["Type"] == type_)
    change(changed["Resources"][id_]["Properties"])
    assert losses(released("data"), changed) == [f"{id_} would be replaced: {said}"]


@pytest.mark.parametrize("type_", sorted(STATEFUL))
def test_a_removal_is_found_and_another_logical_id_is_one(type_):
    stack = "api" if type_ == "AWS::ApiGateway::RestApi" else "data"
    changed = copy.deepcopy(released(stack))
    id_ = next(id_ for id_, resource in changed["Resources"].items() if resource["Type"] == type_)
    changed["Resources"][f"{id_}2"] = changed["Resources"].pop(id_)
    assert losses(released(stack), changed) == [f"{id_} would be removed, or made anew under another logical id"]


def test_another_type_is_found():
    changed = copy.deepcopy(released("data"))
    id_ = next(id_ for id_, resource in changed["Resources"].items() if resource["Type"] == "AWS::SQS::Queue")
    changed["Resources"][id_]["Type"] = "AWS::SNS::Topic"
    assert losses(released("data"), changed) == [f"{id_} would become AWS::SNS::Topic"]


def test_more_than_one_change_of_indexes_is_found():
    changed = copy.deepcopy(released("data"))
    id_, table = next((id_, resource) for id_, resource in changed["Resources"].items() if id_.startswith("Queries"))
    indexes = table["Properties"]["GlobalSecondaryIndexes"]
    indexes.pop()
    assert losses(released("data"), changed) == []
    indexes.pop()
    assert losses(released("data"), changed) == [
        f"{id_} would have several changes of its indexes: DynamoDB takes one in a deployment"
    ]


def test_what_no_longer_outlives_its_stack_is_found():
    changed = copy.deepcopy(released("data"))
    id_ = next(id_ for id_, resource in changed["Resources"].items() if resource["Type"] == "AWS::KMS::Key")
    changed["Resources"][id_]["DeletionPolicy"] = "Delete"
    assert losses(released("data"), changed) == [f"{id_} would not outlive its stack any more"]


if __name__ == "__main__":
    for name in STACKS:
        (RELEASED / f"{name}.template.json").write_text(json.dumps(of_today(name), indent=1) + "\n")
