"""The queues' door: each message of a batch is dealt with by itself, and those that failed are told apart."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from llm_gateway.entrypoints.sqs import Delivery, QueueHandler, worker
from llm_gateway.errors import DependencyUnavailable, NotDone

from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import Lines

_ARN = "arn:aws:sqs:eu-west-1:123456789012:queries"


def record(body: str, *, message_id: str | None = None, count: int = 1) -> dict[str, Any]:
    return {
        "messageId": message_id or f"message-of-{body}",
        "receiptHandle": f"receipt-of-{body}",
        "body": body,
        "attributes": {"ApproximateReceiveCount": str(count), "SentTimestamp": "1"},
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": _ARN,
        "awsRegion": "eu-west-1",
    }


def batch(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records)}


def failed(answer: Any) -> list[str]:
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


def handler_of(work: Callable[..., None], gateway: FakeGateway | None = None) -> QueueHandler:
    return QueueHandler(work, gateway=lambda: gateway or FakeGateway())


def test_what_a_worker_is_told_of_a_message() -> None:
    told: list[tuple[Delivery, object]] = []
    gateway = FakeGateway()
    answer = handler_of(lambda *given: told.append(given), gateway)(batch(record("qry_1", count=3)), None)
    assert answer == {"batchItemFailures": []}
    delivery = Delivery(query_id="qry_1", receipt="receipt-of-qry_1", queue_arn=_ARN, count=3)
    assert told == [(delivery, gateway)]


def test_only_what_failed_is_delivered_again(lines: Lines) -> None:
    faults = {"qry_2": NotDone("Somebody else works on the query."), "qry_4": RuntimeError("UNSEEN")}
    dealt_with: list[str] = []

    def work(delivery: Delivery, _: object) -> None:
        dealt_with.append(delivery.query_id)
        if delivery.query_id in faults:
            raise faults[delivery.query_id]

    answer = handler_of(work)(batch(*(record(f"qry_{number}") for number in range(1, 6))), None)
    assert failed(answer) == ["message-of-qry_2", "message-of-qry_4"]
    assert dealt_with == ["qry_1", "qry_2", "qry_3", "qry_4", "qry_5"]
    (not_done,) = lines.named("not_done")
    assert (not_done["query_id"], not_done["reason"]) == ("qry_2", "Somebody else works on the query.")
    (unexpected,) = lines.named("unexpected_error")
    assert unexpected["error_type"] == "RuntimeError"
    assert "UNSEEN" not in "".join(lines.written)


@pytest.mark.parametrize("fault", [NotDone("x"), DependencyUnavailable("x"), ValueError("x")])
def test_a_batch_that_failed_whole_is_reported_not_raised(fault: Exception) -> None:
    def work(*_: object) -> None:
        raise fault

    answer = handler_of(work)(batch(record("qry_1"), record("qry_2")), None)
    assert failed(answer) == ["message-of-qry_1", "message-of-qry_2"]


def test_a_failure_is_not_remembered_by_the_next_batch() -> None:
    def work(delivery: Delivery, _: object) -> None:
        if delivery.query_id == "qry_1":
            raise NotDone("not now")

    handler = handler_of(work)
    assert failed(handler(batch(record("qry_1")), None)) == ["message-of-qry_1"]
    assert failed(handler(batch(record("qry_2")), None)) == []


def test_batches_of_several_threads_do_not_mix() -> None:
    """Each of two batches is in the middle of its work while the other one is."""
    meeting = threading.Barrier(2, timeout=5)

    def work(delivery: Delivery, _: object) -> None:
        meeting.wait()
        if delivery.query_id == "qry_bad":
            raise NotDone("not now")
        meeting.wait()

    handler, answers = handler_of(work), {}

    def deal_with(query_id: str) -> None:
        answers[query_id] = handler(batch(record(query_id)), None)
        if query_id == "qry_bad":
            meeting.wait()

    threads = [threading.Thread(target=deal_with, args=(query_id,)) for query_id in ("qry_good", "qry_bad")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {query_id: failed(answer) for query_id, answer in answers.items()} == {
        "qry_good": [],
        "qry_bad": ["message-of-qry_bad"],
    }


def test_a_worker_is_a_row_of_the_table() -> None:
    def process_query(*_: object) -> None: ...

    def nobodys(*_: object) -> None: ...

    assert worker(process_query).work is process_query
    with pytest.raises(KeyError):
        worker(nobodys)
