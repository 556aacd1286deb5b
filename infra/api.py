"""The REST API: each row of the endpoint table is a route with a function behind it, and nothing else is reachable."""

from aws_cdk import CfnOutput, Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct
from llm_gateway.access import Endpoint
from llm_gateway.endpoints import ENDPOINTS

from infra.data import DataStack
from infra.deployment import Deployment
from infra.functions import Functions
from infra.local_model import ModelFunction, ModelService
from infra.problems import render_as_problems
from infra.security import acknowledge, managed_policy_finding

# Requests a second over the whole API, and how many may come at once; floods end here, before they cost an invocation.
_RATE, _BURST = 500, 1000
_BUFFERED_LIMIT = Duration.seconds(29)
_STREAM_LIMIT = Duration.minutes(15)
# Any function tells a caller that there is no such route; this one may touch nothing.
_FALLBACK = "get_health"
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
    "latency_ms": "$context.responseLatency",
    "function_ms": "$context.integrationLatency",
    "response_bytes": "$context.responseLength",
}


class ApiStack(Stack):
    """The API and its functions.

    CloudFormation takes 500 resources a stack. An endpoint takes five or six (function, role with its policy inside, log,
    permission, method, path) and ten in production (version, alias, alarm, deployment group), so 45 of them fit. That is why
    each function can have a role of its own. Past that, a second stack of functions is the way.
    """

    def __init__(
        self, scope: Construct, *, deployment: Deployment, data: DataStack, model: ModelFunction | ModelService | None
    ) -> None:
        super().__init__(scope, f"{deployment.prefix}-api", description="LLM gateway: REST API and its functions")
        self._functions = Functions(self, deployment=deployment, data=data, model=model)
        self.api = self._rest_api(deployment)
        render_as_problems(self.api)
        functions = {row.name: self._functions.function(row) for row in ENDPOINTS}
        for row in ENDPOINTS:
            self._route(row, functions[row.name])
        # API Gateway would call an unknown path forbidden, and a known one with another method, too.
        fallback = apigateway.LambdaIntegration(functions[_FALLBACK], allow_test_invoke=False)
        for resource in (self.api.root, self.api.root.add_resource("{proxy+}")):
            resource.add_method("ANY", fallback)
        self.stage_arn = self.api.deployment_stage.stage_arn
        CfnOutput(self, "ApiUrl", value=self.api.url)

    def _route(self, row: Endpoint, function: lambda_.IFunction) -> None:
        streams = self._functions.streams(row)
        mode = apigateway.ResponseTransferMode.STREAM if streams else apigateway.ResponseTransferMode.BUFFERED
        integration = apigateway.LambdaIntegration(
            function,
            allow_test_invoke=False,
            response_transfer_mode=mode,
            timeout=_STREAM_LIMIT if streams else _BUFFERED_LIMIT,
        )
        self.api.root.resource_for_path(row.path).add_method(row.method, integration)

    def _rest_api(self, deployment: Deployment) -> apigateway.RestApi:
        access_log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/apigateway/{deployment.prefix}",
            retention=deployment.log_retention,
            removal_policy=deployment.removal_policy,
        )
        api = apigateway.RestApi(
            self,
            "Api",
            rest_api_name=deployment.prefix,
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # One per account and region: another API may write its logs with it when this one is gone.
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            deploy_options=apigateway.StageOptions(
                stage_name=deployment.stage,
                throttling_rate_limit=_RATE,
                throttling_burst_limit=_BURST,
                metrics_enabled=True,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                data_trace_enabled=False,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.custom(Stack.of(self).to_json_string(_ACCESS_LOG)),
                tracing_enabled=deployment.tracing,
            ),
        )
        acknowledge(api, _reasons(deployment))
        return api


def _reasons(deployment: Deployment) -> dict[str, str]:
    in_function = (
        "The function authenticates and checks the role: a signature covers the raw body, which an authorizer never "
        "sees, and a revoked key stops at once. Public routes are listed in the endpoint table."
    )
    return {
        "AwsSolutions-APIG2": "The function validates requests, and says which field is wrong and why.",
        "AwsSolutions-APIG4": in_function,
        "AwsSolutions-COG4": in_function,
        _LOGS_FINDING: "The role is the account's, for all of its APIs, and AWS asks for this policy.",
        "AwsSolutions-APIG3": "The security stack adds a web ACL."
        if deployment.waf
        else "A web ACL costs money while idle; -c waf=on adds one. The stage throttles in any case.",
    }
