"""The REST API: the table's routes, and problems for everything else."""

import json
import re

import pytest
from llm_gateway import errors
from llm_gateway.endpoints import ENDPOINTS

from tests.infra.deployments import Template, deployed

API = "AWS::ApiGateway::"


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


def called(properties):
    """The logical id of the function or alias that a route calls."""
    (id_,) = re.findall(r'"(?:Fn::GetAtt": \["|Ref": ")(Functions\w+)"', json.dumps(properties["Integration"]["Uri"]))
    return id_


def test_the_routes_are_those_of_the_table():
    table = {(row.method, row.path) for row in ENDPOINTS}
    assert set(routes(deployed().api)) == table | {("ANY", "/"), ("ANY", "/{proxy+}")}


def test_each_route_calls_the_function_of_its_row():
    api = deployed().api
    functions = api.of_type("AWS::Lambda::Function")
    found = routes(api)
    for row in ENDPOINTS:
        function = functions[called(found[row.method, row.path])]
        assert function["Properties"]["FunctionName"] == f"llm-gateway-dev-{row.name}"
    assert called(found["ANY", "/{proxy+}"]) == called(found["ANY", "/"]) == called(found["GET", "/health"])


def test_only_the_routes_may_invoke_functions():
    for permission in deployed().api.properties("AWS::Lambda::Permission"):
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert "test-invoke-stage" not in json.dumps(permission["SourceArn"])
    assert not deployed().api.of_type("AWS::Lambda::Url")


def test_streaming_routes_stream_for_a_quarter_of_an_hour():
    found = routes(deployed().api)
    for row in ENDPOINTS:
        integration = found[row.method, row.path]["Integration"]
        assert integration["ResponseTransferMode"] == ("STREAM" if row.streams else "BUFFERED")
        assert integration["TimeoutInMillis"] == (900_000 if row.streams else 29_000)
        assert ("response-streaming-invocations" in json.dumps(integration["Uri"])) == row.streams


def test_nothing_streams_where_the_context_says_so():
    for properties in routes(deployed(streaming="buffered").api).values():
        assert properties["Integration"].get("ResponseTransferMode", "BUFFERED") == "BUFFERED"
        assert properties["Integration"].get("TimeoutInMillis", 29_000) == 29_000


def test_what_api_gateway_says_itself_are_the_problems_of_the_api():
    known = {kind.code: kind for kind in _descendants(errors.GatewayError)}
    responses = deployed().api.properties(f"{API}GatewayResponse")
    assert {"MISSING_AUTHENTICATION_TOKEN", "THROTTLED", "DEFAULT_4XX", "DEFAULT_5XX"} <= {
        response["ResponseType"] for response in responses
    }
    for response in responses:
        problem = json.loads(response["ResponseTemplates"]["application/json"])
        headers = response["ResponseParameters"]
        kind = known[problem["code"]]
        assert problem["status"] == kind.status == int(response["StatusCode"])
        assert problem["title"] == kind.title
        assert problem["request_id"] == "$context.requestId"
        assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
        assert headers["gatewayresponse.header.X-Request-Id"] == "context.requestId"
        assert ("gatewayresponse.header.Retry-After" in headers) == (problem["status"] in (429, 503))


def test_the_stage_throttles_and_logs_no_secret():
    (stage,) = deployed().api.properties(f"{API}Stage")
    (everything,) = stage["MethodSettings"]
    assert everything["ThrottlingRateLimit"] > 0
    assert everything["ThrottlingBurstLimit"] > 0
    assert everything["DataTraceEnabled"] is False
    logged = json.dumps(stage["AccessLogSetting"]["Format"])
    assert "$context.requestId" in logged
    # A path or a query string may carry an id or more; the route's pattern does not.
    for word in ("header", "authorizer", "querystring", "$context.path", "$input", "apiKey"):
        assert word not in logged


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_an_api_of_45_endpoints_would_fit_into_one_stack(stage):
    resources = deployed(stage=stage).api.body["Resources"]
    mine = [resource for id_, resource in resources.items() if _belongs_to_an_endpoint(id_, resource["Type"])]
    each = len(mine) / len(ENDPOINTS)
    assert len(resources) - len(mine) + 45 * each <= 500


def test_every_timeout_ends_before_api_gateway_gives_up():
    for row in ENDPOINTS:
        assert row.timeout_s <= (900 if row.streams else 29)


def _belongs_to_an_endpoint(id_, type_):
    return type_ in (f"{API}Method", f"{API}Resource", "AWS::Lambda::Permission") or (
        id_.startswith("Functions") and not id_.startswith(("FunctionsLayers", "FunctionsRollout"))
    )


def _descendants(kind):
    return [kind, *(below for child in kind.__subclasses__() for below in _descendants(child))]
