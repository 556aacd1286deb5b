"""A model of one's own, in either form."""

import json

from llm_gateway.access import Resource
from llm_gateway.endpoints import ROWS

from tests.infra.deployments import deployed

ASKING = {row.name for row in ROWS if Resource.CREDENTIALS in row.reads}


def test_there_is_none_unless_it_is_asked_for():
    assert "local_model" not in deployed().templates


def test_as_a_lambda_it_answers_signed_requests_only():
    model = deployed(localModel="lambda").local_model
    (url,) = model.properties("AWS::Lambda::Url")
    assert (url["AuthType"], url["InvokeMode"]) == ("AWS_IAM", "RESPONSE_STREAM")
    assert not model.of_type("AWS::Lambda::Permission")
    (function,) = model.properties("AWS::Lambda::Function")
    assert function["PackageType"] == "Image"
    assert "LocalModelUrl" in model.body["Outputs"]


def test_the_lambda_can_be_switched_off():
    outputs = deployed(localModel="lambda").local_model.body["Outputs"]
    assert not [output for output in outputs.values() if "Export" in output]


def test_only_what_asks_providers_may_call_the_lambda():
    deployment = deployed(localModel="lambda")
    statements = {row.name: deployment.having(row.name).statements(row.name) for row in ROWS}
    assert {name for name, named in statements.items() if "ModelUrl" in named} == ASKING
    statements = statements["run_query"]
    (model,) = deployment.local_model.properties("AWS::Lambda::Function")
    for name in ("Model", "ModelUrl"):
        assert json.dumps(statements[name]["Resource"]).endswith(f':function:{model["FunctionName"]}"]]}}')
    assert statements["ModelUrl"]["Action"] == "lambda:InvokeFunctionUrl"
    assert statements["Model"]["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}


def test_as_a_service_it_is_reached_only_from_functions_that_ask_providers():
    deployment = deployed(localModel="fargate")
    (service,) = deployment.local_model.properties("AWS::ECS::Service")
    assert service["LaunchType"] == "FARGATE"
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"
    (ingress,) = deployment.local_model.properties("AWS::EC2::SecurityGroupIngress")
    assert "Callers" in str(ingress["SourceSecurityGroupId"])
    in_network = {name for name, function in deployment.functions().items() if "VpcConfig" in function}
    assert in_network == ASKING


def test_its_private_address_may_then_be_a_providers():
    variables = deployed(localModel="fargate").functions()["create_provider"]["Environment"]["Variables"]
    output = deployed(localModel="fargate").data.body["Outputs"]["AllowPrivateAddresses"]
    assert variables["ALLOW_PRIVATE_ADDRESSES"] == output["Value"] == "true"
    assert deployed().data.body["Outputs"]["AllowPrivateAddresses"]["Value"] == "false"
