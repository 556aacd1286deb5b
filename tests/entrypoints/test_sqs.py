"""The queues' door: each message of a batch is dealt with by itself, and those that failed are told apart."""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from llm_gateway.correlation import CURRENT
from llm_gateway.entrypoints.sqs import Delivery, QueueHandler, worker
from llm_gateway.errors import DependencyUnavailable, NotDone

from tests.adapters.gateway import FakeGateway
from tests.entrypoints.conftest import Lines
from tests.patience import PATIENCE_S

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
    meeting = threading.Barrier(2, timeout=PATIENCE_S)

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


def sent_for(body: str, *, at_ms: int | None = None, count: int = 1, **told: str) -> dict[str, Any]:
    """A message with what stands beside its body."""
    sent = record(body, count=count)
    sent["messageAttributes"] = {
        name: {"stringValue": value, "dataType": "String", "stringListValues": [], "binaryListValues": []}
        for name, value in told.items()
    }
    if at_ms is not None:
        sent["attributes"]["SentTimestamp"] = str(at_ms)
    return sent


def test_every_line_of_a_delivery_tells_whose_request_it_goes_back_to(lines: Lines) -> None:
    def work(*_: object) -> None:
        logging.getLogger("llm_gateway.stores.gates").warning("A place is not given back.")
        raise NotDone("not now")

    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    request = "req_01M8NBTCARFDA6Y0WVMH14GQ76"
    handler_of(work)(batch(sent_for("qry_1", request_id=request, traceparent=trace)), None)
    told = [json.loads(line) for line in lines.written]
    assert [line["message"] for line in told] == ["A place is not given back.", "not_done", "delivery"]
    assert [line["kind"] for line in told] == ["error", "error", "request"]
    for line in told:
        assert (line["request_id"], line["query_id"], line["trace_id"]) == (request, "qry_1", trace[3:35])
    assert (told[-1]["outcome"], told[-1]["delivery"], told[-1]["queue"]) == ("not_done", 1, "queries")


def test_what_is_not_as_it_is_sent_is_taken_for_nothing(lines: Lines) -> None:
    """Who may write to the queue may not write what they like into the log."""
    forged = sent_for("qry_1", request_id='req_1", "kind": "x', traceparent="00-zz")
    handler_of(lambda *_: None)(batch(forged), None)
    (line,) = lines.named("delivery")
    assert not {"request_id", "trace_id"} & line.keys()
    assert line["kind"] == "request"


@pytest.mark.parametrize(("told", "is_paid"), [({"paid": "yes"}, True), ({"paid": "no"}, False), ({}, False)])
def test_a_message_says_whether_a_provider_was_paid_for_it(told: dict[str, str], is_paid: bool) -> None:
    taken: list[Any] = []
    handler_of(lambda delivery, _: taken.append(delivery.is_paid))(batch(sent_for("qry_1", **told)), None)
    assert taken == [is_paid]


def test_how_long_a_message_has_waited_is_measured_once(lines: Lines) -> None:
    ago_ms = int(time.time() * 1000) - 90_000
    handler = handler_of(lambda *_: None)
    for count in (1, 2):
        handler(batch(sent_for("qry_1", at_ms=ago_ms, count=count)), None)
    first, again = lines.named("delivery")
    assert first["QueueMs"] == pytest.approx(90_000, abs=5000)
    assert {metric["Name"] for each in first["_aws"]["CloudWatchMetrics"] for metric in each["Metrics"]} == {
        "QueueMs",
        "ColdStarts",
    }
    assert "QueueMs" not in again
    assert "_aws" not in again


def test_one_message_is_not_told_of_the_others_request(lines: Lines) -> None:
    handler_of(lambda *_: None)(
        batch(sent_for("qry_1", request_id="req_01M8NBTCARFDA6Y0WVMH14GQ76"), sent_for("qry_2")), None
    )
    assert [line.get("request_id") for line in lines.named("delivery")] == ["req_01M8NBTCARFDA6Y0WVMH14GQ76", None]
    assert CURRENT.get().told() == {}
