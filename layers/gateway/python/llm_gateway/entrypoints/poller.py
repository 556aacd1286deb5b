"""The queues without Lambda: a plain process that receives messages and hands them to the same handlers, as Lambda would."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.entrypoints.observe import log_unexpected, logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from llm_gateway.settings import Settings

_TICK_S: Final = 0.2
# How many messages of a queue are dealt with at once.
_AT_ONCE: Final = {"high": 4, "normal": 8, "dead_letters": 1}

Handler = Callable[[dict[str, Any], Any], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long a queue is asked to wait for a message, and the first and the longest pause after a failure."""

    wait_s: int = 5
    pause_s: float = 1
    longest_pause_s: float = 5


@dataclass(slots=True)
class Outage:
    """What the threads of one queue share while it is out of reach, so that its beginning and its end are told once each."""

    queue: str
    pace: Pace = Pace()
    _lasts: bool = False
    _changed_s: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def meet(self, reason: Exception, *, since_s: float, tries: int) -> None:
        """Waits, longer from try to try, but not past the moment when another thread gets through."""
        with self._lock:
            if self._turns(to=True, since_s=since_s):
                self._over.clear()
                logger().warning("queue_unreachable", extra={"queue": self.queue, "reason": str(reason)})
        self._over.wait(min(self.pace.pause_s * 2**tries, self.pace.longest_pause_s))

    def end(self, *, since_s: float) -> None:
        """Somebody has got through."""
        with self._lock:
            if self._turns(to=False, since_s=since_s):
                self._over.set()
                logger().info("queue_reached_again", extra={"queue": self.queue})

    def _turns(self, *, to: bool, since_s: float) -> bool:
        # What was sent before the last turn says nothing of what came after it: a poll takes seconds.
        if self._lasts is to or since_s < self._changed_s:
            return False
        self._lasts, self._changed_s = to, time.monotonic()
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Queue:
    url: str
    handler: Handler
    hidden_s: int
    outage: Outage


def poll(handlers: Mapping[str, Handler], settings: "Settings", *, pace: Pace = Pace()) -> None:
    """Works until it is told to stop, and then ends what it has begun. `handlers` are named like the table's workers."""
    import boto3
    from botocore.config import Config

    # A client of its own: the gateway's would not wait as long as a queue does. A connection for each thread. Tried again at
    # once only, because the SDK's longer pauses would not end with the outage.
    config = Config(max_pool_connections=sum(_AT_ONCE.values()), retries={"total_max_attempts": 2})
    sqs = boto3.client("sqs", config=config)
    sources = {
        "high": (settings.high_queue_url, handlers["process_query"]),
        "normal": (settings.queue_url, handlers["process_query"]),
        "dead_letters": (settings.dead_letters_url, handlers["bury_query"]),
    }
    queues = {
        name: _Queue(url=url, handler=handler, hidden_s=settings.lease_s, outage=Outage(name, pace))
        for name, (url, handler) in sources.items()
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
    # A thread that handles a message is waited for. A thread that only waits for one has nothing to lose.
    for lock in begun:
        lock.acquire()


def _work(queue: _Queue, sqs: "SQSClient", stopping: threading.Event, begun: threading.Lock) -> None:
    from botocore.exceptions import BotoCoreError, ClientError

    arn, tries = "", 0
    while not stopping.is_set():
        since_s = time.monotonic()
        try:
            arn = arn or _arn(queue, sqs)
            messages = _received(queue, sqs)
            queue.outage.end(since_s=since_s)
            since_s, tries = time.monotonic(), 0
            for message in messages:
                with begun:
                    if not stopping.is_set():
                        _deal_with(message, queue, sqs, arn)
        except (BotoCoreError, ClientError) as error:
            queue.outage.meet(error, since_s=since_s, tries=tries)
            tries += 1
        except Exception as error:
            log_unexpected(error)
            time.sleep(queue.outage.pace.pause_s)


def _arn(queue: _Queue, sqs: "SQSClient") -> str:
    return sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def _received(queue: _Queue, sqs: "SQSClient") -> "list[MessageTypeDef]":
    return sqs.receive_message(
        QueueUrl=queue.url,
        MaxNumberOfMessages=1,
        WaitTimeSeconds=queue.outage.pace.wait_s,
        # Short, because the worker extends it while it lives: what a killed one held is soon delivered again.
        VisibilityTimeout=queue.hidden_s,
        MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
        # As Lambda hands them on: a worker that does not read that a provider was paid pays again.
        MessageAttributeNames=["All"],
    ).get("Messages", [])


def _deal_with(message: "MessageTypeDef", queue: _Queue, sqs: "SQSClient", arn: str) -> None:
    event = {
        "Records": [
            {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
                "messageAttributes": {
                    name: {"stringValue": told.get("StringValue"), "dataType": told["DataType"]}
                    for name, told in message.get("MessageAttributes", {}).items()
                },
                "eventSource": "aws:sqs",
                "eventSourceARN": arn,
            }
        ]
    }
    if not queue.handler(event, None)["batchItemFailures"]:
        sqs.delete_message(QueueUrl=queue.url, ReceiptHandle=message["ReceiptHandle"])
