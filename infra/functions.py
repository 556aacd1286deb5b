"""One Lambda for each row of the endpoint table: its one file, its layers, its own role, its own log."""

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codedeploy as codedeploy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct
from llm_gateway.access import SERVER_ERRORS, Endpoint, Permission, Resource, Row, Schedule, Worker, metrics_namespace

from infra.assets import code
from infra.bedrock import bedrock_statements, bedrock_wildcards
from infra.data import DataStack
from infra.deployment import Architecture, Deployment, LocalModel, Streaming
from infra.grants import acknowledged_wildcards, is_public, statements, variables
from infra.layers import TOKENIZERS_MOUNTED_AT, Layers, asks_providers, counts_tokens, invokes_models
from infra.local_model import LEAVE_NETWORK, ModelFunction, ModelService
from infra.logs import log_of
from infra.runbook import described
from infra.security import acknowledge, managed_policy_finding
from layers.cache import cached

_SOURCES = Path(__file__).resolve().parents[1] / "functions"
# The Lambda Web Adapter starts `run.sh`, asks it over HTTP on the port, and passes its answer on as it comes. It takes the
# place of Lambda's own start, which would have put the function and its layers on Python's path.
_RUN = """#!/bin/sh
export PYTHONPATH="$LAMBDA_TASK_ROOT:/opt/python:$PYTHONPATH"
exec python -m uvicorn {name}:app --port "$PORT" --no-access-log --log-level warning
"""
# The layer's version that has this release of the adapter in every region; the local model's image has the same release.
WEB_ADAPTER_RELEASE, _WEB_ADAPTER_LAYER = "1.1.0", 30
_ADAPTER = {
    "AWS_LAMBDA_EXEC_WRAPPER": "/opt/bootstrap",
    "AWS_LWA_INVOKE_MODE": "response_stream",
    # It is ready when it listens: a first request would only be answered, and logged, as a path that does not exist.
    "AWS_LWA_READINESS_CHECK_PROTOCOL": "tcp",
    "PORT": "8080",
}
_TRACING = iam.PolicyStatement(
    sid="Tracing", actions=["xray:PutTraceSegments", "xray:PutTelemetryRecords"], resources=["*"]
)
_REASONS = {
    "AwsSolutions-L1": "The runtime is a setting, because the layers' wheels are locked and tested for it.",
    "AwsSolutions-IAM5[Resource::*]": "Traces and network interfaces, where a deployment has them, take no resource.",
}
# The alias that stands for a function's released version: of every one in production, elsewhere of those that are kept ready.
_ALIAS = "live"
_ROLLOUT_PERIOD = Duration.minutes(1)
_CODEDEPLOY_POLICY = "service-role/AWSCodeDeployRoleForLambdaLimited"
_CODEDEPLOY_FINDING = managed_policy_finding(_CODEDEPLOY_POLICY)


class Functions(Construct):
    """The functions of `rows`, and what they share: settings, layers, and in production how new code takes over.

    `by_name` has them by the names of their rows; in production the aliases that stand for their released versions.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        rows: Sequence[Row],
        deployment: Deployment,
        data: DataStack,
        model: ModelFunction | ModelService | None,
    ) -> None:
        super().__init__(scope, "Functions")
        self._deployment = deployment
        self._data = data
        self._model = model
        bedrock = bedrock_wildcards(deployment.bedrock) if deployment.bedrock else {}
        acknowledge(self, {**acknowledged_wildcards(data), **bedrock, **_REASONS})
        self._layers = Layers(self, deployment=deployment)
        # Without it CloudFormation points the aliases at the new versions by itself, wherever somebody has pointed them.
        self._rollout = _Rollout(self) if deployment.shifts_calls else None
        self.by_name = {row.name: self._live(row) for row in rows}

    def _live(self, row: Row) -> lambda_.IFunction:
        scope = Construct(self, row.name)
        function = self._function(scope, row)
        if not has_alias(self._deployment, row):
            return function
        ready = self._deployment.provisioned_concurrency if asks_for_callers(row) else None
        version = function.current_version
        age = _max_event_age(row)
        alias = lambda_.Alias(
            scope,
            "Live",
            alias_name=_ALIAS,
            version=version,
            provisioned_concurrent_executions=ready,
            max_event_age=age,
            retry_attempts=None if age is None else 0,
        )
        if self._rollout:
            self._rollout.shift(scope, alias, version, deployment=self._deployment, row=row)
        return alias

    def _function(self, scope: Construct, row: Row) -> lambda_.Function:
        deployment = self._deployment
        streams = answers_as_it_goes(deployment, row)
        model = self._model if asks_providers(row) else None
        log_group = log_of(scope, deployment, self._data.key)
        layers, age = self._layers.of(row), _max_event_age(row)
        function = lambda_.Function(
            scope,
            "Function",
            function_name=function_name(deployment, row),
            description=_description(row),
            runtime=deployment.runtime,
            architecture=deployment.lambda_architecture,
            handler="run.sh" if streams else f"{row.name}.handler",
            code=code(scope, lambda: files(row, streams=streams)),
            layers=layers,
            environment={
                **variables(row, self._data),
                **({"TIKTOKEN_CACHE_DIR": TOKENIZERS_MOUNTED_AT} if counts_tokens(row) else {}),
                **({"LOCAL_MODEL_URL": self._model.address} if self._model and _knows_providers(row) else {}),
                **(_tracing_variables(deployment) if deployment.otlp_endpoint and not is_public(row) else {}),
                **({"CORS_ORIGINS": ",".join(deployment.cors_origins)} if _has_pages(deployment, row) else {}),
                **(_ADAPTER if streams else {}),
            },
            memory_size=row.memory_mb,
            snap_start=lambda_.SnapStartConf.ON_PUBLISHED_VERSIONS if is_snapshotted(deployment, row) else None,
            current_version_options=lambda_.VersionOptions(removal_policy=deployment.removal_policy)
            if keeps_versions(deployment, row)
            else None,
            timeout=Duration.seconds(row.timeout_s),
            max_event_age=age,
            retry_attempts=None if age is None else 0,
            reserved_concurrent_executions=deployment.waiting_concurrency if waits(row) else None,
            # Otherwise CDK would widen the policy by itself, and the table would not be the whole truth.
            role=self._role(scope, row, log_group).without_policy_updates(),
            log_group=log_group,
            tracing=lambda_.Tracing.ACTIVE if deployment.tracing else lambda_.Tracing.DISABLED,
            vpc=model.vpc if model else None,
            security_groups=model.callers if model else None,
        )
        if streams:
            _put_behind_web_adapter(function, deployment, place=len(layers))
        return function

    def _role(self, scope: Construct, row: Row, log_group: logs.LogGroup) -> iam.Role:
        write_logs = iam.PolicyStatement(
            sid="Log", actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log_group.log_group_arn]
        )
        granted = [write_logs, *statements(row, self._data)]
        if self._model and asks_providers(row):
            granted += self._model.caller_statements
        if self._deployment.local_model is LocalModel.LEAVING and asks_providers(row):
            granted.append(LEAVE_NETWORK)
        if self._deployment.bedrock and invokes_models(row):
            granted += bedrock_statements(Stack.of(scope), self._deployment.bedrock)
        if self._deployment.tracing:
            granted.append(_TRACING)
        return iam.Role(
            scope,
            "Role",
            description=f"What {row.name} may do",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"granted": iam.PolicyDocument(statements=granted)},
        )


def _put_behind_web_adapter(function: lambda_.Function, deployment: Deployment, *, place: int) -> None:
    """Give it the adapter's layer after the `place` layers that it has.

    Not as CDK's own layer: from its ARN CDK would reckon a new version of the function at each change of any setting, and
    Lambda refuses to publish what has not changed.
    """
    processors = "Arm64" if deployment.architecture is Architecture.ARM64 else "X86"
    layer = f"LambdaAdapterLayer{processors}:{_WEB_ADAPTER_LAYER}"
    arn = f"arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:753240598075:layer:{layer}"
    own = function.node.default_child
    if not isinstance(own, lambda_.CfnFunction):
        raise TypeError("a function has its own resource")
    own.add_property_override(f"Layers.{place}", {"Fn::Sub": arn})


class _Rollout(Construct):
    """New code gets a tenth of the calls for five minutes, and all of them if it raised nothing by then."""

    def __init__(self, scope: Construct) -> None:
        super().__init__(scope, "Rollout")
        self._application = codedeploy.LambdaApplication(self, "Application")
        self._role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("codedeploy.amazonaws.com"),
            managed_policies=[iam.ManagedPolicy.from_aws_managed_policy_name(_CODEDEPLOY_POLICY)],
        )
        acknowledge(self._role, {_CODEDEPLOY_FINDING: "AWS's own policy for this one purpose; it follows the service."})

    def shift(
        self, scope: Construct, alias: lambda_.Alias, new: lambda_.IVersion, *, deployment: Deployment, row: Row
    ) -> None:
        """Have CodeDeploy move the alias that callers use; an error while it moves brings the old code back."""
        version, name, function = new.version, scope.node.id, new.lambda_.function_name
        # Of the new version alone: one that mends what the old one raises must not be held up by it.
        raised = alias.metric_errors(
            dimensions_map={
                "FunctionName": function,
                "Resource": f"{function}:{_ALIAS}",
                "ExecutedVersion": version,
            },
            period=_ROLLOUT_PERIOD,
        )
        rendered = cloudwatch.Metric(
            namespace=metrics_namespace(deployment.prefix),
            metric_name=SERVER_ERRORS,
            dimensions_map={"function": function_name(deployment, row), "version": version},
            statistic="Sum",
            period=_ROLLOUT_PERIOD,
        )
        alarms = [
            _one_is_too_many(scope, "Errors", raised, f"{name} raised an error."),
            _one_is_too_many(scope, "ServerErrors", rendered, f"{name} answered that something unforeseen happened."),
        ]
        codedeploy.LambdaDeploymentGroup(
            scope,
            "Deployment",
            application=self._application,
            alias=alias,
            deployment_config=codedeploy.LambdaDeploymentConfig.CANARY_10_PERCENT_5_MINUTES,
            alarms=alarms,
            role=self._role,
        )


def _one_is_too_many(scope: Construct, id_: str, metric: cloudwatch.Metric, description: str) -> cloudwatch.Alarm:
    return metric.create_alarm(
        scope,
        id_,
        alarm_description=described("Release", description),
        threshold=1,
        evaluation_periods=1,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )


def _tracing_variables(deployment: Deployment) -> dict[str, str]:
    return {"OTLP_ENDPOINT": deployment.otlp_endpoint, "OTLP_CONTENT": "on" if deployment.otlp_content else "off"}


def _has_pages(deployment: Deployment, row: Row) -> bool:
    """Whether pages of other origins may call it."""
    return bool(deployment.cors_origins) and isinstance(row, Endpoint)


def _description(row: Row) -> str:
    match row:
        case Endpoint():
            return f"{row.method} {row.path}"
        case Worker():
            return f"Works on the queue {row.queue}"
        case Schedule():
            return f"Runs every {row.every_min} minutes"


def _max_event_age(row: Row) -> Duration | None:
    """How long Lambda itself may keep what starts the row's function; None: it is not started by an event.

    The next run does what one has left undone, so nothing is gained by a late one, or by trying a failed one again: Lambda
    would by default, twice and for hours.
    """
    return Duration.minutes(row.every_min) if isinstance(row, Schedule) else None


def function_name(deployment: Deployment, row: Row) -> str:
    """The name of the row's function in the account."""
    return f"{deployment.prefix}-{row.name}"


def live_arn(stack: Stack, deployment: Deployment, row: Row) -> str:
    """What calls the row's function from another stack: its ARN by name, or its alias's.

    A reference would be an export, and CloudFormation removes no function whose ARN another stack imports.
    """
    name = function_name(deployment, row)
    return stack.format_arn(
        service="lambda",
        resource="function",
        resource_name=f"{name}:{_ALIAS}" if has_alias(deployment, row) else name,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def asks_for_callers(row: Row) -> bool:
    """Whether the row's function has models answer what a caller waits for."""
    return isinstance(row, Endpoint) and row.permission is Permission.RUN_QUERIES and invokes_models(row)


def is_snapshotted(deployment: Deployment, row: Row) -> bool:
    """Whether the row's function starts as a copy of a snapshot: it must be Lambda's own runtime that starts it."""
    return deployment.snap_start and asks_for_callers(row) and not answers_as_it_goes(deployment, row)


def has_alias(deployment: Deployment, row: Row) -> bool:
    """Whether callers call a version of the row's function: to go over to another step by step, or because only a version is
    kept ready."""
    kept_ready = deployment.provisioned_concurrency is not None and asks_for_callers(row)
    return deployment.is_prod or kept_ready or is_snapshotted(deployment, row)


def keeps_versions(deployment: Deployment, row: Row) -> bool:
    """Whether versions stay that were released before, so that an alias can be pointed back. A snapshot is paid for while its
    version is there."""
    return deployment.is_prod and not is_snapshotted(deployment, row)


def _knows_providers(row: Row) -> bool:
    """Whether the row's function calls providers, or looks at the addresses that they are given."""
    return Resource.CREDENTIALS in row.reads | row.writes


def answers_as_it_goes(deployment: Deployment, row: Row) -> bool:
    """Whether the row's function streams in this deployment."""
    return isinstance(row, Endpoint) and row.streams and deployment.streaming is Streaming.STREAM


def waits(row: Row) -> bool:
    """Whether the row's function may wait for what others do."""
    return isinstance(row, Endpoint) and row.waits


def files(row: Row, *, streams: bool) -> Path:
    """A directory with the row's one file, and with `run.sh` if the function streams."""
    source = (_SOURCES / f"{row.name}.py").read_bytes()
    script = _RUN.format(name=row.name) if streams else ""

    def fill(directory: Path) -> None:
        (directory / f"{row.name}.py").write_bytes(source)
        if script:
            (directory / "run.sh").write_text(script)
            (directory / "run.sh").chmod(0o755)

    return cached(row.name, (source, script.encode()), fill)
