"""The way from an accepted query to its worker: SQS, one queue for each priority. A message is a query's id, nothing else."""

from math import ceil
from typing import Final

from llm_gateway.ports import Priority
from llm_gateway.stores.connection import Aws, reaching

MAX_DELAY_S: Final = 900
"""SQS holds no message back for longer."""


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
