"""The queue's door: SQS's batches in, and out the messages that must be delivered again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from llm_gateway.bootstrap import Gateway
from llm_gateway.correlation import CURRENT, REQUEST_ID, Correlation, LineKind, traceparent_in
from llm_gateway.endpoints import WORKERS
from llm_gateway.entrypoints.composition import gateway
from llm_gateway.entrypoints.observe import ColdStart, Figures, in_a_line, log_unexpected, logger
from llm_gateway.errors import NotDone
from llm_gateway.ports.queries import Delivery
from llm_gateway.settings import Release

__all__ = ["Delivery", "Gateway", "QueueHandler", "delivery_of", "worker"]

Work = Callable[[Delivery, Gateway], None]


@dataclass(frozen=True)
class QueueHandler:
    """A Lambda handler: deals with each message of a batch by itself, and reports those that failed."""

    work: Work
    gateway: Callable[[], Gateway] = gateway
    _cold_start: ColdStart = field(default_factory=ColdStart)

    def __call__(self, event: dict[str, Any], context: LambdaContext) -> Any:
        # One for each batch, because it keeps what failed, and several threads may share this handler. Even a batch in
        # which all failed is reported, not raised: a raise would hide what was seen to here.
        processor = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        return process_partial_response(event, self._deal_with, processor, context)

    def _deal_with(self, record: SQSRecord) -> None:
        delivery, began_s, outcome = delivery_of(record), time.monotonic(), "failed"
        current = correlation_of(record)
        before = CURRENT.set(current)
        try:
            with self._span(delivery, current):
                self.work(delivery, self.gateway())
            outcome = "done"
        except NotDone as reason:
            outcome = "not_done"
            logger().warning("not_done", extra={"reason": str(reason)})
            raise
        except Exception as error:
            log_unexpected(error)
            raise
        finally:
            self._log(record, delivery, outcome, took_s=time.monotonic() - began_s)
            CURRENT.reset(before)

    @contextmanager
    def _span(self, delivery: Delivery, current: Correlation) -> Iterator[None]:
        """A span around it, where a deployment collects them."""
        tracing = self.gateway().outside.tracing
        if tracing is None:
            yield
            return
        try:
            with tracing.serving("process", current, queued=True) as span:
                span.note(
                    messaging__system="aws_sqs",
                    messaging__operation__type="process",
                    messaging__destination__name=delivery.queue_arn.rpartition(":")[2],
                    llm_gateway__request_id=current.request_id,
                    llm_gateway__query_id=delivery.query_id,
                )
                yield
        finally:
            if Release.from_environment():
                tracing.flush()

    def _log(self, record: SQSRecord, delivery: Delivery, outcome: str, *, took_s: float) -> None:
        logger().info(
            "delivery",
            extra={
                "kind": LineKind.REQUEST,
                "outcome": outcome,
                "queue": delivery.queue_arn.rpartition(":")[2],
                "delivery": delivery.count,
                "duration_ms": round(took_s * 1000),
                **in_a_line(*_queued(record, delivery, took_s=took_s), *self._cold_start.figures()),
            },
        )


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
        is_paid=_said(record, "paid") == "yes",
    )


def correlation_of(record: SQSRecord) -> Correlation:
    """Whose request the message goes back to. What is not as we send it is as if it had not been sent."""
    request_id, traceparent = (_said(record, name) for name in ("request_id", "traceparent"))
    return Correlation(
        query_id=record.body,
        request_id=request_id if REQUEST_ID.fullmatch(request_id) else None,
        traceparent=traceparent_in(traceparent),
    )


def _said(record: SQSRecord, name: str) -> str:
    """What stands beside the message's body; empty where it does not."""
    attribute = record.message_attributes[name]
    return (attribute.string_value if attribute else None) or ""


def _queued(record: SQSRecord, delivery: Delivery, *, took_s: float) -> list[Figures]:
    """How long the message was in the queue before anybody took it up."""
    sent_ms = str(record.attributes.get("SentTimestamp", ""))
    if delivery.count > 1 or not sent_ms.isdecimal():
        return []
    waited_ms = round((time.time() - took_s) * 1000) - int(sent_ms)
    return [Figures({"QueueMs": "Milliseconds"}, {"QueueMs": max(0, waited_ms)})]
