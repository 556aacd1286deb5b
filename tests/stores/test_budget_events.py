"""Budget events: they arrive on the bus as they are documented, and an answer never waits for or breaks on one that does not."""

import json
import logging
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from llm_gateway.domain.budget_news import BudgetReached
from llm_gateway.stores.budget_events import EventBridgeBudgetEvents
from llm_gateway.stores.connection import Aws
from llm_gateway.stores.event_bus import EventBus

from tests.adapters.aws import connect
from tests.adapters.journal import RecordingJournal

NEWS = BudgetReached(
    key_id="key_1",
    percent=80,
    period="2026-11",
    amount_usd=Decimal("25.00"),
    spent_usd=Decimal("20.0001"),
    resets_at=datetime(2026, 12, 1, tzinfo=UTC),
)
DETAIL = {
    "key_id": "key_1",
    "percent": 80,
    "period": "2026-11",
    "amount_usd": "25",
    "spent_usd": "20.0001",
    "resets_at": "2026-12-01T00:00:00Z",
}


def listening(aws: Aws) -> str:
    """A queue that gets what comes on the bus `gateway`."""
    aws.events.create_event_bus(Name="gateway")
    url = aws.sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["llm-gateway"], "detail-type": ["Budget reached"]})
    aws.events.put_rule(Name="budgets", EventBusName="gateway", EventPattern=pattern)
    aws.events.put_targets(Rule="budgets", EventBusName="gateway", Targets=[{"Id": "1", "Arn": arn}])
    return url


def test_an_event_arrives(emulator: str, caplog: pytest.LogCaptureFixture) -> None:
    aws = connect(emulator)
    url = listening(aws)
    EventBridgeBudgetEvents(EventBus(aws=aws, bus="gateway"), RecordingJournal()).reached(NEWS)
    (message,) = aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    event = json.loads(message["Body"])
    assert (event["source"], event["detail-type"]) == ("llm-gateway", "Budget reached")
    assert event["detail"] == DETAIL
    (told,) = [record for record in caplog.records if record.name.startswith("llm_gateway")]
    assert told.getMessage() == f"Budget reached: {json.dumps(DETAIL)}"
    # Who looks for errors in the log is not to find it.
    assert vars(told)["kind"] == "performance"


def test_without_a_bus_the_log_is_told(aws: Aws, caplog: pytest.LogCaptureFixture) -> None:
    EventBridgeBudgetEvents(EventBus(aws=aws, bus=""), RecordingJournal()).reached(NEWS)
    assert "key_1" in caplog.text


class Refusing:
    """An AWS whose bus takes nothing, or is away."""

    def __init__(self, *, away: bool) -> None:
        self.events = self
        self._away = away

    def put_events(self, **_: object) -> dict[str, object]:
        if self._away:
            raise ConnectionError("away")
        return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}


@pytest.mark.parametrize("away", [True, False])
def test_a_bus_that_does_not_take_it_is_logged(away: bool, caplog: pytest.LogCaptureFixture) -> None:
    aws: object = Refusing(away=away)
    with caplog.at_level(logging.WARNING):
        EventBridgeBudgetEvents(EventBus(aws=aws, bus="gateway"), RecordingJournal()).reached(NEWS)  # type: ignore[arg-type]
    assert ("cannot be reached" if away else "ThrottlingException") in caplog.text
