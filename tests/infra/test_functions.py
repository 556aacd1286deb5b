"""The Lambdas: sized by the table, small, logged for a bounded time, and replaced step by step in production."""

import http.client
import io
import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
from aws_cdk import App
from llm_gateway.access import Resource
from llm_gateway.endpoints import ENDPOINTS, ROWS, endpoint
from llm_gateway.entrypoints import observe

from infra.deployment import Deployment
from infra.functions import WEB_ADAPTER_RELEASE, files, is_snapshotted, keeps_versions
from tests.infra.deployments import FEW, ROOT, STACKS, UNUSUAL, deployed, few

PACKAGE = ROOT / "layers" / "gateway" / "python"
STREAMING = [row for row in ENDPOINTS if row.streams]
WITH_FUNCTIONS = sorted(set(STACKS.values()))


def function(row, **settings):
    return deployed(**settings).functions()[row.name]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_size_and_handler_come_from_the_row(row):
    properties = function(row)
    assert properties["MemorySize"] == row.memory_mb
    assert properties["Timeout"] == row.timeout_s
    assert properties["Handler"] == ("run.sh" if row in STREAMING else f"{row.name}.handler")
    assert properties["Runtime"] == "python3.13"
    assert properties["Architectures"] == ["arm64"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_only_functions_that_count_tokens_carry_tokenizers(row):
    layers = [layer["Ref"] for layer in function(row, **UNUSUAL)["Layers"]]
    counts = Resource.CREDENTIALS in row.reads or row.name in {"plan_query", "render_prompt"}
    expected = ["Dependencies", "Gateway", "Tokenizers"] if counts else ["Dependencies", "Gateway"]
    assert [layer.removeprefix("FunctionsLayers")[:-8] for layer in layers] == expected


def test_context_chooses_processor_and_python():
    for stack in WITH_FUNCTIONS:
        template = deployed(**UNUSUAL).templates[stack]
        for properties in template.functions().values():
            assert (properties["Architectures"], properties["Runtime"]) == (["x86_64"], "python3.12")
        for layer in template.properties("AWS::Lambda::LayerVersion"):
            assert layer["CompatibleArchitectures"] == ["x86_64"]
            assert layer["CompatibleRuntimes"] == ["python3.12"]


def test_every_log_ends():
    for template in deployed(**UNUSUAL):
        assert {log["RetentionInDays"] for log in template.properties("AWS::Logs::LogGroup")} <= {7}
    for row in ROWS:
        log = deployed().having(row.name).of_type("AWS::Logs::LogGroup")
        assert function(row)["LoggingConfig"]["LogGroup"]["Ref"] in log


def test_concurrency_is_reserved_where_one_waits_and_nowhere_else():
    reserved = {
        name: properties.get("ReservedConcurrentExecutions")
        for name, properties in deployed(**UNUSUAL).functions().items()
    }
    waiting = {"get_query_status", "get_query_result", "resume_query_stream"}
    assert {name for name, number in reserved.items() if number == 20} == waiting
    assert {number for name, number in reserved.items() if name not in waiting} == {None}
    assert not any("ReservedConcurrentExecutions" in properties for properties in deployed().functions().values())


def test_tracing_is_off_unless_it_is_asked_for():
    row = ROWS[0]
    assert "TracingConfig" not in function(row)
    assert function(row, tracing="on")["TracingConfig"] == {"Mode": "Active"}


@pytest.mark.parametrize("row", STREAMING)
def test_a_streaming_function_runs_behind_the_web_adapter(row):
    properties = function(row)
    assert properties["Environment"]["Variables"]["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/bootstrap"
    assert properties["Environment"]["Variables"]["AWS_LWA_INVOKE_MODE"] == "response_stream"
    assert ":layer:LambdaAdapterLayerArm64:" in str(properties["Layers"][-1])


def test_the_image_has_the_same_release_of_the_adapter():
    dockerfile = (ROOT / "container-local-model" / "Dockerfile").read_text()
    assert re.findall(r"^ARG LAMBDA_ADAPTER_VERSION=(.*)$", dockerfile, re.MULTILINE) == [WEB_ADAPTER_RELEASE]


@pytest.mark.parametrize("row", STREAMING)
def test_the_same_function_is_a_plain_handler_where_nothing_streams(row):
    properties = function(row, streaming="buffered")
    assert properties["Handler"] == f"{row.name}.handler"
    assert "AWS_LAMBDA_EXEC_WRAPPER" not in properties["Environment"]["Variables"]


@pytest.mark.parametrize("stack", WITH_FUNCTIONS)
def test_in_production_new_code_gets_a_tenth_of_the_calls_first(stack):
    template = deployed(stage="prod").templates[stack]
    aliases = template.of_type("AWS::Lambda::Alias")
    assert len(aliases) == len(template.functions())
    groups = template.of_type("AWS::CodeDeploy::DeploymentGroup")
    alarms = template.of_type("AWS::CloudWatch::Alarm")
    for alias in aliases.values():
        group = groups[alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"]]["Properties"]
        assert group["DeploymentConfigName"] == "CodeDeployDefault.LambdaCanary10Percent5Minutes"
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        watched = [alarms[alarm["Name"]["Ref"]]["Properties"] for alarm in group["AlarmConfiguration"]["Alarms"]]
        version = alias["Properties"]["FunctionVersion"]
        name = alias["Properties"]["FunctionName"]
        assert [alarm["MetricName"] for alarm in watched] == ["Errors", "ServerErrors"]
        for alarm in watched:
            dimensions = {each["Name"]: each["Value"] for each in alarm["Dimensions"]}
            # Of the version that comes alone: what the old one does must not hold up the one that mends it.
            assert dimensions.get("ExecutedVersion", dimensions.get("version")) == version
            assert alarm["TreatMissingData"] == "notBreaching"
        assert {each["Name"]: each["Value"] for each in watched[0]["Dimensions"]}["FunctionName"] == name


@pytest.mark.parametrize("stack", WITH_FUNCTIONS)
def test_a_new_version_is_taken_back_for_what_it_answers_too(stack):
    """Its metric is in the line that the function itself writes of what nobody foresaw."""
    template = deployed(stage="prod").templates[stack]
    for row in template.functions():
        id_, version_id = alarm_of(template, row)
        line = line_of_something_unforeseen(f"llm-gateway-prod-{row}", version="7")
        alarm = template.body["Resources"][id_]["Properties"]
        dimensions = [(each["Name"], each["Value"]) for each in alarm["Dimensions"]]
        known = [
            (name, "7" if value == {"Fn::GetAtt": [version_id, "Version"]} else value) for name, value in dimensions
        ]
        assert rings(alarm, known, [line])
        assert not rings(alarm, known, [line_of_something_unforeseen(f"llm-gateway-prod-{row}", version="6")])
        assert not rings(alarm, known, [])


@pytest.mark.parametrize("stack", WITH_FUNCTIONS)
def test_in_production_the_versions_before_stay_so_that_an_alias_can_go_back(stack):
    template = deployed(stage="prod").templates[stack]
    versions = template.of_type("AWS::Lambda::Version").values()
    assert len(versions) == len(template.functions())
    policies = {(version["DeletionPolicy"], version["UpdateReplacePolicy"]) for version in versions}
    assert policies == {("RetainExceptOnCreate", "Retain")}


def test_a_version_with_a_snapshot_which_is_paid_for_does_not_stay():
    context = json.loads((ROOT / "cdk.json").read_text())["context"] | {"stage": "prod", "snapStart": "on"}
    deployment = Deployment.from_context(App(context=context).node)
    assert {row.name for row in ROWS if not keeps_versions(deployment, row)} == {"run_query"}


def test_without_a_rollout_cloudformation_points_the_aliases_at_the_new_versions_itself():
    """CodeDeploy refuses an alias that somebody has pointed back by hand; CloudFormation takes it from wherever it points."""
    usual, at_once = (few(stage="prod", **settings).templates for settings in ({}, {"rollout": "off"}))
    assert any(template.of_type("AWS::CodeDeploy::DeploymentGroup") for template in usual.values())
    for name, template in at_once.items():
        assert not [resource for resource in template.body["Resources"].values() if "CodeDeploy" in resource["Type"]]
        aliases = template.of_type("AWS::Lambda::Alias")
        assert aliases.keys() == usual[name].of_type("AWS::Lambda::Alias").keys()
        assert len(aliases) == len(template.functions())
        assert not any("UpdatePolicy" in alias for alias in aliases.values())


@pytest.mark.parametrize("changed", [{"waf": "on"}, {"rollout": "off"}], ids=str)
def test_a_version_is_published_only_of_a_function_that_changed(changed):
    """Lambda publishes no second version of the same, and CloudFormation would roll back the stack that asks for one."""
    before, after = (few(stage="prod", **settings).templates for settings in ({}, changed))
    for name, template in after.items():
        assert template.functions() == before[name].functions()
        assert template.of_type("AWS::Lambda::Version") == before[name].of_type("AWS::Lambda::Version"), name


def alarm_of(template, row):
    """The ids of the row's alarm on what it answers, and of its version."""
    place = f"Functions{row.replace('_', '')}"
    (id_,) = [
        id_
        for id_ in template.of_type("AWS::CloudWatch::Alarm")
        if re.fullmatch(f"{place}ServerErrors[0-9A-F]{{8}}", id_)
    ]
    (version_id,) = [
        id_ for id_ in template.of_type("AWS::Lambda::Version") if id_.startswith(f"{place}FunctionCurrentVersion")
    ]
    return id_, version_id


def line_of_something_unforeseen(function_name, *, version):
    """The line that a Lambda writes, as CloudWatch gets it."""
    written = io.StringIO()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_LAMBDA_FUNCTION_NAME", function_name)
        environment.setenv("AWS_LAMBDA_FUNCTION_VERSION", version)
        environment.setattr(observe.logger().handlers[0], "stream", written)
        observe.log_unexpected(RuntimeError())
    return json.loads(written.getvalue())


def rings(alarm, dimensions, lines):
    """Whether CloudWatch would ring `alarm`, by its arithmetic, where a function writes `lines` within one period."""
    values = []
    for line, directive in [(each, told) for each in lines for told in each["_aws"]["CloudWatchMetrics"]]:
        (names,) = directive["Dimensions"]
        same = directive["Namespace"] == alarm["Namespace"] and [(name, line[name]) for name in names] == dimensions
        if same and alarm["MetricName"] in {metric["Name"] for metric in directive["Metrics"]}:
            values.append(line[alarm["MetricName"]])
    assert (alarm["Statistic"], alarm["EvaluationPeriods"]) == ("Sum", 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    return bool(values) and sum(values) >= alarm["Threshold"]


def test_in_production_queues_feed_the_alias():
    for source in deployed(stage="prod").worker.properties("AWS::Lambda::EventSourceMapping"):
        assert ":live" in str(source["FunctionName"]) or "Live" in str(source["FunctionName"])


def test_elsewhere_new_code_is_there_at_once():
    for template in deployed():
        assert not template.of_type("AWS::Lambda::Alias")
        assert not template.of_type("AWS::CodeDeploy::DeploymentGroup")


ASKING = {"run_query", "stream_query", "create_chat_completion", "create_response", "create_embeddings"}


def aliases(deployment):
    """The functions that are called by their alias, by name, and what each alias is."""
    found = {}
    for template in deployment:
        for alias in template.properties("AWS::Lambda::Alias"):
            function = template.body["Resources"][alias["FunctionName"]["Ref"]]["Properties"]
            found[function["FunctionName"].rpartition("-")[2]] = function, alias
    return found


def test_functions_that_ask_for_a_caller_start_from_a_snapshot_where_that_is_wanted():
    """Not those that stream: the web adapter starts them, which knows nothing of snapshots."""
    deployment = few(snapStart="on")
    found = aliases(deployment)
    assert found.keys() == {"run_query"}
    function, alias = found["run_query"]
    assert function["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert "ProvisionedConcurrencyConfig" not in alias
    assert [name for template in deployment for name, one in template.functions().items() if "SnapStart" in one] == [
        "run_query"
    ]


def test_where_nothing_streams_all_of_them_do():
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = App(context={**context, "snapStart": "on", "streaming": "buffered"})
    buffered = Deployment.from_context(app.node)
    assert {row.name for row in ROWS if is_snapshotted(buffered, row)} == ASKING | {"create_message"}


def test_so_many_of_each_function_that_asks_for_a_caller_are_kept_ready():
    found = aliases(few(provisionedConcurrency="2"))
    assert found.keys() == ASKING
    for function, alias in found.values():
        assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": 2}
        assert "SnapStart" not in function


def test_in_production_they_are_kept_ready_behind_the_alias_that_is_there():
    deployment = few(stage="prod", provisionedConcurrency="2")
    ready = {name for name, (_, alias) in aliases(deployment).items() if "ProvisionedConcurrencyConfig" in alias}
    assert ready == ASKING


@pytest.mark.parametrize("settings", [{"snapStart": "on"}, {"provisionedConcurrency": "2"}], ids=str)
def test_the_api_calls_what_is_kept_ready(settings):
    deployment = few(**settings)
    called = json.dumps(deployment.api.body)
    for name in {row for rows in FEW.values() for row in (one.name for one in rows)}:
        is_ready = name in aliases(deployment)
        assert (f":function:llm-gateway-dev-{name}:live" in called) == is_ready


def test_a_function_carries_its_one_file():
    directory = files(endpoint("get_health"), streams=False)
    assert [path.name for path in directory.iterdir()] == ["get_health.py"]
    assert (directory / "get_health.py").read_bytes() == (ROOT / "functions" / "get_health.py").read_bytes()


def test_a_streaming_function_carries_its_start_too():
    directory = files(endpoint("get_health"), streams=True)
    assert {path.name for path in directory.iterdir()} == {"get_health.py", "run.sh"}
    assert os.access(directory / "run.sh", os.X_OK)
    assert "uvicorn get_health:app" in (directory / "run.sh").read_text()


@pytest.mark.parametrize("row", STREAMING, ids=lambda row: row.name)
def test_its_start_serves_the_endpoint(row):
    directory = files(row, streams=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # Nothing may be written beside the function: what is there is what would be uploaded.
    here = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{PACKAGE}:{ROOT}",
    }
    server = subprocess.Popen(
        [directory / "run.sh"], cwd=directory, env={**here, "LAMBDA_TASK_ROOT": str(directory), "PORT": str(port)}
    )
    try:
        status = ask(port, row.method, row.path.replace("{query_id}", "qry_1"))
    finally:
        server.terminate()
        server.wait(timeout=10)
    # No key was sent; that the endpoint says so is proof that it is this one, with its guard.
    assert status == 401


def ask(port, method, path):
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        with suppress(ConnectionRefusedError), closing(connection):
            connection.request(method, path)
            return connection.getresponse().status
        time.sleep(0.1)
    raise AssertionError("nothing listens")


def test_functions_are_told_where_traces_go_and_public_ones_are_told_nothing():
    public_ones = {row.name for row in ENDPOINTS if row.permission is None}
    for name, properties in deployed(**UNUSUAL).functions().items():
        told = properties.get("Environment", {}).get("Variables", {})
        where = {variable: value for variable, value in told.items() if variable.startswith("OTLP_")}
        wanted = {"OTLP_ENDPOINT": UNUSUAL["otlpEndpoint"], "OTLP_CONTENT": "off"}
        assert where == ({} if name in public_ones else wanted), name
    for properties in deployed().functions().values():
        assert "OTLP_ENDPOINT" not in properties.get("Environment", {}).get("Variables", {})
