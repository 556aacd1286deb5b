"""The queues without Lambda: a plain process that receives messages and hands them to the same handlers, as Lambda would."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.entrypoints.composition import gateway
from llm_gateway.entrypoints.observe import log_unexpected

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_WAIT_S: Final = 5
_PAUSE_S: Final = 1
_TICK_S: Final = 0.2
# How many messages of a queue are dealt with at once.
_AT_ONCE: Final = {"high": 4, "normal": 8, "dead_letters": 1}

Handler = Callable[[dict[str, Any], Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queue:
    url: str
    handler: Handler
    hidden_s: int


def poll(handlers: Mapping[str, Handler]) -> None:
    """Works until it is told to stop, and then ends what it has begun. `handlers` are named like the table's workers."""
    import boto3
    from botocore.config import Config

    # A client of its own: the gateway's would not wait as long as a queue does. A connection for each thread.
    settings, config = gateway().settings, Config(max_pool_connections=sum(_AT_ONCE.values()))
    sqs = boto3.client("sqs", config=config)
    queues = {
        "high": _Queue(url=settings.high_queue_url, handler=handlers["process_query"], hidden_s=settings.lease_s),
        "normal": _Queue(url=settings.queue_url, handler=handlers["process_query"], hidden_s=settings.lease_s),
        "dead_letters": _Queue(
            url=settings.dead_letters_url, handler=handlers["bury_query"], hidden_s=settings.lease_s
        ),
    }
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    begun = []
    for name, at_once in _AT_ONCE.items():
        for slot in range(at_once if queues[name].url else 0):
            begun.append(threading.Lock())
            arguments = (queues[name], sqs, stopping, begun[-1])
            threading.Thread(target=_work, args=arguments, name=f"{name}-{slot}", daemon=True).start()
    while not stopping.is_set():
        time.sleep(_TICK_S)
    # Who deals with a message is waited for; who only waits for one has nothing to lose.
    for lock in begun:
        lock.acquire()


def _work(queue: _Queue, sqs: "SQSClient", stopping: threading.Event, begun: threading.Lock) -> None:
    arn = ""
    while not stopping.is_set():
        try:
            arn = (
                arn
                or sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
            )
            for message in _received(queue, sqs):
                with begun:
                    if not stopping.is_set():
                        _deal_with(message, queue, sqs, arn)
        except Exception as error:
            # A queue that cannot be reached now may be in a moment.
            log_unexpected(error)
            time.sleep(_PAUSE_S)


def _received(queue: _Queue, sqs: "SQSClient") -> "list[MessageTypeDef]":
    return sqs.receive_message(
        QueueUrl=queue.url,
        MaxNumberOfMessages=1,
        WaitTimeSeconds=_WAIT_S,
        # Short, because the worker extends it while it lives: what a killed one held is soon delivered again.
        VisibilityTimeout=queue.hidden_s,
        MessageSystemAttributeNames=["ApproximateReceiveCount"],
    ).get("Messages", [])


def _deal_with(message: "MessageTypeDef", queue: _Queue, sqs: "SQSClient", arn: str) -> None:
    event = {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
            }
        ]
    }
    if not queue.handler(event, None)["batchItemFailures"]:
        sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
