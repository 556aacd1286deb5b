"""Who may ask Amazon Bedrock: where it is on, the functions that ask providers, and for what the setting names alone."""

import json

import pytest
from llm_gateway.access import Endpoint, Resource
from llm_gateway.endpoints import ROWS

from tests.infra.deployments import BEDROCK, OWN_MODELS, STACKS, deployed, few
from tests.infra.test_deployment import read

ACTIONS = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
ASKING = {
    "run_query",
    "stream_query",
    "process_query",
    "get_provider_status",
    "run_prompt_tests",
    "create_chat_completion",
    "create_response",
    "create_embeddings",
    "create_message",
}


def on():
    return deployed(**BEDROCK)


def granted(template, row):
    statements = template.having(row).statements(row)
    return {sid: one for sid, one in statements.items() if "bedrock" in json.dumps(one["Action"])}


def arns(statement):
    resources = statement["Resource"]
    return [_text(arn) for arn in (resources if isinstance(resources, list) else [resources])]


def _text(arn):
    """An ARN as it reads, with the names of what is filled in."""
    parts = arn["Fn::Join"][1] if isinstance(arn, dict) else [arn]
    return "".join(f"<{part['Ref'].removeprefix('AWS::')}>" if isinstance(part, dict) else part for part in parts)


@pytest.mark.parametrize("row", STACKS)
def test_off_nobody_may_ask_it(row):
    assert granted(deployed(), row) == {}


@pytest.mark.parametrize("row", STACKS)
def test_on_who_asks_providers_may_and_nobody_else(row):
    assert bool(granted(on(), row)) == (row in ASKING)


def test_a_model_and_a_profile_with_the_model_behind_it():
    may = granted(on(), "run_query")

    assert all(statement["Action"] == ACTIONS for statement in may.values())
    profile = (
        "arn:<Partition>:bedrock:<Region>:<AccountId>:inference-profile/us.anthropic.claude-sonnet-4-5-20250929-v1:0"
    )
    assert arns(may["Bedrock"]) == ["arn:<Partition>:bedrock:<Region>::foundation-model/amazon.nova-lite-v1:0", profile]
    behind = may["BedrockProfile1"]
    assert arns(behind) == ["arn:<Partition>:bedrock:*::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0"]
    (condition,) = behind["Condition"]["StringEquals"]["bedrock:InferenceProfileArn"]
    assert _text(condition) == profile


NAMED = {"bedrockModels": "amazon.nova-lite-v1:0", "bedrockRegions": "eu-west-1, eu-central-1"}


def test_in_the_regions_that_are_named():
    may = granted(few(bedrock="on", **NAMED), "stream_query")
    assert [arn.split(":")[3] for arn in arns(may["Bedrock"])] == ["eu-west-1", "eu-central-1"]


def test_a_profile_of_the_account_is_the_only_way_to_its_model():
    may, own = granted(deployed(**OWN_MODELS), "process_query"), OWN_MODELS["bedrockModels"]
    assert arns(may["Bedrock"]) == [own]
    assert may["BedrockProfile0"]["Condition"] == {"StringEquals": {"bedrock:InferenceProfileArn": [own]}}


def test_who_changes_providers_knows_whether_it_is_on():
    for template, value in ((deployed(), "off"), (on(), "on")):
        told = {
            name: one["Environment"]["Variables"].get("BEDROCK")
            for name, one in template.functions().items()
            if "Environment" in one
        }
        changes = {row.name for row in ROWS if isinstance(row, Endpoint) and Resource.PROVIDERS in row.writes}
        assert {name for name, known in told.items() if known} == changes
        assert {told[name] for name in changes} == {value}


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"bedrock": "yes"}, "bedrock"),
        ({"bedrock": "on"}, "bedrockModels"),
        ({"bedrock": "on", "bedrockModels": "*"}, "bedrockModels"),
        ({"bedrock": "on", "bedrockModels": "arn:aws:bedrock:*::foundation-model/*"}, "bedrockModels"),
        ({"bedrock": "on", "bedrockModels": "a.b", "bedrockRegions": "everywhere"}, "bedrockRegions"),
    ],
)
def test_settings_that_grant_more_than_they_name_are_refused(settings, name):
    with pytest.raises(ValueError, match=name):
        read(**settings)


def test_an_entry_counts_once():
    assert read(bedrock="on", bedrockModels="a.b, a.b,").bedrock.models == ("a.b",)
