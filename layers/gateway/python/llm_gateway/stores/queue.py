"""The way from an accepted query to its worker: SQS, one queue for each priority.

A message is a query's id, and beside it says whose request it goes back to, so that the log tells that of every line; and that a
provider was paid for it, where what came of that could not be stored.
"""

from math import ceil
from typing import Final

from llm_gateway.correlation import CURRENT
from llm_gateway.ports.queries import Delivery, Priority
from llm_gateway.stores.connection import Aws, reaching

MAX_DELAY_S: Final = 900
"""SQS holds no message back for longer."""
MAX_HOLD_S: Final = 43_200


class SqsQueryQueue:
    def __init__(self, *, aws: Aws, normal_url: str, high_url: str) -> None:
        self._aws = aws
        self._urls: dict[Priority, str] = {"normal": normal_url, "high": high_url}

    def send(self, query_id: str, *, delay_s: float = 0, priority: Priority = "normal", is_paid: bool = False) -> None:
        with reaching("queued queries"):
            self._aws.queues.call(
                "SendMessage",
                {
                    "QueueUrl": self._urls[priority],
                    "MessageBody": query_id,
                    "MessageAttributes": _beside(is_paid=is_paid),
                    "DelaySeconds": min(max(ceil(delay_s), 0), MAX_DELAY_S),
                },
            )

    def hold(self, delivery: Delivery, *, duration_s: float) -> None:
        with reaching("queued queries"):
            self._aws.queues.call(
                "ChangeMessageVisibility",
                {
                    "QueueUrl": self._url_of(delivery.queue_arn),
                    "ReceiptHandle": delivery.receipt,
                    "VisibilityTimeout": min(max(ceil(duration_s), 0), MAX_HOLD_S),
                },
            )

    def _url_of(self, queue_arn: str) -> str:
        """A queue's address ends in the same name as its ARN."""
        name = queue_arn.rpartition(":")[2]
        return next(url for url in self._urls.values() if url.rpartition("/")[2] == name)


def _beside(*, is_paid: bool) -> dict[str, dict[str, str]]:
    current = CURRENT.get()
    told = {"request_id": current.request_id, "traceparent": current.carried, "paid": "yes" if is_paid else None}
    return {name: {"DataType": "String", "StringValue": value} for name, value in told.items() if value is not None}
