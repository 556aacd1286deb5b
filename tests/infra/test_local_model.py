"""A model of one's own, in either form."""

from llm_gateway.access import Resource
from llm_gateway.endpoints import ENDPOINTS

from tests.infra.deployments import deployed

ASKING = {row.name for row in ENDPOINTS if Resource.CREDENTIALS in row.reads}


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


def test_only_what_asks_providers_may_call_the_lambda():
    api = deployed(localModel="lambda").api
    may_call = {row.name for row in ENDPOINTS if "ModelUrl" in api.statements(row.name)}
    assert may_call == ASKING
    statements = api.statements("run_query")
    assert statements["ModelUrl"]["Action"] == "lambda:InvokeFunctionUrl"
    assert statements["Model"]["Condition"] == {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}


def test_as_a_service_it_is_reached_only_from_functions_that_ask_providers():
    deployment = deployed(localModel="fargate")
    (service,) = deployment.local_model.properties("AWS::ECS::Service")
    assert service["LaunchType"] == "FARGATE"
    assert service["NetworkConfiguration"]["AwsvpcConfiguration"]["AssignPublicIp"] == "DISABLED"
    (ingress,) = deployment.local_model.properties("AWS::EC2::SecurityGroupIngress")
    assert "Callers" in str(ingress["SourceSecurityGroupId"])
    in_network = {name for name, function in deployment.api.functions().items() if "VpcConfig" in function}
    assert in_network == ASKING
    assert "VpcConfig" in deployment.worker.functions()["process_query"]


def test_its_private_address_may_then_be_a_providers():
    variables = deployed(localModel="fargate").api.functions()["create_provider"]["Environment"]["Variables"]
    output = deployed(localModel="fargate").data.body["Outputs"]["AllowPrivateAddresses"]
    assert variables["ALLOW_PRIVATE_ADDRESSES"] == output["Value"] == "true"
    assert deployed().data.body["Outputs"]["AllowPrivateAddresses"]["Value"] == "false"
