"""Room for a table of 70 rows, and for its changes: what a stack takes, what it gives out, and what a failed one leaves."""

import json
import re

import pytest
from llm_gateway.access import Area, Endpoint, Permission, Resource
from llm_gateway.endpoints import AREAS, ENDPOINTS, SCHEDULES, WORKERS

from tests.infra.deployments import HEAVIEST, OWN_MODELS, deployed, synthesized

# CloudFormation takes 500 resources a stack and a template of a megabyte.
MOST_RESOURCES, MOST_BYTES = 400, 800_000
# IAM takes so many characters in all inline policies of a role together, white space aside.
MOST_POLICY_CHARACTERS = 10_240
ROWS = 70
SHARES = {Area.QUERIES: 12, Area.PROMPTS: 19, Area.KEYS: 8, Area.USAGE: 8, Area.DROP_IN: 7}
TOGETHER = frozenset(Resource)
# What other stacks import. A name that is missing here was removed: a deployment that has it in use would be rolled back.
EXPORTS = {
    *("ExportsOutputFnGetAttKeys4E30B592ArnAABB452F", "ExportsOutputRefKeys4E30B5924C5B94AA"),
    *("ExportsOutputFnGetAttProviders00248E55Arn4E40EDC2", "ExportsOutputRefProviders00248E55D25D98F6"),
    *("ExportsOutputFnGetAttQueriesDB6EF58AArnF7D2428F", "ExportsOutputRefQueriesDB6EF58A046905CF"),
    *("ExportsOutputFnGetAttLimitsA6AFC87BArn4FF34EBC", "ExportsOutputRefLimitsA6AFC87B235EEE36"),
    *("ExportsOutputFnGetAttCache18F6EE16Arn8B58E10E", "ExportsOutputRefCache18F6EE16CB7DCD1A"),
    *("ExportsOutputFnGetAttUsage04F2BA28Arn86599BD6", "ExportsOutputRefUsage04F2BA289B78EBE2"),
    *("ExportsOutputFnGetAttPrompts037647B5ArnD060D0DD", "ExportsOutputRefPrompts037647B5595F33A9"),
    *("ExportsOutputFnGetAttEvals214A196BArnB015987C", "ExportsOutputRefEvals214A196B669378A4"),
    *("ExportsOutputFnGetAttSeals7EBF2A19ArnB5107462", "ExportsOutputRefSeals7EBF2A19E0CBA36A"),
    "ExportsOutputFnGetAttDeadLetterQueue9F481546ArnC8EFA2F7",
    "ExportsOutputRefDeadLetterQueue9F481546D691FC6C",
    "ExportsOutputFnGetAttDeadLetterQueue9F481546QueueName66C26014",
    "ExportsOutputFnGetAttNormalQueueFA47CC4DArn1094290F",
    "ExportsOutputRefNormalQueueFA47CC4D8CC634FD",
    "ExportsOutputFnGetAttNormalQueueFA47CC4DQueueName3162B689",
    "ExportsOutputFnGetAttHighQueueF7CC6383Arn8264B696",
    "ExportsOutputRefHighQueueF7CC63837344CF02",
    "ExportsOutputFnGetAttHighQueueF7CC6383QueueName2E5F9FE0",
    *("ExportsOutputFnGetAttBodies3FF2AA63ArnC3365D50", "ExportsOutputRefBodies3FF2AA63AE7979EA"),
    *("ExportsOutputFnGetAttAudit3D8ADE0AArn5960E565", "ExportsOutputRefAudit3D8ADE0A2C94B8B5"),
    *("ExportsOutputFnGetAttAuditArchive60EBC247Arn996CA6EF", "ExportsOutputRefAuditArchive60EBC24727EBCDDA"),
    *("ExportsOutputFnGetAttKey961B73FDArn5A860C43", "ExportsOutputRefKey961B73FD1C116C2C"),
    "ExportsOutputRefPepper2B9638F29BC4ED0C",
    *("ExportsOutputFnGetAttEventsD32975C2Arn3A906F6E", "ExportsOutputRefEventsD32975C26DE279B4"),
}


def seventy():
    """The table with as many rows as will come, each new one with every grant and a path of its own."""
    missing = ROWS - len(ENDPOINTS)
    areas = [area for area, share in SHARES.items() for _ in range(share)][:missing]
    assert len(areas) == missing
    grown = {area: list(AREAS.get(area, ())) for area in Area}
    for number, area in enumerate(areas):
        path = f"/api/v1/llm/{area}-{number}/{{{area.replace('-', '_')}_id}}"
        name = f"a_name_as_long_as_they_come_{number}"
        row = Endpoint(name, "POST", path, Permission.RUN_QUERIES, reads=TOGETHER, writes=TOGETHER)
        grown[area].append(row)
    return grown


@pytest.mark.parametrize("settings", [{}, {"stage": "prod"}, HEAVIEST], ids=["dev", "prod", "everything"])
def test_seventy_endpoints_fit(settings):
    deployment = synthesized(seventy(), **settings)
    assert sum(len(template.of_type("AWS::Lambda::Function")) for template in deployment) == ROWS + len(WORKERS) + len(
        SCHEDULES
    )
    for name, template in deployment.templates.items():
        resources, size = len(template.body["Resources"]), len(json.dumps(template.body, indent=1))
        print(f"{name}: {resources} resources, {size / 1000:.0f} KB")
        assert resources < MOST_RESOURCES, name
        assert size < MOST_BYTES, name
        for role in template.properties("AWS::IAM::Role"):
            assert characters(role.get("Policies", [])) < MOST_POLICY_CHARACTERS


def characters(policies):
    """How many characters policies have, where the names that AWS fills in are as long as they come."""
    return len(json.dumps(filled([policy["PolicyDocument"] for policy in policies]), separators=(",", ":")))


def filled(value):
    match value:
        case {"Fn::Join": [_, parts]}:
            return "".join(filled(part) for part in parts)
        case {"Ref": "AWS::Region"}:
            return "ap-southeast-1"
        case {"Ref": "AWS::AccountId"} | {"Ref": "AWS::Partition"}:
            return "1" * 12
        case {"Fn::ImportValue": _} | {"Ref": _} | {"Fn::GetAtt": _}:
            return "x" * 100
        case dict():
            return {name: filled(inner) for name, inner in value.items()}
        case list():
            return [filled(inner) for inner in value]
        case _:
            return value


@pytest.mark.parametrize("areas", [AREAS, {Area.PUBLIC: AREAS[Area.PUBLIC]}], ids=["all", "public"])
def test_the_data_give_out_the_same_to_every_function(areas):
    outputs = (deployed() if areas is AREAS else synthesized(areas)).data.body["Outputs"].values()
    exports = {
        output["Export"]["Name"].removeprefix("llm-gateway-dev-data:") for output in outputs if "Export" in output
    }
    assert exports == EXPORTS


@pytest.mark.parametrize("settings", [{}, {"stage": "prod"}, HEAVIEST, OWN_MODELS], ids=str)
def test_stacks_import_nothing_but_what_is_pinned(settings):
    """An export that its stack makes only while it is in use cannot be given up: its own stack is deployed first."""
    for name, template in deployed(**settings).templates.items():
        for export in re.findall(r'"Fn::ImportValue": "([^"]+)"', json.dumps(template.body)):
            stack, _, exported = export.partition(":")
            if stack.endswith("-data"):
                assert exported in EXPORTS
            else:
                # A model of one's own has to be left before it can go.
                assert stack.endswith("-local-model")
                assert name != "data"
                assert "localModel" in settings


@pytest.mark.parametrize("settings", [{}, {"stage": "prod"}, HEAVIEST, OWN_MODELS], ids=str)
def test_a_deployment_that_failed_or_was_deleted_can_be_made_again(settings):
    for template in deployed(**settings):
        for id_, resource in template.body["Resources"].items():
            kept = resource.get("DeletionPolicy", "Delete")
            if id_.startswith(("ApiAccount", "ApiCloudWatchRole")):
                # The account's, for all of its APIs.
                assert kept == "Retain"
            else:
                assert kept in ("Delete", "RetainExceptOnCreate"), id_
            # A version is its function's, and goes with it.
            if kept != "Delete" and resource["Type"] != "AWS::Lambda::Version":
                names = [value for name, value in resource["Properties"].items() if name.endswith("Name")]
                assert all("AWS::StackId" in json.dumps(name) for name in names), (
                    f"{id_} would be in the way of the next"
                )
