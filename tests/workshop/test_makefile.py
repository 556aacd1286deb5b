"""The verbs are few, and each says what it does."""

import re
import subprocess

from llm_gateway.endpoints import AREAS, SCHEDULES, WORKERS

from workshop.places import ROOT

VERBS = {
    *("run", "test", "test-localstack", "image-test", "check", "audit", "docs", "fix", "openapi", "lock", "help"),
    *("synth", "deploy", "diff", "deploy-local", "smoke", "cost", "bench", "load", "profile"),
}


def make(*arguments: str) -> "subprocess.CompletedProcess[str]":
    # Below another make, which tells that it goes into a folder, it says no more than by itself.
    return subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_help_lists_every_verb() -> None:
    listed = dict(re.findall(r"^  (\S+) +(\S.*)$", make("help").stdout, flags=re.MULTILINE))
    assert set(listed) == VERBS
    assert all(listed.values())


def test_a_deployment_is_shown_before_it_is_made_and_its_stacks_come_side_by_side() -> None:
    shown = make("--dry-run", "diff", "ARGS=-c stage=prod").stdout.splitlines()[-1]
    # By templates, with the role that may read: a change set would take the one that deploys.
    assert shown.endswith("cdk diff --method template -c stage=prod")
    made = make("--dry-run", "deploy", "ARGS=-c stage=prod").stdout.splitlines()[-1]
    at_once = re.fullmatch(r".*cdk deploy --all --require-approval never --concurrency (\d+) -c stage=prod", made)
    assert at_once is not None
    # Each waits for five minutes until its new code has all calls: one after the other takes an hour.
    assert int(at_once[1]) > 1
    # Lambda takes fifteen calls a second of an account, and a rollout is several.
    most = sorted((len(rows) for rows in (*AREAS.values(), (*WORKERS, *SCHEDULES))), reverse=True)[: int(at_once[1])]
    assert sum(most) < 40


def test_an_old_python_is_refused_with_the_version_that_is_needed() -> None:
    refused = make("check", "PYTHON=")
    assert refused.returncode != 0
    assert "Python 3.11 or newer is needed" in refused.stderr


def test_ci_runs_the_verbs_that_developers_type() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    verbs = re.findall(r"^ *make (\S+)$", script, flags=re.MULTILINE)
    assert verbs == ["check", "test", "test-localstack", "image-test"]
    assert "set -euo pipefail" in script
    # What is left out is said.
    assert script.count("SKIPPED: make ") == len(verbs) - 2
