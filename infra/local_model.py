"""A model of one's own, from one image: a Lambda that costs nothing while idle, or a Fargate service for steady load."""

from pathlib import Path

from aws_cdk import ArnFormat, CfnOutput, Duration, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.deployment import Architecture, Deployment, LocalModel
from infra.logs import log_of
from infra.security import acknowledge

_IMAGE = Path(__file__).resolve().parents[1] / "container-local-model"
_NOT_IN_IMAGE = ["**/__pycache__"]
_PORT = 8080
# ECS passes over the image's own check; a task that fails this one is replaced.
_HEALTHY = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{_PORT}/health', timeout=2)"
# The most a new account may ask for; it comes with nearly two processors.
_LAMBDA_MEMORY_MB = 3008
_TASK_VCPUS, _TASK_MEMORY_MB = 2, 4096
_CPU_UNITS = 1024


class ModelFunction(Construct):
    """The image as a Lambda behind a function URL that answers signed requests only."""

    vpc: None = None
    callers: None = None

    def __init__(self, scope: Construct, *, deployment: Deployment, key: kms.IKey) -> None:
        super().__init__(scope, "Model")
        name = f"{deployment.prefix}-local-model"
        log = log_of(self, deployment, key)
        write_logs = iam.PolicyStatement(
            actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[log.log_group_arn]
        )
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            inline_policies={"granted": iam.PolicyDocument(statements=[write_logs])},
        )
        function = lambda_.DockerImageFunction(
            self,
            "Function",
            function_name=name,
            code=lambda_.DockerImageCode.from_image_asset(
                str(_IMAGE), platform=_platform(deployment), exclude=_NOT_IN_IMAGE
            ),
            architecture=deployment.lambda_architecture,
            memory_size=_LAMBDA_MEMORY_MB,
            timeout=Duration.minutes(15),
            role=role.without_policy_updates(),
            log_group=log,
        )
        # By name, as AWS checks it.
        arn = Stack.of(self).format_arn(
            service="lambda", resource="function", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
        )
        url = function.add_function_url(
            auth_type=lambda_.FunctionUrlAuthType.AWS_IAM, invoke_mode=lambda_.InvokeMode.RESPONSE_STREAM
        )
        self.address = f"{url.url}v1"
        self.caller_statements = [
            iam.PolicyStatement(sid="ModelUrl", actions=["lambda:InvokeFunctionUrl"], resources=[arn]),
            iam.PolicyStatement(
                sid="Model",
                actions=["lambda:InvokeFunction"],
                resources=[arn],
                conditions={"Bool": {"lambda:InvokedViaFunctionUrl": "true"}},
            ),
        ]


class ModelService(Construct):
    """The image as tasks in a network of their own, which the functions that call providers join."""

    def __init__(self, scope: Construct, *, deployment: Deployment, key: kms.IKey) -> None:
        super().__init__(scope, "Model")
        self.vpc = _network(self, deployment, key)
        callers = ec2.SecurityGroup(self, "Callers", vpc=self.vpc, description="Functions that call providers")
        tasks = ec2.SecurityGroup(self, "Tasks", vpc=self.vpc, description="The model server", allow_all_outbound=False)
        tasks.add_ingress_rule(callers, ec2.Port.tcp(_PORT))
        # The image comes from ECR and the log goes to CloudWatch, both over HTTPS.
        tasks.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(443))
        self.callers = [callers]
        self.caller_statements = [_JOIN_NETWORK]
        self._service(deployment, tasks, key)
        self.address = f"http://model.{deployment.prefix}.internal:{_PORT}/v1"

    def _service(self, deployment: Deployment, security_group: ec2.SecurityGroup, key: kms.IKey) -> None:
        arm = deployment.architecture is Architecture.ARM64
        cluster = ecs.Cluster(self, "Cluster", vpc=self.vpc, container_insights_v2=ecs.ContainerInsights.ENABLED)
        cluster.add_default_cloud_map_namespace(name=f"{deployment.prefix}.internal")
        task = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=_TASK_VCPUS * _CPU_UNITS,
            memory_limit_mib=_TASK_MEMORY_MB,
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.ARM64 if arm else ecs.CpuArchitecture.X86_64,
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        log = log_of(self, deployment, key)
        task.add_container(
            "server",
            image=ecs.ContainerImage.from_asset(str(_IMAGE), platform=_platform(deployment), exclude=_NOT_IN_IMAGE),
            port_mappings=[ecs.PortMapping(container_port=_PORT)],
            # By itself it takes half of them, which is right where others need processors, too. A task has its own.
            environment={"N_THREADS": str(_TASK_VCPUS)},
            health_check=ecs.HealthCheck(
                command=["CMD", "python", "-c", _HEALTHY],
                interval=Duration.seconds(10),
                start_period=Duration.minutes(1),
            ),
            logging=ecs.LogDrivers.aws_logs(stream_prefix="server", log_group=log),
        )
        service = ecs.FargateService(
            self,
            "Service",
            cluster=cluster,
            task_definition=task,
            desired_count=1,
            min_healthy_percent=100,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            security_groups=[security_group],
            cloud_map_options=ecs.CloudMapOptions(name="model", dns_ttl=Duration.seconds(10)),
        )
        # Its image is pulled through the network's way out, which would otherwise be made beside it.
        service.node.add_dependency(self.vpc)
        acknowledge(
            task,
            {
                "AwsSolutions-IAM5[Resource::*]": "Pulling an image starts with an action that takes no resource.",
                "AwsSolutions-ECS2": "Its only variable is a number of threads.",
            },
        )


class LocalModelStack(Stack):
    """The model server in the form that the context asks for, and what a function needs to call it."""

    def __init__(self, scope: Construct, *, deployment: Deployment, key: kms.IKey) -> None:
        super().__init__(scope, f"{deployment.prefix}-local-model", description="LLM gateway: a model of one's own")
        form = ModelFunction if deployment.local_model is LocalModel.LAMBDA else ModelService
        self.model = form(self, deployment=deployment, key=key)
        CfnOutput(self, "LocalModelUrl", value=self.model.address, description="The base_url of a llama_cpp provider")


# EC2 gives network interfaces no names to grant by. This is what AWS's own policy for functions in a network allows.
_LEAVING = ("ec2:DescribeNetworkInterfaces", "ec2:DeleteNetworkInterface")
# Lambda deletes a function's interfaces some twenty minutes after it has left the network, and with the function's own role.
LEAVE_NETWORK = iam.PolicyStatement(sid="Network", actions=[*_LEAVING], resources=["*"])
_JOIN_NETWORK = iam.PolicyStatement(
    sid="Network",
    actions=[
        *_LEAVING,
        "ec2:CreateNetworkInterface",
        "ec2:DescribeSubnets",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ],
    resources=["*"],
)


def _network(scope: Construct, deployment: Deployment, key: kms.IKey) -> ec2.Vpc:
    # One NAT gateway, for the providers outside; the tables and bodies are reached without it.
    vpc = ec2.Vpc(scope, "Network", max_azs=2, nat_gateways=1, restrict_default_security_group=False)
    vpc.add_gateway_endpoint("Tables", service=ec2.GatewayVpcEndpointAwsService.DYNAMODB)
    vpc.add_gateway_endpoint("Bodies", service=ec2.GatewayVpcEndpointAwsService.S3)
    flows = log_of(scope, deployment, key, "Flows")
    vpc.add_flow_log(
        "Rejected",
        destination=ec2.FlowLogDestination.to_cloud_watch_logs(flows),
        traffic_type=ec2.FlowLogTrafficType.REJECT,
    )
    return vpc


def _platform(deployment: Deployment) -> ecr_assets.Platform:
    arm = deployment.architecture is Architecture.ARM64
    return ecr_assets.Platform.LINUX_ARM64 if arm else ecr_assets.Platform.LINUX_AMD64
