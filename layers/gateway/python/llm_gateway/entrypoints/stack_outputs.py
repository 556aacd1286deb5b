"""What a deployed data stack gives out, as the variables that the gateway reads: for commands on a person's machine."""

import argparse
import os
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_SUFFIX: Final = "-data"


class NoStack(Exception):
    """The stack cannot be read; the message says why, and what to do."""


def add_stack_argument(parser: argparse.ArgumentParser) -> None:
    """`--stack NAME`, for `adopt`."""
    parser.add_argument(
        "--stack",
        metavar="NAME",
        help="the deployment's data stack, such as llm-gateway-prod: its outputs say where all is; else the environment does",
    )


def adopt(stack: str | None, changed: Mapping[str, str] = MappingProxyType({})) -> None:
    """Put into the environment what the deployment's functions have in theirs, where a stack is named, and what is `changed`.

    Raises SystemExit with the reason.
    """
    try:
        found = variables_of(stack) if stack else {}
    except NoStack as error:
        raise SystemExit(str(error)) from None
    os.environ.update({**found, **changed})


def variables_of(stack: str) -> dict[str, str]:
    """The outputs of a data stack (`llm-gateway-prod-data`, or `llm-gateway-prod` for short) under their variables' names.

    Raises NoStack.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    name = stack if stack.endswith(_SUFFIX) else stack + _SUFFIX
    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    except ClientError as error:
        told = error.response.get("Error", {})
        raise NoStack(f"The stack {name} cannot be read: {told.get('Message') or told.get('Code')}") from None
    except BotoCoreError as error:
        raise NoStack(f"AWS cannot be asked for the stack {name}: {error}") from None
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found[0].get("Outputs", ())}
    if "KeysTable" not in outputs:
        raise NoStack(f"The stack {name} is no data stack of a gateway: it has no output KeysTable.")
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", key).upper(): value for key, value in outputs.items()}
