"""Every setting can be switched, back and forth, and what stays behind then is told in docs/deployment.md."""

import pytest

from tests.infra.account import Account, Refused
from tests.infra.deployments import few

MODEL = "llm-gateway-dev-local-model"
SWITCHES = {
    "waf": ({"stage": "prod"}, {"stage": "prod", "waf": "on"}),
    "tracing": ({}, {"tracing": "on"}),
    "dashboards": ({}, {"dashboards": "off"}),
    "streaming": ({}, {"streaming": "buffered"}),
    "alarmEmail": ({}, {"alarmEmail": "operator@example.com"}),
    "waitingConcurrency": ({}, {"waitingConcurrency": "20"}),
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


@pytest.mark.parametrize("form", ["lambda", "fargate"])
def test_a_model_comes_and_goes_and_its_stack_is_deleted_by_hand(form):
    without, with_model = few(), few(localModel=form)
    account = Account()
    for _ in range(2):
        account.deploy(without)
        account.deploy(with_model)
        with pytest.raises(Refused, match="in use by"):
            account.destroy(MODEL)
        account.deploy(without)
        # The docs say so.
        assert set(account.stacks) - stacks_of(without) == {MODEL}
        account.destroy(MODEL)
        assert set(account.stacks) == stacks_of(without)


@pytest.mark.parametrize(("first", "then"), [("lambda", "fargate"), ("fargate", "lambda")])
def test_from_one_form_to_the_other_there_is_one_way(first, then):
    account = Account()
    account.deploy(few(localModel=first))
    with pytest.raises(Refused, match="in use by"):
        account.deploy(few(localModel=then))
    account.deploy(few())
    account.destroy(MODEL)
    account.deploy(few(localModel=then))
    assert set(account.stacks) == stacks_of(few(localModel=then))
