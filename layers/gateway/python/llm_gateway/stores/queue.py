"""The way from an accepted query to its worker: SQS, one queue for each priority. A message is a query's id, nothing else."""

from math import ceil
from typing import Final

from llm_gateway.ports.queries import Delivery, Priority
from llm_gateway.stores.connection import Aws, reaching

MAX_DELAY_S: Final = 900
"""SQS holds no message back for longer."""
MAX_HOLD_S: Final = 43_200


class SqsQueryQueue:
    def __init__(self, *, aws: Aws, normal_url: str, high_url: str) -> None:
        self._aws = aws
        self._urls: dict[Priority, str] = {"normal": normal_url, "high": high_url}

    def send(self, query_id: str, *, delay_s: float = 0, priority: Priority = "normal") -> None:
        with reaching("queued queries"):
            self._aws.sqs.send_message(
                QueueUrl=self._urls[priority],
                MessageBody=query_id,
                DelaySeconds=min(max(ceil(delay_s), 0), MAX_DELAY_S),
            )

    def hold(self, delivery: Delivery, *, duration_s: float) -> None:
        with reaching("queued queries"):
            self._aws.sqs.change_message_visibility(
                QueueUrl=self._url_of(delivery.queue_arn),
                ReceiptHandle=delivery.receipt,
                VisibilityTimeout=min(max(ceil(duration_s), 0), MAX_HOLD_S),
            )

    def _url_of(self, queue_arn: str) -> str:
        """A queue's address ends in the same name as its ARN."""
        name = queue_arn.rpartition(":")[2]
        return next(url for url in self._urls.values() if url.rpartition("/")[2] == name)
