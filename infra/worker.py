"""The functions that queues feed, and those that run by the clock."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct
from llm_gateway.access import Schedule, Worker
from llm_gateway.endpoints import SCHEDULES, WORKERS

from infra.data import DataStack
from infra.deployment import Deployment
from infra.functions import Functions
from infra.local_model import ModelFunction, ModelService


class WorkerStack(Stack):
    """Each row of the table's workers, fed by its queues, and of its schedules. The queues themselves are among the data."""

    def __init__(
        self, scope: Construct, *, deployment: Deployment, data: DataStack, model: ModelFunction | ModelService | None
    ) -> None:
        super().__init__(
            scope, f"{deployment.prefix}-worker", description="LLM gateway: functions that queues and clocks start"
        )
        functions = Functions(self, rows=(*WORKERS, *SCHEDULES), deployment=deployment, data=data, model=model)
        for row in WORKERS:
            _feed(functions.by_name[row.name], row, data)
        for schedule in SCHEDULES:
            _start(self, functions.by_name[schedule.name], schedule)


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


def _start(scope: Construct, function: lambda_.IFunction, row: Schedule) -> None:
    # As the function's own: this is for what EventBridge cannot hand over, that for what Lambda has taken.
    target = targets.LambdaFunction(function, retry_attempts=0, max_event_age=Duration.minutes(row.every_min))
    rate = events.Schedule.rate(Duration.minutes(row.every_min))
    events.Rule(scope, f"Every{row.name}", description=f"Starts {row.name}", schedule=rate, targets=[target])
