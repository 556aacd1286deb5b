"""The queue's door: SQS's batches in, and out the messages that must be delivered again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from llm_gateway.bootstrap import Gateway
from llm_gateway.endpoints import WORKERS
from llm_gateway.entrypoints.composition import gateway
from llm_gateway.entrypoints.observe import log_unexpected, logger
from llm_gateway.errors import NotDone
from llm_gateway.ports.queries import Delivery

__all__ = ["Delivery", "Gateway", "QueueHandler", "delivery_of", "worker"]

Work = Callable[[Delivery, Gateway], None]


@dataclass(frozen=True)
class QueueHandler:
    """A Lambda handler: deals with each message of a batch by itself, and reports those that failed."""

    work: Work
    gateway: Callable[[], Gateway] = gateway

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> Any:
        # One for each batch, because it keeps what failed, and several threads may share this handler. Even a batch in
        # which all failed is reported, not raised: a raise would hide what was seen to here.
        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        return process_partial_response(event, self._deal_with, processor, context)

    def _deal_with(self, record: SQSRecord) -> None:
        delivery = delivery_of(record)
        try:
            self.work(delivery, self.gateway())
        except NotDone as reason:
            logger().warning("not_done", extra={"query_id": delivery.query_id, "reason": str(reason)})
            raise
        except Exception as error:
            log_unexpected(error)
            raise


def worker(work: Work) -> QueueHandler:
    """Declares `work` to be the worker of its own name. Raises KeyError where the table has no such row."""
    name = getattr(work, "__name__", "")
    if all(row.name != name for row in WORKERS):
        raise KeyError(name)
    return QueueHandler(work)


def delivery_of(record: SQSRecord) -> Delivery:
    return Delivery(
        query_id=record.body,
        receipt=record.receipt_handle,
        queue_arn=record.event_source_arn,
        count=int(record.attributes.approximate_receive_count),
    )
