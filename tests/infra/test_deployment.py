"""Settings from the context."""

import json
import os
import subprocess
import sys

import pytest
from aws_cdk import App

from infra.deployment import Deployment
from tests.infra.deployments import ROOT

SETTINGS = json.loads((ROOT / "cdk.json").read_text())["context"]


def read(**changes):
    return Deployment.from_context(App(context={**SETTINGS, **changes}).node)


def test_names_begin_with_name_and_stage():
    assert read(name="llm", stage="staging").prefix == "llm-staging"
    assert read(name="llm-2-of-" + "a" * 15).name


def test_figures_may_be_words_as_the_command_line_gives_them():
    assert read(retentionDays="90").retention_days == 90


def test_usage_is_kept_for_a_year_and_a_month_or_as_long_as_is_wanted():
    assert read().usage_retention_days == 400
    assert read(usageRetentionDays="30").usage_retention_days == 30


def test_the_audit_log_is_kept_for_ever_or_for_a_month_at_least():
    assert read().audit_retention_days is None
    assert read(auditRetentionDays="30").audit_retention_days == 30


def test_new_code_takes_over_step_by_step_in_production_unless_it_is_not_to():
    assert read(stage="prod").shifts_calls
    assert not read(stage="prod", rollout="off").shifts_calls
    assert not read().shifts_calls


def test_nothing_is_reserved_for_waiting_unless_it_is_asked_for():
    assert read().waiting_concurrency is None
    assert read(waitingConcurrency="20").waiting_concurrency == 20


def test_nothing_is_kept_ready_unless_it_is_asked_for():
    assert (read().snap_start, read().provisioned_concurrency) == (False, None)
    assert read(snapStart="on").snap_start
    assert read(provisionedConcurrency="2").provisioned_concurrency == 2


def test_a_function_is_kept_ready_in_one_way():
    with pytest.raises(ValueError, match=r"provisionedConcurrency must be 'off' where snapStart is on"):
        read(snapStart="on", provisionedConcurrency="2")


@pytest.mark.parametrize(("python", "takes"), [("3.11", False), ("3.12", True), ("3.13", True), ("3.20", True)])
def test_a_snapshot_needs_a_python_that_has_it(python, takes):
    assert read(python=python).runtime.supports_snap_start is takes
    if takes:
        assert read(python=python, snapStart="on").snap_start
    else:
        with pytest.raises(ValueError, match=r"snapStart=on takes python=3\.12 or newer, not 3\.11"):
            read(python=python, snapStart="on")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", ""),
        ("name", "My gateway"),
        ("name", "Gateway"),
        ("name", "2nd"),
        ("name", "gate-"),
        ("name", "gate--way"),
        ("name", "gate_way"),
        ("name", "a" * 25),
        ("stage", "production"),
        ("architecture", "amd64"),
        ("streaming", "on"),
        ("localModel", "yes"),
        ("waf", "true"),
        ("corsOrigins", "*"),
        ("corsOrigins", "https://app.example.com/"),
        ("retentionDays", "0"),
        ("retentionDays", "-1"),
        ("leaseSeconds", "0"),
        ("leaseSeconds", "901"),
        ("leaseSeconds", "1.5"),
        ("keepAliveSeconds", "16"),
        ("rollout", "canary"),
        ("waitingConcurrency", "0"),
        ("waitingConcurrency", "on"),
        ("snapStart", "yes"),
        ("provisionedConcurrency", "0"),
        ("provisionedConcurrency", "1.5"),
        ("provisionedConcurrency", "on"),
        ("logRetentionDays", "31"),
        ("auditLock", "yes"),
        ("auditLockMode", "strict"),
        ("auditLockDays", "0"),
        ("usageRetentionDays", "0"),
        ("auditRetentionDays", "29"),
        ("auditRetentionDays", "always"),
        ("otlpEndpoint", "collector:4318"),
        ("otlpEndpoint", "https://user:secret@collector.example.com"),
        ("otlpContent", "yes"),
    ],
)
def test_a_value_that_a_setting_does_not_have_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        read(**{name: value})


def test_a_setting_that_is_missing_is_named():
    context = {name: value for name, value in SETTINGS.items() if name != "python"}
    with pytest.raises(ValueError, match="'python'"):
        Deployment.from_context(App(context=context).node)


def test_every_setting_of_the_file_is_read():
    class Asked:
        """A context that notes what is asked of it."""

        def __init__(self):
            self.names = set()

        def try_get_context(self, name):
            self.names.add(name)
            return SETTINGS[name]

    asked = Asked()
    Deployment.from_context(asked)
    assert asked.names == {name for name in SETTINGS if not name.startswith("@")}


def test_the_app_says_what_is_wrong_in_a_sentence():
    environment = {**os.environ, "CDK_CONTEXT_JSON": json.dumps({**SETTINGS, "stage": "production"})}
    command = [sys.executable, "app.py"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr == "stage must be one of dev, staging, prod, not 'production'.\n"
