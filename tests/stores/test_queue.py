"""What a query queue promises."""

import pytest
from llm_gateway.correlation import CURRENT, Correlation
from llm_gateway.ports.queries import Priority
from llm_gateway.stores.queue import SqsQueryQueue

from tests.adapters.query_queue import RecordingQueryQueue, Sent


@pytest.fixture
def queue(aws, settings) -> SqsQueryQueue:
    return SqsQueryQueue(aws=aws, normal_url=settings.queue_url, high_url=settings.high_queue_url)


def received(aws, url: str) -> list[str]:
    answer = aws.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [message["Body"] for message in answer.get("Messages", [])]


@pytest.mark.parametrize("priority", ["normal", "high"])
def test_an_id_reaches_the_queue_of_its_priority(aws, settings, queue: SqsQueryQueue, priority: Priority) -> None:
    queue.send("qry_1", priority=priority)
    by_priority = {"normal": received(aws, settings.queue_url), "high": received(aws, settings.high_queue_url)}
    assert by_priority.pop(priority) == ["qry_1"]
    assert list(by_priority.values()) == [[]]


@pytest.mark.parametrize("delay_s", [0.2, 30, 10_000])
def test_a_delayed_id_is_held_back(aws, settings, queue: SqsQueryQueue, delay_s: float) -> None:
    queue.send("qry_1", delay_s=delay_s)
    assert received(aws, settings.queue_url) == []
    attributes = aws.sqs.get_queue_attributes(
        QueueUrl=settings.queue_url, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )["Attributes"]
    assert attributes == {"ApproximateNumberOfMessagesDelayed": "1"}


def test_no_delay_is_less_than_none(aws, settings, queue: SqsQueryQueue) -> None:
    queue.send("qry_1", delay_s=-3)
    assert received(aws, settings.queue_url) == ["qry_1"]


def test_the_fake_remembers_what_was_sent() -> None:
    queue = RecordingQueryQueue()
    queue.send("qry_1")
    queue.send("qry_2", delay_s=10_000, priority="high")
    assert queue.sent == [
        Sent(query_id="qry_1", delay_s=0, priority="normal"),
        Sent(query_id="qry_2", delay_s=900, priority="high"),
    ]


def test_a_message_says_whose_request_it_goes_back_to(aws, settings, queue: SqsQueryQueue) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request = "req_01M8NBTCARFDA6Y0WVMH14GQ76"
    for current, is_paid in ((Correlation(request_id=request, traceparent=trace), True), (Correlation(), False)):
        before = CURRENT.set(current)
        queue.send("qry_1", is_paid=is_paid)
        CURRENT.reset(before)
    messages = [
        aws.sqs.receive_message(QueueUrl=settings.queue_url, MessageAttributeNames=["All"])["Messages"][0]
        for _ in range(2)
    ]
    told = [
        {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
        for message in messages
    ]
    assert sorted(told, key=len) == [{}, {"request_id": request, "traceparent": trace, "paid": "yes"}]
