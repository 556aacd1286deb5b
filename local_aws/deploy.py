"""`make deploy-local`: every stack in a local AWS, deployed by the CDK command line as it would be to a real one."""

import shlex
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from local_aws import emulator, gateway, gateway_file, stack, summary, synthesis
from local_aws.aws import LocalAws, given_aws
from local_aws.processes import Processes
from workshop import node
from workshop.places import CDK, ROOT
from workshop.steps import Steps

OUTPUT: Final = ROOT / ".cache" / "cdk.out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A whole deployment: its API's address, and the data stack's outputs as a function's environment variables."""

    base_url: str
    variables: Mapping[str, str]


def deploy_local(*, folder: Path, stay: bool, context: Mapping[str, str]) -> None:
    """Deploy everything and say how to call it; keep an emulator of one's own running until a signal comes."""
    steps = Steps()
    with (
        tempfile.TemporaryDirectory(prefix="llm-gateway-") as scratch,
        Processes(logs=folder / "logs") as processes,
    ):
        aws, own_emulator = emulator.given_or_started(given_aws(), processes, scratch=Path(scratch))
        if own_emulator is not None:
            with steps.step("AWS emulator") as step:
                step.detail = aws.url
                emulator.wait_for(aws, own_emulator)
        deployed = deploy_all(steps, processes, aws=aws, context=context)
        with steps.step("Admin key"):
            key = gateway.create_admin_key(processes, env=gateway.environment(aws, deployed.variables))
        steps.say(summary.deployed_text(base_url=deployed.base_url, key=key, aws_url=aws.url))
        if own_emulator is None or not stay:
            return
        with gateway_file.written(
            folder / "gateway.json", base_url=deployed.base_url, api_key=key, aws_endpoint_url=aws.url
        ):
            steps.say(summary.END)
            processes.wait_for_end()


def deploy_all(
    steps: Steps, processes: Processes, *, aws: LocalAws, context: Mapping[str, str], output: Path = OUTPUT
) -> Deployed:
    """Bootstrap where that is still to do, and deploy every stack; `output` gets the templates and the zipped assets."""
    settings = synthesis.local_context(context)
    env = {
        **aws.environment(),
        "PATH": node.search_path(),
        "PYTHONPATH": f"{ROOT}:{synthesis.GATEWAY_PACKAGE}",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
    }
    if not _is_bootstrapped(aws):
        with steps.step("CDK bootstrap"):
            target = f"aws://{aws.account_id()}/{aws.region}"
            processes.run("bootstrap", [CDK, "bootstrap", target, "--app", "", "--no-notices"], env=env)
    with steps.step("CDK deploy") as step:
        step.detail = "all stacks"
        processes.run("deploy", _deploy_command({**synthesis.LOCAL_CONTEXT, **context}, output), env=env)
    return deployed_at(aws, prefix=f"{settings['name']}-{settings['stage']}")


def deployed_at(aws: LocalAws, *, prefix: str) -> Deployed:
    """What is deployed there, from the outputs of its stacks."""
    api = stack.outputs(aws, f"{prefix}-api")
    return Deployed(
        base_url=local_url(api["ApiUrl"], aws),
        variables=stack.as_variables(stack.outputs(aws, f"{prefix}-data")),
    )


def local_url(api_url: str, aws: LocalAws) -> str:
    """An API's address at the emulator; `api_url` is the one that it would have at AWS, its stage last."""
    parts = urlsplit(api_url)
    api_id = (parts.hostname or "").split(".")[0]
    return f"{aws.url}/_aws/execute-api/{api_id}/{parts.path.strip('/')}"


def _deploy_command(context: Mapping[str, str], output: Path) -> list[str | Path]:
    chosen = [word for name, value in context.items() for word in ("--context", f"{name}={value}")]
    app = shlex.join([sys.executable, "app.py"])
    options = ["--all", "--require-approval", "never", "--no-notices", "--progress", "events", "--concurrency", "4"]
    return [CDK, "deploy", *options, "--app", app, "--output", output, *chosen]


def _is_bootstrapped(aws: LocalAws) -> bool:
    try:
        stacks = aws.cloudformation().describe_stacks(StackName="CDKToolkit")["Stacks"]
    except ClientError:
        return False
    return bool(stacks[0]["StackStatus"].endswith("_COMPLETE"))
