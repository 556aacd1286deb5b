"""The REST API: each row of the endpoint table is a route with a function behind it, and nothing else is reachable."""

from collections.abc import Sequence

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct
from llm_gateway.access import Endpoint
from llm_gateway.endpoints import endpoint

from infra.deployment import Deployment
from infra.functions import answers_as_it_goes, live_arn
from infra.logs import log_of
from infra.other_origins import answer_preflights
from infra.problems import render_as_problems
from infra.security import WebAcl, acknowledge, managed_policy_finding
from infra.table import BUFFERED_LIMIT_S, STREAM_LIMIT_S

# Requests a second over the whole API, and how many may come at once; floods end here, before they cost an invocation.
_RATE, _BURST = 500, 1000
# For a method that asks for no key: a flood of it would take the account's concurrency from callers that have one.
_PUBLIC_RATE, _PUBLIC_BURST = 20, 40
# Each of them is a method of its own where "ANY" stands for all.
_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
# TLS 1.2 at least, with forward secrecy; by default a regional API takes 1.0.
_TLS = "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"
# Any function tells a caller that there is no such route; this one may touch nothing.
_FALLBACK = endpoint("get_health")
_LOGS_FINDING = managed_policy_finding("service-role/AmazonAPIGatewayPushToCloudWatchLogs")
# No header and no query string, where secrets travel.
_ACCESS_LOG = {
    "request_id": "$context.requestId",
    "ip": "$context.identity.sourceIp",
    "time": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "route": "$context.resourcePath",
    "status": "$context.status",
    "error": "$context.error.responseType",
    "lambda_status": "$context.integration.integrationStatus",
    "latency_ms": "$context.responseLatency",
    "function_ms": "$context.integrationLatency",
    "response_bytes": "$context.responseLength",
}


class ApiStack(Stack):
    """The API, which calls each function by its name and with one role.

    A permission for each method, which is what CDK would add by itself, would take a resource more for each of them.
    """

    def __init__(
        self, scope: Construct, *, endpoints: Sequence[Endpoint], deployment: Deployment, key: kms.IKey
    ) -> None:
        super().__init__(scope, f"{deployment.prefix}-api", description="LLM gateway: REST API")
        self._deployment = deployment
        self.api = self._rest_api(deployment, endpoints, key)
        render_as_problems(self.api, origins=deployment.cors_origins)
        self._invoker = self._role(endpoints)
        for row in endpoints:
            # A method is a resource: where a route has several, one stands for all, and the function refuses the others.
            method = row.method if len(row.methods) == 1 else "ANY"
            self.api.root.resource_for_path(resource_of(row)).add_method(method, self._integration(row))
        # API Gateway would call an unknown path forbidden, and a known one with another method, too.
        for resource in (self.api.root, self.api.root.add_resource("{proxy+}")):
            resource.add_method("ANY", self._integration(_FALLBACK))
        if deployment.cors_origins:
            for path in sorted({resource_of(row) for row in endpoints}):
                answer_preflights(self.api.root.resource_for_path(path), deployment.cors_origins)
        if deployment.waf:
            WebAcl(self, deployment=deployment, stage_arn=self.api.deployment_stage.stage_arn)
        CfnOutput(self, "ApiUrl", value=self.api.url)

    def _role(self, endpoints: Sequence[Endpoint]) -> iam.Role:
        functions = [live_arn(self, self._deployment, row) for row in endpoints]
        invoke = iam.PolicyStatement(sid="Invoke", actions=["lambda:InvokeFunction"], resources=functions)
        return iam.Role(
            self,
            "Invoker",
            description="API Gateway calls the routes' functions with it",
            assumed_by=iam.ServicePrincipal("apigateway.amazonaws.com"),
            inline_policies={"granted": iam.PolicyDocument(statements=[invoke])},
        )

    def _integration(self, row: Endpoint) -> apigateway.Integration:
        arn = live_arn(self, self._deployment, row)
        streams = answers_as_it_goes(self._deployment, row)
        streamed, whole = (
            f"2021-11-15/functions/{arn}/response-streaming-invocations",
            f"2015-03-31/functions/{arn}/invocations",
        )
        mode = apigateway.ResponseTransferMode
        # Not LambdaIntegration, which adds permissions even where there is a role.
        return apigateway.AwsIntegration(
            service="lambda",
            path=streamed if streams else whole,
            options=apigateway.IntegrationOptions(
                credentials_role=self._invoker,
                response_transfer_mode=mode.STREAM if streams else mode.BUFFERED,
                timeout=Duration.seconds(STREAM_LIMIT_S if streams else BUFFERED_LIMIT_S),
            ),
            proxy=True,
        )

    def _rest_api(self, deployment: Deployment, endpoints: Sequence[Endpoint], key: kms.IKey) -> apigateway.RestApi:
        access_log = log_of(self, deployment, key, "AccessLog")
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=deployment.prefix,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # One per account and region: another API may write its logs with it when this one is gone, even when it failed.
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            deploy_options=apigateway.StageOptions(
                stage_name=deployment.stage,
                throttling_rate_limit=_RATE,
                throttling_burst_limit=_BURST,
                # Those by method are paid for one by one, and no alarm needs them.
                metrics_enabled=False,
                method_options=dict.fromkeys(_public_methods(endpoints), _PUBLIC_THROTTLE),
                logging_level=apigateway.MethodLoggingLevel.OFF,
                data_trace_enabled=False,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.custom(Stack.of(self).to_json_string(_ACCESS_LOG)),
                tracing_enabled=deployment.tracing,
            ),
        )
        acknowledge(api, _reasons(deployment))
        own = api.node.default_child
        if not isinstance(own, apigateway.CfnRestApi):
            raise TypeError("a REST API has its own resource")
        own.security_policy, own.endpoint_access_mode = _TLS, "BASIC"
        return api


def resource_of(row: Endpoint) -> str:
    """The row's path as API Gateway takes it."""
    return row.path.removesuffix("}") + "+}" if row.rest else row.path


_PUBLIC_THROTTLE = apigateway.MethodDeploymentOptions(
    throttling_rate_limit=_PUBLIC_RATE, throttling_burst_limit=_PUBLIC_BURST
)


def _public_methods(endpoints: Sequence[Endpoint]) -> list[str]:
    """Path and method of all that asks for no key: the public routes, and what catches every path that is no route."""
    paths = [row.path for row in endpoints if row.permission is None]
    return [f"{path}/{method}" for path in (*paths, "/", "/{proxy+}") for method in _METHODS]


def _reasons(deployment: Deployment) -> dict[str, str]:
    in_function = (
        "The function authenticates and checks the role: a signature covers the raw body, which an authorizer never "
        "sees, and a revoked key stops at once. Public routes are listed in the endpoint table."
    )
    return {
        "AwsSolutions-APIG2": "The function validates requests, and says which field is wrong and why.",
        "AwsSolutions-APIG4": in_function,
        "AwsSolutions-COG4": in_function,
        "AwsSolutions-APIG6": "API Gateway would make a log group by itself, which is neither encrypted under the "
        "deployment's key nor ever emptied. The access log has each error's type and Lambda's own status.",
        _LOGS_FINDING: "The role is the account's, for all of its APIs, and AWS asks for this policy.",
        "AwsSolutions-APIG3": "It has a web ACL."
        if deployment.waf
        else "A web ACL costs money while idle; -c waf=on adds one. The stage throttles in any case.",
    }
