"""Alarms and the dashboard."""

import io
import json

import pytest
from llm_gateway.endpoints import SCHEDULES, WORKERS
from llm_gateway.entrypoints import observe
from llm_gateway.entrypoints.sqs import QueueHandler

from infra.monitoring import NOBODY_IS_TOLD
from infra.saved_queries import SAVED
from tests.adapters.gateway import FakeGateway
from tests.entrypoints.test_sqs import batch, record
from tests.infra.deployments import HEAVIEST, UNUSUAL, deployed
from tests.infra.test_functions import rings


def test_what_a_caller_would_notice_rings():
    names = {
        *("ServerErrors", "Throttles", "FunctionErrors", "QueriesWait", "UrgentQueriesWait", "DeadLetters"),
        *("CircuitsOpened", "UnpricedCalls", "CanariesRolledBack", "BudgetRefusals", "Denials"),
        *(row.name for row in (*WORKERS, *SCHEDULES)),
        *(f"{row.name}-unforeseen" for row in WORKERS),
    }
    burns = {f"{promise}Burns{speed}" for promise in ("Availability", "Overhead") for speed in ("Fast", "Slow")}
    alarms = deployed().monitoring.properties("AWS::CloudWatch::Alarm")
    composites = deployed().monitoring.properties("AWS::CloudWatch::CompositeAlarm")
    telling = [alarm for alarm in (*alarms, *composites) if alarm.get("AlarmActions")]
    told = {alarm["AlarmName"] for alarm in telling}
    assert told == {f"llm-gateway-dev-{name}" for name in names | burns}
    assert {alarm["TreatMissingData"] for alarm in alarms} == {"notBreaching"}


def test_emulators_are_asked_for_nothing_that_they_lack():
    """They know no metric math, which a label or an expression needs, no composites, and no saved queries."""
    monitoring = deployed(**UNUSUAL).monitoring
    for alarm in monitoring.properties("AWS::CloudWatch::Alarm"):
        assert "Metrics" not in alarm
    for type_ in ("CloudWatch::Dashboard", "CloudWatch::CompositeAlarm", "Logs::QueryDefinition"):
        assert not monitoring.of_type(f"AWS::{type_}")


def test_questions_to_the_log_are_saved():
    saved = {each["Name"]: each for each in deployed().monitoring.properties("AWS::Logs::QueryDefinition")}
    assert {name.partition("/")[0] for name in saved} == {"llm-gateway-dev"}
    assert len(saved) == len(SAVED)
    for query in saved.values():
        # What another stack imports could not be removed.
        assert "LogGroupNames" not in query
        assert "{" not in query["QueryString"]


def test_a_function_that_lambda_cannot_run_rings():
    """API Gateway's own count of what failed would not tell a throttled function from a broken one."""
    alarms = {alarm["AlarmName"]: alarm for alarm in deployed().monitoring.properties("AWS::CloudWatch::Alarm")}
    for name, metric in (("Throttles", "Throttles"), ("FunctionErrors", "Errors")):
        alarm = alarms[f"llm-gateway-dev-{name}"]
        assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Lambda", metric, "Sum")
        # By none: CloudWatch then has the sum over all functions.
        assert "Dimensions" not in alarm


def broken(*_):
    raise RuntimeError


@pytest.mark.parametrize("row", WORKERS, ids=lambda row: row.name)
def test_a_message_that_meets_what_nobody_foresaw_rings(row, monkeypatch):
    """The worker reports it to the queue and raises nothing: Lambda's own count of errors does not see it."""
    function = f"llm-gateway-dev-{row.name}"
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", function)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
    monkeypatch.setattr(observe.logger().handlers[0], "stream", written := io.StringIO())
    handler = QueueHandler(broken, gateway=FakeGateway)
    assert handler(batch(record("qry_1")), None)["batchItemFailures"]
    lines = [line for line in map(json.loads, written.getvalue().splitlines()) if "_aws" in line]
    alarms = {alarm["AlarmName"]: alarm for alarm in deployed().monitoring.properties("AWS::CloudWatch::Alarm")}
    assert rings(alarms[f"{function}-unforeseen"], [("function", function)], lines)
    other = next(each for each in WORKERS if each != row)
    assert not rings(alarms[f"llm-gateway-dev-{other.name}-unforeseen"], [("function", other.name)], lines)


@pytest.mark.parametrize("row", SCHEDULES, ids=lambda row: row.name)
def test_what_runs_by_the_clock_rings_before_it_has_failed_for_long(row):
    alarms = {alarm["AlarmName"]: alarm for alarm in deployed().monitoring.properties("AWS::CloudWatch::Alarm")}
    alarm = alarms[f"llm-gateway-dev-{row.name}"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": f"llm-gateway-dev-{row.name}"}]
    runs = max(1, 5 // row.every_min)
    assert alarm["Period"] == 300
    # If all of them fail it rings, and not for one of many.
    assert alarm["Threshold"] <= runs < 2 * alarm["Threshold"]


def test_one_slow_query_does_not_ring():
    """A message grows old while its worker works, and it may work as long as Lambda lets it, twice if its process died."""
    alarms = {alarm["AlarmName"]: alarm for alarm in deployed().monitoring.properties("AWS::CloudWatch::Alarm")}
    longest_s = max(row.timeout_s for row in WORKERS)
    for name in ("QueriesWait", "UrgentQueriesWait"):
        assert alarms[f"llm-gateway-dev-{name}"]["Threshold"] >= 2 * longest_s


def test_no_other_accounts_alarms_are_told_of():
    (policy,) = deployed().monitoring.properties("AWS::SNS::TopicPolicy")
    (publishing,) = (
        statement
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    )
    assert publishing["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_an_address_is_told_of_alarms_if_there_is_one():
    assert not deployed().monitoring.of_type("AWS::SNS::Subscription")
    (subscription,) = deployed(**UNUSUAL).monitoring.properties("AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "operator@example.com")


def test_production_without_an_address_is_warned_of():
    def warns(**settings):
        return any(NOBODY_IS_TOLD in file.read_text() for file in deployed(**settings).output.glob("*.json"))

    assert warns(stage="prod")
    assert not warns()
    assert not warns(**HEAVIEST)


def test_the_dashboard_can_be_left_out():
    assert len(deployed().monitoring.of_type("AWS::CloudWatch::Dashboard")) == 1
    assert not deployed(**UNUSUAL).monitoring.of_type("AWS::CloudWatch::Dashboard")


def test_what_a_budget_has_reached_goes_where_alarms_go():
    (rule,) = deployed().monitoring.properties("AWS::Events::Rule")
    assert rule["EventPattern"] == {"source": ["llm-gateway"], "detail-type": ["Budget reached"]}
    assert "llm-gateway-dev-data" in str(rule["EventBusName"])
    (target,) = rule["Targets"]
    (topic,) = deployed().monitoring.of_type("AWS::SNS::Topic")
    assert target["Arn"] == {"Ref": topic}
    assert "has spent <detail-percent> %" in target["InputTransformer"]["InputTemplate"]
    (policy,) = deployed().monitoring.properties("AWS::SNS::TopicPolicy")
    publishers = [
        statement["Principal"].get("Service")
        for statement in policy["PolicyDocument"]["Statement"]
        if "Service" in statement["Principal"]
    ]
    assert "events.amazonaws.com" in publishers
