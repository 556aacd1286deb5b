"""The functions that queues feed."""

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_
from constructs import Construct
from llm_gateway.access import Worker
from llm_gateway.endpoints import WORKERS

from infra.data import DataStack
from infra.deployment import Deployment
from infra.functions import Functions
from infra.local_model import ModelFunction, ModelService


class WorkerStack(Stack):
    """Each row of the table's workers, fed by its queues. The queues themselves are among the data."""

    def __init__(
        self, scope: Construct, *, deployment: Deployment, data: DataStack, model: ModelFunction | ModelService | None
    ) -> None:
        super().__init__(scope, f"{deployment.prefix}-worker", description="LLM gateway: functions that queues feed")
        functions = Functions(self, rows=WORKERS, deployment=deployment, data=data, model=model)
        for row in WORKERS:
            _feed(functions.by_name[row.name], row, data)


def _feed(function: lambda_.IFunction, row: Worker, data: DataStack) -> None:
    # Not SqsEventSource, which would also grant what the row's role has already, and more than it needs.
    for queue in data.queues(row.queue):
        function.add_event_source_mapping(
            f"From{queue.node.id}",
            event_source_arn=queue.queue_arn,
            batch_size=row.batch_size,
            max_concurrency=row.max_concurrency,
            report_batch_item_failures=True,
        )
