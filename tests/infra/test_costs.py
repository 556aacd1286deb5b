"""What `make cost` reckons with while nobody asks is what the templates have."""

from dataclasses import fields
from typing import Any

from operations.cost import Idle
from tests.infra.deployments import deployed


def metrics_of(alarm: dict[str, Any]) -> int:
    """What an alarm is billed by: the metrics that it looks at, be it through arithmetic."""
    return sum("MetricStat" in query for query in alarm["Metrics"]) if "Metrics" in alarm else 1


def test_what_is_idle_is_what_the_templates_have() -> None:
    stacks = deployed()
    counted = {
        "keys": len(stacks.data.properties("AWS::KMS::Key")),
        # One for each provider comes to those of the template.
        "secrets": len(stacks.data.properties("AWS::SecretsManager::Secret")) + 1,
        "metrics_in_alarms": sum(map(metrics_of, stacks.monitoring.properties("AWS::CloudWatch::Alarm"))),
        "composite_alarms": len(stacks.monitoring.properties("AWS::CloudWatch::CompositeAlarm")),
        "dashboards": len(stacks.monitoring.properties("AWS::CloudWatch::Dashboard")),
    }
    assert counted == {field.name: getattr(Idle(), field.name) for field in fields(Idle)}
