"""Canaries' events arrive on the bus as they are documented."""

import json
from datetime import UTC, datetime

from llm_gateway.domain.prompts.canary_news import CanaryNews
from llm_gateway.stores.canary_events import EventBridgeCanaryEvents
from llm_gateway.stores.event_bus import EventBus

from tests.adapters.aws import connect

NEWS = CanaryNews(
    prompt_id="answer",
    label="production",
    version=4,
    heaviest=3,
    reason="its error rate is 75.0% of 80 queries, above max_error_rate 0.05",
    at=datetime(2026, 11, 29, 19, 41, 31, 123456, tzinfo=UTC),
)


def test_an_event_arrives(emulator: str) -> None:
    aws = connect(emulator)
    aws.events.create_event_bus(Name="canaries")
    url = aws.sqs.create_queue(QueueName="rolled-back")["QueueUrl"]
    arn = aws.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = json.dumps({"source": ["llm-gateway"], "detail-type": ["Canary rolled back"]})
    aws.events.put_rule(Name="canaries", EventBusName="canaries", EventPattern=pattern)
    aws.events.put_targets(Rule="canaries", EventBusName="canaries", Targets=[{"Id": "1", "Arn": arn}])
    EventBridgeCanaryEvents(EventBus(aws=aws, bus="canaries")).rolled_back(NEWS)
    (message,) = aws.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert json.loads(message["Body"])["detail"] == {
        "prompt_id": "answer",
        "label": "production",
        "version": 4,
        "heaviest": 3,
        "reason": NEWS.reason,
        "at": "2026-11-29T19:41:31.123Z",
    }
