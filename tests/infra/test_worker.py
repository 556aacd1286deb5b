"""Queues and what they feed, and what runs by the clock."""

import json
import re

import pytest
from llm_gateway.endpoints import SCHEDULES, WORKERS

from tests.infra.deployments import deployed


def queues():
    found = deployed().data.of_type("AWS::SQS::Queue")
    return {id_[:-8]: queue["Properties"] for id_, queue in found.items()}


def test_a_message_stays_hidden_until_its_worker_has_ended_and_not_for_hours():
    """Lambda wants the function's timeout at least. A worker that cannot even start costs each try all of it."""
    longest_s = max(row.timeout_s for row in WORKERS)
    for queue in queues().values():
        assert longest_s <= queue["VisibilityTimeout"] <= 1800


def test_nothing_that_waits_is_lost_while_its_worker_is_away():
    for queue in queues().values():
        assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600


def test_what_fails_again_and_again_is_kept_aside():
    for name in ("NormalQueue", "HighQueue"):
        policy = queues()[name]["RedrivePolicy"]
        assert policy["maxReceiveCount"] == 5
        assert policy["deadLetterTargetArn"]["Fn::GetAtt"][0].startswith("DeadLetterQueue")


def test_the_urgent_queue_feeds_the_worker_first_and_dead_letters_are_told_of():
    assert [(name, worker) for name, worker, _ in sources()] == [
        ("HighQueue", "process_query"),
        ("NormalQueue", "process_query"),
        ("DeadLetterQueue", "bury_query"),
    ]


def test_one_failure_spoils_no_batch_and_workers_are_bounded():
    rows = {row.name: row for row in WORKERS}
    for _, worker, source in sources():
        row = rows[worker]
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert source["BatchSize"] == row.batch_size
        assert source.get("ScalingConfig", {}).get("MaximumConcurrency") == row.max_concurrency


def test_both_queues_together_run_twenty_queries_at_once():
    """Each mapping has its own bound."""
    bounds = [
        source["ScalingConfig"]["MaximumConcurrency"] for _, worker, source in sources() if worker == "process_query"
    ]
    assert bounds == [10, 10]


def test_what_runs_by_the_clock_runs_once_at_a_time():
    template = deployed().worker
    found = {}
    for rule in template.properties("AWS::Events::Rule"):
        (target,) = rule["Targets"]
        function = template.of_type("AWS::Lambda::Function")[target["Arn"]["Fn::GetAtt"][0]]
        found[function["Properties"]["FunctionName"]] = rule["ScheduleExpression"]
        assert target["RetryPolicy"]["MaximumRetryAttempts"] == 0
    assert found == {
        "llm-gateway-dev-append_denials": "rate(1 minute)",
        "llm-gateway-dev-judge_canaries": "rate(1 minute)",
        "llm-gateway-dev-roll_up_usage": "rate(5 minutes)",
        "llm-gateway-dev-keep_audit": "rate(1 hour)",
    }


@pytest.mark.parametrize(("stage", "started"), [("dev", {"$LATEST"}), ("prod", {"$LATEST", "live"})])
def test_nor_does_lambda_try_again_what_the_clock_started(stage, started):
    """EventBridge is content when Lambda has taken an event. Lambda then keeps it, and by default tries it twice more."""
    template = deployed(stage=stage).worker
    rows = {f"llm-gateway-{stage}-{row.name}": row for row in SCHEDULES}
    kept = template.properties("AWS::Lambda::EventInvokeConfig")
    found = set()
    for config in kept:
        function = template.of_type("AWS::Lambda::Function")[config["FunctionName"]["Ref"]]["Properties"]
        row = rows[function["FunctionName"]]
        assert config["MaximumRetryAttempts"] == 0
        assert config["MaximumEventAgeInSeconds"] == 60 * row.every_min
        found.add((row.name, qualifier(config)))
    assert found == {(row.name, name) for row in SCHEDULES for name in started}
    for rule in template.properties("AWS::Events::Rule"):
        assert ("Live" in json.dumps(rule["Targets"])) == ("live" in started)


def qualifier(config):
    """Of an alias the name, which its resource gives by its ARN."""
    text = json.dumps(config["Qualifier"])
    return "live" if "Live" in text or "live" in text else json.loads(text)


def sources():
    """Each queue with the worker that it feeds, and how."""
    template = deployed().worker
    for source in template.properties("AWS::Lambda::EventSourceMapping"):
        function = template.of_type("AWS::Lambda::Function")[source["FunctionName"]["Ref"]]
        name = function["Properties"]["FunctionName"].removeprefix("llm-gateway-dev-")
        yield re.search(r"GetAtt(\w+Queue)", str(source["EventSourceArn"]))[1], name, source
