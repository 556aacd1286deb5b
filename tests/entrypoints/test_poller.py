"""The plain worker: takes messages from real queues as Lambda would, and ends what it has begun before it stops."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from llm_gateway.correlation import CURRENT, Correlation
from llm_gateway.entrypoints.poller import Outage, Pace, poll
from llm_gateway.entrypoints.sqs import correlation_of, delivery_of
from llm_gateway.settings import Settings
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.queue import SqsQueryQueue

from tests.adapters.aws import ENVIRONMENT, connect
from tests.adapters.faulty_aws import REFUSED, FaultyAws
from tests.adapters.ministack import running_ministack
from tests.entrypoints.conftest import Lines
from tests.patience import FOREVER_S, PATIENCE_S

LEASE_S = 1


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_ministack(Path(tmp_path_factory.mktemp("ministack"))) as endpoint:
        yield endpoint


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@dataclass
class Queues:
    aws: Aws
    settings: Settings

    def send(self, body: str, *, to: str = "queue_url") -> None:
        self.aws.sqs.send_message(QueueUrl=getattr(self.settings, to), MessageBody=body)

    def send_by_the_gateway(self, query_id: str, *, is_paid: bool) -> None:
        queue = SqsQueryQueue(aws=self.aws, normal_url=self.settings.queue_url, high_url=self.settings.high_queue_url)
        queue.send(query_id, is_paid=is_paid)

    def left(self, of: str = "queue_url") -> int:
        """Messages that are in the queue, seen or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        asked: Any = {"QueueUrl": getattr(self.settings, of), "AttributeNames": names}
        return sum(int(number) for number in self.aws.sqs.get_queue_attributes(**asked)["Attributes"].values())


@pytest.fixture
def queues(endpoint: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Queues:
    aws, name = connect(endpoint), request.node.name.replace("_", "-")[:60]
    addresses = {
        address: aws.sqs.create_queue(QueueName=f"{name}-{number}")["QueueUrl"]
        for number, address in enumerate(("queue_url", "high_queue_url", "dead_letters_url"))
    }
    settings = replace(Settings.from_environment({"LEASE_S": str(LEASE_S)}), **addresses)
    for variable, value in (ENVIRONMENT | {"AWS_ENDPOINT_URL": endpoint}).items():
        monkeypatch.setenv(variable, value)
    return Queues(aws, settings)


@dataclass
class Handler:
    """A worker's handler that notes what it was given; `does` says what comes of a message, by its body."""

    does: dict[str, Callable[[], bool]] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, event: dict[str, Any], _: object) -> dict[str, Any]:
        self.events.append(event)
        (record,) = event["Records"]
        done = self.does.get(record["body"], lambda: True)()
        return {"batchItemFailures": [] if done else [{"itemIdentifier": record["messageId"]}]}

    @property
    def bodies(self) -> list[str]:
        return [event["Records"][0]["body"] for event in self.events]


def work(
    settings: Settings,
    process: Handler,
    bury: Handler | None = None,
    *,
    until: Callable[[], object],
    pace: Pace = Pace(),
) -> None:
    """Polls in this thread until `until`, in another one, has returned; then every thread of it ends."""

    def stop() -> None:
        try:
            until()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    with ThreadPoolExecutor(max_workers=1) as beside:
        stopping = beside.submit(stop)
        poll({"process_query": process, "bury_query": bury or Handler()}, settings, pace=pace)
        stopping.result()
    for thread in threading.enumerate():
        if thread.name.startswith(("high-", "normal-", "dead_letters-")):
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), thread.name


def eventually(condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    until = time.monotonic() + within_s
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    assert condition()


def test_messages_are_dealt_with_as_lambda_would(queues: Queues, lines: Lines) -> None:
    """One run for all of it, because a worker waits for messages as long as a queue lets it."""
    started, go_on, ended = threading.Event(), threading.Event(), threading.Event()
    meeting = threading.Barrier(4, timeout=PATIENCE_S)
    faults: dict[str, Exception] = {"breaks": ZeroDivisionError("UNSEEN")}
    failures = ["fails"]

    def fail_once() -> bool:
        return not failures or not failures.pop()

    def break_once() -> bool:
        if "breaks" in faults:
            raise faults.pop("breaks")
        return True

    def meet() -> bool:
        meeting.wait()
        return True

    def take_its_time() -> bool:
        started.set()
        go_on.wait(FOREVER_S)
        ended.set()
        return True

    process = Handler({"fails": fail_once, "breaks": break_once, "meets": meet, "slow": take_its_time})
    bury = Handler()

    def until() -> None:
        queues.send("plain")
        queues.send("urgent", to="high_queue_url")
        queues.send("dead", to="dead_letters_url")
        queues.send("fails")
        queues.send("breaks")
        for _ in range(4):
            queues.send("meets")
        expected = sorted(["plain", "urgent", *["fails", "breaks"] * 2, *["meets"] * 4])
        eventually(lambda: sorted(process.bodies) == expected)
        eventually(lambda: queues.left() + queues.left("high_queue_url") + queues.left("dead_letters_url") == 0)
        queues.send("slow")
        assert started.wait(PATIENCE_S)
        # It is told to stop while this message is dealt with.
        threading.Timer(0.5, go_on.set).start()

    work(queues.settings, process, bury, until=until)
    assert ended.is_set()
    assert queues.left() == 0, "what was begun was not ended"
    assert not meeting.broken
    assert bury.bodies == ["dead"]
    again = [event["Records"][0] for event in process.events if event["Records"][0]["body"] == "fails"]
    assert [record["attributes"]["ApproximateReceiveCount"] for record in again] == ["1", "2"]
    assert {record["eventSource"] for record in again} == {"aws:sqs"}
    arns = {event["Records"][0]["body"]: event["Records"][0]["eventSourceARN"] for event in process.events}
    assert arns["plain"].rpartition(":")[2] == queues.settings.queue_url.rpartition("/")[2]
    assert arns["urgent"].rpartition(":")[2] == queues.settings.high_queue_url.rpartition("/")[2]
    (unexpected,) = lines.named("unexpected_error")
    assert unexpected["error_type"] == "ZeroDivisionError"
    assert "UNSEEN" not in "".join(lines.written)


def test_all_that_the_gateway_says_beside_a_message_is_handed_on(queues: Queues) -> None:
    """As Lambda does: a worker that does not read that a provider was paid would pay again."""
    request, trace = "req_01J00000000000000000000000", f"00-{'4a' * 16}-{'1' * 16}-01"
    process = Handler()

    def until() -> None:
        before = CURRENT.set(Correlation(request_id=request, traceparent=trace))
        queues.send_by_the_gateway("qry_paid", is_paid=True)
        CURRENT.reset(before)
        queues.send_by_the_gateway("qry_new", is_paid=False)
        eventually(lambda: sorted(process.bodies) == ["qry_new", "qry_paid"])
        eventually(lambda: queues.left() == 0)

    work(queues.settings, process, until=until)
    records = [SQSRecord(event["Records"][0]) for event in process.events]
    assert {record.body: delivery_of(record).is_paid for record in records} == {"qry_paid": True, "qry_new": False}
    told = {record.body: correlation_of(record) for record in records}
    assert told["qry_paid"] == Correlation(query_id="qry_paid", request_id=request, traceparent=trace)
    assert told["qry_new"] == Correlation(query_id="qry_new")


def test_an_outage_is_told_once_and_its_end_too(
    endpoint: str, queues: Queues, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = Handler()

    def told(message: str, *, times: int) -> Callable[[], bool]:
        return lambda: len(lines.named(message)) == times

    with FaultyAws(endpoint) as aws:
        monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)

        def until() -> None:
            for outage in (1, 2):
                with aws.failing("sqs/*", REFUSED):
                    eventually(told("queue_unreachable", times=3 * outage))
                    # Every thread tries again. A poll from before would get what is sent, and could not delete it.
                    time.sleep(3)
                    queues.send("meanwhile")
                eventually(lambda: queues.left() == 0)
                eventually(told("queue_reached_again", times=3 * outage))

        work(queues.settings, process, until=until, pace=Pace(wait_s=1))
    reasons = lines.named("queue_unreachable")
    assert sorted(line["queue"] for line in reasons) == sorted(["high", "normal", "dead_letters"] * 2)
    assert {line["level"] for line in reasons} == {"WARNING"}
    assert all("Connection was closed" in line["reason"] for line in reasons)
    assert lines.named("unexpected_error") == []
    assert process.bodies == ["meanwhile"] * 2


def test_a_pause_grows_to_some_seconds(lines: Lines) -> None:
    outage, waited_s = Outage("normal", Pace(pause_s=0.01, longest_pause_s=0.05)), []
    for tries in range(6):
        since_s = time.monotonic()
        outage.meet(ConnectionError("away"), since_s=since_s, tries=tries)
        waited_s.append(time.monotonic() - since_s)
    for waited, pause in zip(waited_s, [0.01, 0.02, 0.04, 0.05, 0.05, 0.05], strict=True):
        assert pause <= waited
    (told,) = lines.named("queue_unreachable")
    assert told["reason"] == "away"


def test_what_was_sent_before_an_outage_does_not_end_it(lines: Lines) -> None:
    outage = Outage("normal")
    before_s = time.monotonic()
    threads = [
        threading.Thread(
            target=outage.meet, args=(ConnectionError(),), kwargs={"since_s": time.monotonic(), "tries": 9}
        )
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    eventually(lambda: lines.named("queue_unreachable"))
    outage.end(since_s=before_s)
    assert lines.named("queue_reached_again") == []
    outage.end(since_s=time.monotonic())
    for thread in threads:
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "it waits on, though another has got through"
    outage.meet(ConnectionError(), since_s=before_s, tries=9)
    assert (len(lines.named("queue_unreachable")), len(lines.named("queue_reached_again"))) == (1, 1)
