"""What is uploaded: built by this repository's own scripts, and only for the stacks that a command deploys."""

from collections.abc import Callable
from pathlib import Path

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from layers.cache import cached


def code(scope: Construct, build: Callable[[], Path]) -> lambda_.Code:
    """The directory that `build` makes, or an empty one where `scope`'s stack is not to be deployed now.

    CDK's own bundling does the same: the CLI says which stacks a command is about.
    """
    directory = build() if Stack.of(scope).bundling_required else cached("unbuilt", (), Path.touch)
    return lambda_.Code.from_asset(str(directory))
