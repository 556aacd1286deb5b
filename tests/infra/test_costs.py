"""What `make cost` reckons with while nobody asks is what the templates have."""

import json
from dataclasses import fields
from typing import Any

from aws_cdk import App
from llm_gateway.endpoints import ROWS

from infra.deployment import Deployment
from infra.functions import asks_for_callers, is_snapshotted
from operations.cost import READY, RELEASE_ALARMS, SNAPSHOTTED, Idle
from tests.infra.deployments import ROOT, deployed


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


def test_in_production_each_functions_releases_have_alarms_of_their_own() -> None:
    def alarms(**settings: str) -> int:
        stacks = deployed(**settings)
        return sum(metrics_of(each) for stack in stacks for each in stack.properties("AWS::CloudWatch::Alarm"))

    assert alarms(stage="prod") - alarms() == RELEASE_ALARMS * len(ROWS)


def test_what_is_kept_ready_is_what_asks_for_a_caller() -> None:
    assert {row.name for row in ROWS if asks_for_callers(row)} == set(READY)
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    deployment = Deployment.from_context(App(context={**context, "snapStart": "on"}).node)
    assert {row.name for row in ROWS if is_snapshotted(deployment, row)} == set(SNAPSHOTTED)
