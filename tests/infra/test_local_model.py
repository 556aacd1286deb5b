"""A model of one's own, in either form."""

import json
import re

import pytest
from llm_gateway.access import Resource
from llm_gateway.endpoints import ROWS

from tests.infra.deployments import HEAVIEST, OWN_MODELS, STACKS, UNUSUAL, deployed, few

IMPORTED = re.compile(r'"Fn::ImportValue": "[^"]*-local-model:')
FORMS = {"lambda": OWN_MODELS, "fargate": HEAVIEST}
ASKING = {row.name for row in ROWS if Resource.CREDENTIALS in row.reads}


def test_there_is_none_unless_it_is_asked_for():
    assert "local_model" not in deployed().templates


def test_as_a_lambda_it_answers_signed_requests_only():
    model = deployed(**FORMS["lambda"]).local_model
    (url,) = model.properties("AWS::Lambda::Url")
    assert (url["AuthType"], url["InvokeMode"]) == ("AWS_IAM", "RESPONSE_STREAM")
    assert not model.of_type("AWS::Lambda::Permission")
    (function,) = model.properties("AWS::Lambda::Function")
    assert function["PackageType"] == "Image"
    assert "LocalModelUrl" in model.body["Outputs"]


@pytest.mark.parametrize("form", FORMS)
def test_it_can_be_switched_off(form):
    """Nothing but the functions' stacks imports from it, and they are deployed without it first."""
    importing = {
        name
        for name, template in deployed(**FORMS[form]).templates.items()
        if IMPORTED.search(json.dumps(template.body))
    }
    assert importing <= set(STACKS.values())
    assert not IMPORTED.search(json.dumps([template.body for template in deployed()]))


@pytest.mark.parametrize("form", FORMS)
def test_who_knows_providers_knows_its_address(form):
    deployment = deployed(**FORMS[form])
    address = deployment.local_model.body["Outputs"]["LocalModelUrl"]["Value"]
    for row in ROWS:
        variables = deployment.functions()[row.name].get("Environment", {}).get("Variables", {})
        assert ("LOCAL_MODEL_URL" in variables) == (Resource.CREDENTIALS in row.reads | row.writes), row.name
        if form == "fargate" and "LOCAL_MODEL_URL" in variables:
            assert variables["LOCAL_MODEL_URL"] == address == "http://model.llm-gateway-prod.internal:8080/v1"
    assert "LOCAL_MODEL_URL" not in deployed().functions()["run_query"]["Environment"]["Variables"]


def test_only_what_asks_providers_may_call_the_lambda():
    deployment = deployed(**FORMS["lambda"])
    statements = {row.name: deployment.having(row.name).statements(row.name) for row in ROWS}
    assert {name for name, named in statements.items() if "ModelUrl" in named} == ASKING
    statements = statements["run_query"]
    (model,) = deployment.local_model.properties("AWS::Lambda::Function")
    for name in ("Model", "ModelUrl"):
        assert json.dumps(statements[name]["Resource"]).endswith(f':function:{model["FunctionName"]}"]]}}')
    assert statements["ModelUrl"]["Action"] == "lambda:InvokeFunctionUrl"
    assert statements["Model"]["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}


def test_as_a_service_it_is_reached_only_from_functions_that_ask_providers():
    deployment = deployed(**FORMS["fargate"])
    (service,) = deployment.local_model.properties("AWS::ECS::Service")
    assert service["LaunchType"] == "FARGATE"
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"
    (ingress,) = deployment.local_model.properties("AWS::EC2::SecurityGroupIngress")
    assert "Callers" in str(ingress["SourceSecurityGroupId"])
    in_network = {name for name, function in deployment.functions().items() if "VpcConfig" in function}
    assert in_network == ASKING


def test_functions_that_leave_its_network_may_take_their_interfaces_with_them():
    """Lambda deletes them by the functions' own roles, when they have left for long: without it, the network stays for ever."""
    leaving = few(localModel="leaving")
    assert "local_model" not in leaving.templates
    functions = {name: function for template in leaving for name, function in template.functions().items()}
    assert not [name for name, function in functions.items() if "VpcConfig" in function]
    for name in functions:
        statements, usual, joined = (
            few(**settings).having(name).statements(name)
            for settings in ({"localModel": "leaving"}, {}, {"localModel": "fargate"})
        )
        added = {sid: statement for sid, statement in statements.items() if sid not in usual}
        if name not in ASKING:
            assert not added
            continue
        network = added.pop("Network")
        assert not added
        assert network["Action"] == ["ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface"]
        assert set(network["Action"]) < set(joined["Network"]["Action"])


def test_no_other_private_address_may_then_be_a_providers():
    variables = deployed(**FORMS["fargate"]).functions()["create_provider"]["Environment"]["Variables"]
    output = deployed(**FORMS["fargate"]).data.body["Outputs"]["AllowPrivateAddresses"]
    assert variables["ALLOW_PRIVATE_ADDRESSES"] == output["Value"] == "false"


def test_its_first_task_waits_for_the_way_out_of_its_network():
    """Its image comes from outside. Where there is no route yet, three failed starts would end the deployment."""
    model = deployed(**FORMS["fargate"]).local_model
    (service,) = model.of_type("AWS::ECS::Service").values()
    routes = {id_ for id_, route in model.of_type("AWS::EC2::Route").items() if "NatGatewayId" in route["Properties"]}
    assert routes
    assert routes <= set(service["DependsOn"])


def test_as_a_service_it_computes_on_all_of_its_processors():
    (task,) = deployed(**FORMS["fargate"]).local_model.properties("AWS::ECS::TaskDefinition")
    (server,) = task["ContainerDefinitions"]
    variables = {each["Name"]: each["Value"] for each in server["Environment"]}
    assert int(variables["N_THREADS"]) * 1024 == int(task["Cpu"])


def test_as_a_lambda_it_leaves_a_part_of_them_which_is_less_than_two():
    (model,) = deployed(**FORMS["lambda"]).local_model.properties("AWS::Lambda::Function")
    assert "N_THREADS" not in model.get("Environment", {}).get("Variables", {})
    # Lambda gives a whole processor for each 1,769 MB.
    assert 1 < model["MemorySize"] / 1769 < 2


@pytest.mark.parametrize(
    ("architecture", "settings"), [("arm64", HEAVIEST), ("x86_64", UNUSUAL)], ids=["arm64", "x86_64"]
)
def test_the_image_is_built_for_the_processors_that_run_it(architecture, settings):
    (task,) = deployed(**settings).local_model.properties("AWS::ECS::TaskDefinition")
    assert task["RuntimePlatform"]["CpuArchitecture"] == architecture.upper()
    assert {asset["platform"] for asset in deployed(**settings).images("local-model")} == {
        {"arm64": "linux/arm64", "x86_64": "linux/amd64"}[architecture]
    }
