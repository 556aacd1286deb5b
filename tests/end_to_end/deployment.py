"""The whole app as `cdk deploy` leaves it in an emulator that enforces IAM, and a way to act as one of its functions."""

import io
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import httpx2
import pytest
from botocore.exceptions import ClientError
from llm_gateway.access import Endpoint, Resource, Row
from llm_gateway.domain.keys import Role

from local_aws import emulator, gateway
from local_aws.aws import ACCESS_KEY_ID, SECRET_ACCESS_KEY, LocalAws
from local_aws.deploy import Deployed, deploy_all, deployed_at
from local_aws.ports import LOOPBACK
from local_aws.processes import Processes
from tests.adapters.certificates import self_signed
from tests.adapters.verbs import commands, make
from tests.end_to_end.calling import Client
from workshop.localstack import PYTHON as LOCALSTACK_PYTHON
from workshop.places import ROOT
from workshop.steps import Steps

# Zipped layers are found here again; nothing else uses it, so that it is never locked.
OUTPUT: Final = ROOT / ".cache" / "cdk.tests"
NAME: Final = "llm-gateway-dev"
TIMEOUT_S: Final = 60
REFUSALS: Final = frozenset({"AccessDenied", "AccessDeniedException"})
_KEYS: Final[Mapping[Resource, dict[str, Any]]] = {
    Resource.KEYS: {"key_id": {"S": "probe"}},
    Resource.PROVIDERS: {"collection": {"S": "probe"}, "provider_id": {"S": "probe"}},
    Resource.QUERIES: {"query_id": {"S": "probe"}},
    Resource.LIMITS: {"scope": {"S": "probe"}},
    Resource.CACHE: {"cache_key": {"S": "probe"}},
}
# What a function is given to sign its calls with.
_PROBE: Final = """
import os
def handler(event, context):
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    return {name.lower(): os.environ[name] for name in names}
"""


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """An emulator with every stack in it; `commands` are what the verb says to try, where a verb deployed it."""

    aws: LocalAws
    deployed: Deployed
    processes: Processes
    commands: Sequence[str] = ()

    @property
    def enforces_iam(self) -> bool:
        """Whether the emulator refuses what a role does not allow: ministack does, and then by https alone."""
        return self.aws.certificates is not None

    @contextmanager
    def http(self, *, as_at_aws: bool = False) -> Iterator[httpx2.Client]:
        """Connections to the API's address, as anybody may make them; `as_at_aws` it is a host of the API's own."""
        tls = self.aws.tls() or True
        base_url, headers = self.deployed.base_url, {}
        if as_at_aws:
            api_id = base_url.split("/")[-2]
            base_url, headers = self.aws.url, {"Host": f"{api_id}.execute-api.{LOOPBACK}"}
        with httpx2.Client(base_url=base_url, headers=headers, verify=tls, trust_env=False, timeout=TIMEOUT_S) as http:
            yield http

    def client(self, http: httpx2.Client, role: Role) -> Client:
        """A client with a new key, made from the command line."""
        command = ["-m", "llm_gateway.entrypoints.keys", "create", "--role", role.value, "--name", role.value]
        env = gateway.environment(self.aws, self.deployed.variables)
        printed = self.processes.run(f"key-{role}", [sys.executable, *command], env=env)
        return Client(http, json.loads(printed)["secret"])

    def sdk(self, service: str, **credentials: str) -> Any:
        """A client of the emulator: the owner's, unless it has other `credentials`."""
        owner = {"aws_access_key_id": ACCESS_KEY_ID, "aws_secret_access_key": SECRET_ACCESS_KEY}
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=self.aws.url,
            region_name=self.aws.region,
            verify=str(self.aws.certificates) if self.aws.certificates else None,
            **(credentials or owner),
        )

    def log_group_of(self, row: Row) -> str:
        """Where the row's function logs to: LocalStack knows the setting, and does not follow it."""
        name = f"{NAME}-{row.name}"
        if not self.enforces_iam:
            return f"/aws/lambda/{name}"
        told = self.sdk("lambda").get_function_configuration(FunctionName=name)
        return str(told["LoggingConfig"]["LogGroup"])

    def credentials_of(self, row: Row) -> dict[str, str]:
        """The credentials that a function with the row's role has: another function is given the role, and tells."""
        functions, name = self.sdk("lambda"), f"probe-{row.name}"
        role = functions.get_function_configuration(FunctionName=f"{NAME}-{row.name}")
        functions.create_function(
            FunctionName=name,
            Role=role["Role"],
            Runtime=role["Runtime"],
            Handler="probe.handler",
            Code={"ZipFile": _zipped("probe.py", _PROBE)},
        )
        credentials: dict[str, str] = json.load(functions.invoke(FunctionName=name)["Payload"])
        return credentials

    def policies_of(self, rows: Iterable[Row]) -> dict[str, str]:
        """All that IAM is told of each row's role, its own log aside: functions that have the same may do the same."""
        functions, iam = self.sdk("lambda"), self.sdk("iam")

        def told(row: Row) -> str:
            role = functions.get_function_configuration(FunctionName=f"{NAME}-{row.name}")["Role"].rpartition("/")[2]
            names = iam.list_role_policies(RoleName=role)["PolicyNames"]
            documents = [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]
            statements = [one for document in documents for one in document["Statement"]]
            shared = [one for one in statements if one.get("Sid") != "Log"]
            assert len(shared) == len(statements) - 1, role
            attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
            return json.dumps([shared, attached], sort_keys=True)

        return {row.name: told(row) for row in rows}

    def allowed(self, row: Row) -> dict[str, bool]:
        """What the row's function may do, tried: "queries writes", "pepper reads" and so on."""
        secret_id = f"{self.deployed.variables['CREDENTIALS_PREFIX']}probe"
        variables, credentials = self.deployed.variables, self.credentials_of(row)
        dynamodb, s3, secrets, sqs = (
            self.sdk(service, **credentials) for service in ("dynamodb", "s3", "secretsmanager", "sqs")
        )
        found = {}
        for resource, key in _KEYS.items():
            table = variables[f"{resource.upper()}_TABLE"]
            item = {"TableName": table, "Key": key}
            several = {"RequestItems": {table: {"Keys": [key]}}}
            found[f"{resource} reads"] = _works(dynamodb.get_item, **item) or _works(dynamodb.batch_get_item, **several)
            found[f"{resource} writes"] = _works(dynamodb.update_item, **item) or _works(
                dynamodb.put_item, TableName=table, Item=key
            )
            found[f"{resource} scans"] = _works(dynamodb.scan, TableName=table)
        body = {"Bucket": variables["BODIES_BUCKET"], "Key": "probe"}
        found["bodies reads"] = _works(s3.get_object, **body)
        found["bodies writes"] = _works(s3.put_object, **body, Body=b"probe")
        found["credentials reads"] = _works(secrets.get_secret_value, SecretId=secret_id)
        found["credentials writes"] = _works(secrets.put_secret_value, SecretId=secret_id, SecretString="{}")
        found["pepper reads"] = _works(secrets.get_secret_value, SecretId=variables["PEPPER_SECRET_ID"])
        found["queue writes"] = _works(sqs.send_message, QueueUrl=variables["QUEUE_URL"], MessageBody="nobody")
        return found


@contextmanager
def running_deployment(logs: Path, *, localstack: str | None = None) -> Iterator[Deployment]:
    """Every stack, deployed by `make deploy-local` to `localstack`, or as it does to a ministack that ends with the block."""
    with (
        tempfile.TemporaryDirectory(prefix="llm-gateway-") as scratch,
        pytest.MonkeyPatch.context() as environment,
        Processes(logs=logs) as processes,
    ):
        # The emulator's Lambdas are not to be measured: they run copies of the code.
        environment.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        if localstack:
            aws = LocalAws(url=localstack)
            printed = make(
                "deploy-local", endpoint=localstack, arguments=f"--folder {logs} -c python={LOCALSTACK_PYTHON}"
            )
            yield Deployment(
                aws=aws, deployed=deployed_at(aws, prefix=NAME), processes=processes, commands=commands(printed)
            )
            return
        aws, process = emulator.start(processes, scratch=Path(scratch), certificate=self_signed(Path(scratch)))
        emulator.wait_for(aws, process)
        deployed = deploy_all(Steps(stream=io.StringIO()), processes, aws=aws, context={}, output=OUTPUT)
        yield Deployment(aws=aws, deployed=deployed, processes=processes)


def granted(row: Row) -> dict[str, bool]:
    """What the row's function may do, as the table says it; an endpoint that is not public authenticates, too."""
    authenticates = isinstance(row, Endpoint) and row.permission is not None
    found = {}
    for resource in _KEYS:
        found[f"{resource} reads"] = _within(resource, row.reads) or (authenticates and resource is Resource.KEYS)
        # A function that authenticates may write notes of its own there; the emulator does not look at how keys begin.
        writes = _within(resource, row.writes) or (authenticates and resource is Resource.LIMITS)
        # Of what is deleted nothing need be written.
        found[f"{resource} writes"] = writes and not (resource is Resource.PROVIDERS and row.name == "delete_provider")
        found[f"{resource} scans"] = False
    for resource in (Resource.BODIES, Resource.CREDENTIALS):
        found[f"{resource} reads"] = resource in row.reads
        found[f"{resource} writes"] = resource in row.writes
    return found | {"pepper reads": authenticates, "queue writes": Resource.QUEUE in row.writes}


def _within(resource: Resource, touched: frozenset[Resource]) -> bool:
    """Whether the table `resource` is among what is `touched`, be it in part."""
    return resource in touched or (resource is Resource.QUERIES and Resource.QUERY_STATE in touched)


def _works(call: Any, **arguments: Any) -> bool:
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"] not in REFUSALS
    return True


def _zipped(name: str, content: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()
