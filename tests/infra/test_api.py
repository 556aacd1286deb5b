"""The REST API: the table's routes, and problems for everything else."""

import json
import re

import pytest
from llm_gateway import errors
from llm_gateway.domain.queries import QueryProblem
from llm_gateway.endpoints import AREAS, ENDPOINTS
from llm_gateway.wire.problems import Problem
from llm_gateway.wire.schema import served_under

from infra.api import resource_of
from tests.infra.deployments import FEW, UNUSUAL, Template, deployed, few, stack_of, synthesized

API = "AWS::ApiGateway::"
SAID_BY_API_GATEWAY = {
    "MISSING_AUTHENTICATION_TOKEN": "route_not_found",
    "RESOURCE_NOT_FOUND": "route_not_found",
    "REQUEST_TOO_LARGE": "payload_too_large",
    "THROTTLED": "rate_limited",
    "WAF_FILTERED": "rate_limited",
    "INTEGRATION_FAILURE": "dependency_unavailable",
    "INTEGRATION_TIMEOUT": "deadline_exceeded",
    "DEFAULT_4XX": "malformed_request",
    "DEFAULT_5XX": "internal_error",
}


def routes(template: Template):
    """Method and path of every route, with the route's own properties."""
    resources = template.of_type(f"{API}Resource")

    def path(id_):
        properties = resources[id_]["Properties"]
        parent = properties["ParentId"].get("Ref")
        return (path(parent) if parent else "") + "/" + properties["PathPart"]

    def where(properties):
        resource = properties["ResourceId"].get("Ref")
        return path(resource) if resource else "/"

    methods = template.properties(f"{API}Method")
    return {(properties["HttpMethod"], where(properties)): properties for properties in methods}


def method_of(row):
    """The one that stands for all of a row's methods."""
    return row.method if len(row.methods) == 1 else "ANY"


def called(properties):
    """The name of the function that a route calls, with that of its alias if it calls one."""
    (name,) = re.findall(r":function:([\w:-]+)/", json.dumps(properties["Integration"]["Uri"]))
    return name


@pytest.mark.holds("API9")
def test_the_routes_are_those_of_the_table():
    table = {(method_of(row), resource_of(row)) for row in ENDPOINTS}
    assert set(routes(deployed().api)) == table | {("ANY", "/"), ("ANY", "/{proxy+}")}


def test_each_route_calls_the_function_of_its_row():
    found = routes(deployed().api)
    for row in ENDPOINTS:
        assert called(found[method_of(row), resource_of(row)]) == deployed().functions()[row.name]["FunctionName"]
    assert called(found["ANY", "/{proxy+}"]) == called(found["ANY", "/"]) == called(found["ANY", "/health"])


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_one_role_calls_the_functions_of_the_routes_and_no_others(stage):
    api = deployed(stage=stage).api
    ((id_, role),) = ((id_, role) for id_, role in api.of_type("AWS::IAM::Role").items() if id_.startswith("Invoker"))
    found = routes(api).values()
    for properties in found:
        assert properties["Integration"]["Credentials"] == {"Fn::GetAtt": [id_, "Arn"]}
    (policy,) = role["Properties"]["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "lambda:InvokeFunction"
    allowed = [re.findall(r":function:([\w:-]+)", json.dumps(arn))[0] for arn in statement["Resource"]]
    assert sorted(allowed) == sorted({called(properties) for properties in found})
    (trusted,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trusted["Principal"] == {"Service": "apigateway.amazonaws.com"}


def test_nobody_else_may_call_a_function():
    for name, template in deployed().templates.items():
        assert not template.of_type("AWS::Lambda::Url")
        for permission in template.properties("AWS::Lambda::Permission"):
            # The clock starts its own functions: each rule the one that it is for.
            assert name == "worker"
            assert permission["Principal"] == "events.amazonaws.com"
            rule = permission["SourceArn"]["Fn::GetAtt"][0]
            (target,) = template.body["Resources"][rule]["Properties"]["Targets"]
            assert target["Arn"] == permission["FunctionName"]


def test_in_production_the_routes_reach_the_alias():
    for properties in routes(deployed(stage="prod").api).values():
        assert called(properties).endswith(":live")


@pytest.mark.parametrize("name", ["streaming", "stage"])
def test_what_changes_a_method_makes_a_new_deployment_of_the_api(name):
    changed = few(**{name: {"streaming": "buffered", "stage": "prod"}[name]})
    assert deployment_id(changed.api) != deployment_id(few().api)


def test_another_route_makes_a_new_deployment_of_the_api():
    fewer = {area: rows[:-1] for area, rows in FEW.items()}
    assert deployment_id(synthesized(fewer).api) != deployment_id(few().api)
    assert deployment_id(synthesized(FEW).api) == deployment_id(few().api)


def deployment_id(template: Template):
    """The logical id of the API's deployment, which CloudFormation makes anew where it is another."""
    (id_,) = template.of_type(f"{API}Deployment")
    return id_


def test_functions_come_and_go_without_the_api():
    """The API imports the key of its log and nothing else: no export of a function's stack stands in the way of its removal."""
    imported = re.findall(r'"Fn::ImportValue": "([^"]*)"', json.dumps(deployed().api.body))
    assert len(imported) == 1
    assert re.fullmatch(r"llm-gateway-dev-data:ExportsOutputFnGetAttKey\w+Arn\w+", imported[0])
    for area in AREAS:
        assert not deployed().templates[stack_of(area)].body.get("Outputs")


def test_the_web_acl_comes_and_goes_with_one_deployment():
    """It is among the API's own resources, and nothing else knows of it: no stack stays behind, no export is in the way."""
    with_acl, without = few(stage="prod", waf="on"), few(stage="prod")
    assert with_acl.templates.keys() == without.templates.keys()
    added = with_acl.api.body["Resources"].keys() - without.api.body["Resources"].keys()
    assert {with_acl.api.body["Resources"][id_]["Type"].split("::")[1] for id_ in added} == {"WAFv2"}
    assert not [output for output in with_acl.api.body["Outputs"].values() if "Export" in output]


def test_the_api_takes_no_tls_older_than_1_2():
    (api,) = deployed().api.properties(f"{API}RestApi")
    assert re.fullmatch(r"SecurityPolicy_TLS13_1_[23]_\w+", api["SecurityPolicy"])
    # AWS wants it beside such a policy.
    assert api["EndpointAccessMode"] == "BASIC"


def test_streaming_routes_stream_for_a_quarter_of_an_hour():
    found = routes(deployed().api)
    for row in ENDPOINTS:
        integration = found[method_of(row), resource_of(row)]["Integration"]
        assert integration["ResponseTransferMode"] == ("STREAM" if row.streams else "BUFFERED")
        assert integration["TimeoutInMillis"] == (900_000 if row.streams else 29_000)
        assert ("response-streaming-invocations" in json.dumps(integration["Uri"])) == row.streams


def test_nothing_streams_where_the_context_says_so():
    for properties in routes(deployed(**UNUSUAL).api).values():
        assert properties["Integration"].get("ResponseTransferMode", "BUFFERED") == "BUFFERED"
        assert properties["Integration"].get("TimeoutInMillis", 29_000) == 29_000


def test_what_api_gateway_says_itself_are_the_problems_of_the_api():
    kinds = {kind.code: kind for kind in _descendants(errors.GatewayError) if "code" in vars(kind)}
    responses = deployed().api.properties(f"{API}GatewayResponse")
    problems = {
        response["ResponseType"]: json.loads(response["ResponseTemplates"]["application/json"])
        for response in responses
    }
    assert {type_: problem["code"] for type_, problem in problems.items()} == SAID_BY_API_GATEWAY
    for response in responses:
        problem, headers = problems[response["ResponseType"]], response["ResponseParameters"]
        error = kinds[problem["code"]](problem["detail"])
        shown = Problem.of(QueryProblem.of(error), query_id=None, request_id="$context.requestId")
        expected = shown.model_dump(context=served_under("/$context.stage"))
        if error.status >= 500:
            # API Gateway's own status stays: it counts an answer whose status was changed as the caller's error.
            del expected["status"]
            assert "StatusCode" not in response
        else:
            assert response["StatusCode"] == str(error.status)
        assert problem == expected
        assert headers["gatewayresponse.header.X-Content-Type-Options"] == "'nosniff'"
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert headers["gatewayresponse.header.X-Request-Id"] == "context.requestId"
        assert ("gatewayresponse.header.Retry-After" in headers) == (error.status in (429, 503))
        # A provider may have been paid by then.
        vain = headers.get("gatewayresponse.header.X-Should-Retry")
        assert vain == ("'false'" if response["ResponseType"] in ("INTEGRATION_TIMEOUT", "DEFAULT_5XX") else None)


def test_the_stage_throttles_and_logs_no_secret():
    (stage,) = deployed().api.properties(f"{API}Stage")
    everything, *others = stage["MethodSettings"]
    assert (everything["ResourcePath"], everything["HttpMethod"]) == ("/*", "*")
    # Those by method cost money.
    assert not any(setting.get("MetricsEnabled") for setting in stage["MethodSettings"])
    public = {row.path for row in ENDPOINTS if row.permission is None} | {"/", "/{proxy+}"}
    assert {setting["ResourcePath"][1:].replace("~1", "/") or "/" for setting in others} == public
    assert {setting["HttpMethod"] for setting in others} >= {"GET", "HEAD", "POST"}
    for setting in others:
        assert 0 < setting["ThrottlingRateLimit"] < everything["ThrottlingRateLimit"] / 10
    assert everything["ThrottlingRateLimit"] > 0
    assert everything["ThrottlingBurstLimit"] > 0
    assert everything["DataTraceEnabled"] is False
    # What API Gateway logs by itself goes into a group of its own making, which is not encrypted and has no end.
    assert {setting.get("LoggingLevel", "OFF") for setting in stage["MethodSettings"]} == {"OFF"}
    logged = json.dumps(stage["AccessLogSetting"]["Format"])
    for word in ("$context.requestId", "$context.error.responseType", "$context.integration.integrationStatus"):
        assert word in logged
    # A path or a query string may carry an id or more; the route's pattern does not.
    for word in ("header", "authorizer", "querystring", "$context.path", "$input", "apiKey"):
        assert word not in logged


def _descendants(kind):
    return [kind, *(below for child in kind.__subclasses__() for below in _descendants(child))]
