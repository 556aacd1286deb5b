"""The functions of one area of the table."""

from collections.abc import Sequence

from aws_cdk import Stack
from constructs import Construct
from llm_gateway.access import Area, Endpoint

from infra.data import DataStack
from infra.deployment import Deployment
from infra.functions import Functions
from infra.local_model import ModelFunction, ModelService


class AreaStack(Stack):
    """An area's functions. The API calls them by their names, so that each stack can be deployed without the others.

    CloudFormation takes 500 resources a stack. A function takes three (itself, its role with the policy inside, its log), and
    in production seven (version, alias, alarm, deployment group), so that each can have a role of its own.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        area: Area,
        rows: Sequence[Endpoint],
        deployment: Deployment,
        data: DataStack,
        model: ModelFunction | ModelService | None,
    ) -> None:
        super().__init__(scope, f"{deployment.prefix}-{area}", description=f"LLM gateway: functions, {area}")
        Functions(self, rows=rows, deployment=deployment, data=data, model=model)
