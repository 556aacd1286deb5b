"""Deploys one stack that has no assets by CloudFormation alone: no Node, no bootstrap, about a second."""

import json
import re
import time
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from local_aws.aws import LocalAws
from workshop.steps import Failure

TIMEOUT_S: Final = 120.0
POLL_S: Final = 0.1
# A stack whose creation failed can only be deleted.
UNUSABLE: Final = frozenset({"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"})


def deploy(aws: LocalAws, name: str, template: Mapping[str, Any]) -> dict[str, str]:
    """Create the stack or update it, and return its outputs. Raises Failure with CloudFormation's reason."""
    client = aws.cloudformation()
    try:
        _create_or_update(client, name, _without_bootstrap(template))
    except ClientError as error:
        raise Failure(f"CloudFormation does not take {name}: {error}") from error
    _wait(client, name)
    return outputs(aws, name)


def outputs(aws: LocalAws, name: str) -> dict[str, str]:
    """What a deployed stack gives out."""
    stack = aws.cloudformation().describe_stacks(StackName=name)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def as_variables(outputs: Mapping[str, str]) -> dict[str, str]:
    """The data stack's outputs as the environment variables of a function: `KeysTable` is KEYS_TABLE."""
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", name).upper(): value for name, value in outputs.items()}


def _create_or_update(client: Any, name: str, body: dict[str, Any]) -> None:
    status = _status(client, name)
    if status in UNUSABLE:
        client.delete_stack(StackName=name)
        _wait(client, name)
        status = None
    if status is None or status == "DELETE_COMPLETE":
        client.create_stack(StackName=name, TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"])
    elif client.get_template(StackName=name)["TemplateBody"] != body:
        client.update_stack(StackName=name, TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"])


def _without_bootstrap(template: Mapping[str, Any]) -> dict[str, Any]:
    # They check the version of the bootstrap stack, which is for assets.
    return {name: part for name, part in template.items() if name not in ("Parameters", "Rules")}


def _status(client: Any, name: str) -> str | None:
    try:
        return str(client.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise


def _wait(client: Any, name: str) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while (status := _status(client, name) or "DELETE_COMPLETE").endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise Failure(f"{name} is still {status} after {TIMEOUT_S:.0f} s.")
        time.sleep(POLL_S)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "DELETE_COMPLETE"):
        raise Failure(f"{name} is {status}.\n\n{_reasons(client, name)}")


def _reasons(client: Any, name: str) -> str:
    events = client.describe_stack_events(StackName=name)["StackEvents"]
    failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
    return "\n".join(
        f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason')}" for event in failed
    )
