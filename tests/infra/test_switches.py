"""Every setting can be switched, back and forth, and what stays behind then is told in docs/deployment.md."""

import pytest

from tests.docs.pages import page
from tests.infra.account import Account, Refused
from tests.infra.deployments import BEDROCK, few

MODEL = "llm-gateway-dev-local-model"
SWITCHES = {
    "waf": ({"stage": "prod"}, {"stage": "prod", "waf": "on"}),
    "rollout": ({"stage": "prod"}, {"stage": "prod", "rollout": "off"}),
    "tracing": ({}, {"tracing": "on"}),
    "dashboards": ({}, {"dashboards": "off"}),
    "streaming": ({}, {"streaming": "buffered"}),
    "alarmEmail": ({}, {"alarmEmail": "operator@example.com"}),
    "waitingConcurrency": ({}, {"waitingConcurrency": "20"}),
    "snapStart": ({}, {"snapStart": "on"}),
    "provisionedConcurrency": ({}, {"provisionedConcurrency": "2"}),
    # They have nothing to do with one another.
    "seal, bedrock, otlpEndpoint, corsOrigins": (
        {},
        BEDROCK
        | {
            "seal": "on",
            "otlpEndpoint": "https://collector.example.com:4318",
            "corsOrigins": "https://app.example.com,http://localhost:3000",
        },
    ),
}


def stacks_of(deployment):
    return {file.name.removesuffix(".template.json") for file in deployment.output.glob("*.template.json")}


@pytest.mark.parametrize("setting", SWITCHES)
def test_a_setting_is_switched_by_one_deployment_and_leaves_no_stack(setting):
    before, after = (few(**settings) for settings in SWITCHES[setting])
    account = Account()
    for deployment in (before, after, before):
        account.deploy(deployment)
        assert set(account.stacks) == stacks_of(deployment)


def test_a_lock_comes_and_does_not_go():
    """S3 takes no lock off: the template that would is one that a deployment must not be given, and the docs say so."""
    locked, unlocked = (
        [bucket.get("ObjectLockEnabled", False) for bucket in few(**settings).data.properties("AWS::S3::Bucket")]
        for settings in ({"auditLock": "on"}, {})
    )
    assert sum(locked) == 1
    assert sum(unlocked) == 0
    assert "`auditLock` goes one way" in page("deployment")


@pytest.mark.parametrize(("form", "left"), [("lambda", "off"), ("fargate", "leaving")])
def test_a_model_comes_and_goes_and_its_stack_is_deleted_by_hand(form, left):
    without, with_model, leaving = few(), few(localModel=form), few(localModel=left)
    account = Account()
    for _ in range(2):
        account.deploy(without)
        account.deploy(with_model)
        with pytest.raises(Refused, match="in use by"):
            account.destroy(MODEL)
        account.deploy(leaving)
        # The docs say so.
        assert set(account.stacks) - stacks_of(without) == {MODEL}
        account.destroy(MODEL)
        account.deploy(without)
        assert set(account.stacks) == stacks_of(without)


@pytest.mark.parametrize(("first", "left", "then"), [("lambda", "off", "fargate"), ("fargate", "leaving", "lambda")])
def test_from_one_form_to_the_other_there_is_one_way(first, left, then):
    account = Account()
    account.deploy(few(localModel=first))
    with pytest.raises(Refused, match="in use by"):
        account.deploy(few(localModel=then))
    account.deploy(few(localModel=left))
    account.destroy(MODEL)
    account.deploy(few(localModel=then))
    assert set(account.stacks) == stacks_of(few(localModel=then))
