"""What the tests synthesize of the table passes cfn-lint: `deployed` and `few` see to it. Here: they would see what is wrong."""

import json

import pytest

from local_aws.synthesis import LOCAL_CONTEXT
from tests.infra.deployments import deployed, few
from tests.infra.lint import EXPLAINED, check, findings, is_clean


@pytest.mark.parametrize(
    ("type_", "properties", "rule"),
    [
        # Messages would be gone after four days.
        ("AWS::SQS::Queue", {}, "I3013"),
        ("AWS::SQS::Queue", {"MessageRetentionPeriod": "a week"}, "E3012"),
        ("AWS::Lambda::Function", {"Code": {"ZipFile": ""}, "Role": "a role", "Runtime": "python2.7"}, "E2533"),
        ("AWS::DynamoDB::Table", {"KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}]}, "E3039"),
    ],
)
def test_what_is_wrong_is_found(type_, properties, rule):
    wrong = {"Resources": {"Wrong": {"Type": type_, "Properties": properties}}}
    with pytest.raises(AssertionError, match=rule):
        check("wrong", wrong)


def test_the_deployment_of_a_local_aws_passes_too():
    # This machine's Python may be older than what Lambda still runs.
    assert deployed(**{**LOCAL_CONTEXT, "python": "3.13"}).templates


@pytest.mark.parametrize("synthesize", [deployed, few])
def test_what_is_synthesized_is_looked_at(synthesize):
    assert not is_clean({"Resources": {}})
    assert all(is_clean(template.body) for template in synthesize(stage="prod"))


def test_nothing_is_explained_that_is_not_found():
    found = {rule for name in ("public", "api") for rule, *_ in findings(json.dumps(deployed().templates[name].body))}
    assert found == set(EXPLAINED)
