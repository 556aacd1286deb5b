"""The pipeline runs the verbs of the Makefile, with actions that nobody can change, and production comes last, by approval."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from workshop.places import ROOT

WORKFLOWS = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}
# Beside these a workflow may have a job that is another workflow.
JOBS = [(name, id_, job) for name, flow in WORKFLOWS.items() for id_, job in flow["jobs"].items() if "uses" not in job]
# By commit, with the version for people.
PINNED = re.compile(r"uses: [\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
VERBS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
RELEASE = WORKFLOWS["release.yml"]["jobs"]
DEPLOYING = ("staging", "prod")
REACHING_AWS = (*DEPLOYING, "diff")


def runs(job: dict[str, Any]) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_every_action_is_pinned_by_its_commit(name: str) -> None:
    lines = (ROOT / ".github" / "workflows" / name).read_text().splitlines()
    used = [line.strip().removeprefix("- ") for line in lines if "uses:" in line]
    assert used
    # What is in this repository is of the same commit.
    assert [line for line in used if not PINNED.fullmatch(line) and not line.startswith("uses: ./")] == []


def test_one_action_has_one_version_everywhere() -> None:
    text = "".join(path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml"))
    pins = set(re.findall(r"uses: (\S+)@(\S+)", text))
    assert len(pins) == len({action for action, _ in pins})


@pytest.mark.parametrize(("name", "job_name", "job"), JOBS, ids=lambda part: part if isinstance(part, str) else "")
def test_a_job_runs_verbs_that_there_are(name: str, job_name: str, job: dict[str, Any]) -> None:
    commands = [command for command in runs(job) if "apt-get" not in command]
    verbs = [re.match(r"(?:sudo \S+ )?make ([a-z-]+)", command) for command in commands]
    assert all(verb is not None and verb[1] in VERBS for verb in verbs), commands
    assert job["timeout-minutes"] <= 120
    # A word of GitHub's in a script is a way in for who can choose it.
    assert not any("${{" in command for command in runs(job))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_nothing_may_be_written_and_no_token_is_left_behind(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {"contents": "read"}
    for _, job_name, job in (each for each in JOBS if each[0] == name):
        allowed = {"contents": "read"} | ({"id-token": "write"} if job_name in REACHING_AWS else {})
        assert job.get("permissions", {"contents": "read"}) == allowed
        checkout = next(step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@"))
        assert checkout["with"]["persist-credentials"] is False


def test_a_release_is_tested_then_tried_then_approved() -> None:
    assert RELEASE["staging"]["needs"] == "check"
    assert RELEASE["diff"]["needs"] == "staging"
    assert RELEASE["prod"]["needs"] == "diff"
    for stage in DEPLOYING:
        assert RELEASE[stage]["environment"] == stage
        assert runs(RELEASE[stage]) == [f'make deploy ARGS="-c stage={stage}"', "make smoke"]
    # Who approves can read before what would change: in an environment that waits for nobody, and whose role only reads.
    assert (RELEASE["diff"]["environment"], runs(RELEASE["diff"])) == ("prod-diff", ['make diff ARGS="-c stage=prod"'])


def test_deployments_come_one_after_the_other_and_a_release_that_waits_holds_up_no_other_stage() -> None:
    assert "concurrency" not in WORKFLOWS["release.yml"]
    for stage in DEPLOYING:
        # One that is cut short leaves CloudFormation in the middle.
        assert RELEASE[stage]["concurrency"] == {"group": stage, "cancel-in-progress": False}
    # What is called has its caller's name here: otherwise a push to a branch would end the checks of a release of it.
    assert "${{ github.workflow }}" in WORKFLOWS["check.yml"]["concurrency"]["group"]


def test_a_job_that_deploys_runs_on_the_processors_that_images_are_built_for() -> None:
    architecture = json.loads((ROOT / "cdk.json").read_text())["context"]["architecture"]
    runner = {"arm64": "ubuntu-24.04-arm", "x86_64": "ubuntu-24.04"}[architecture]
    assert {stage: RELEASE[stage]["runs-on"] for stage in DEPLOYING} == dict.fromkeys(DEPLOYING, runner)


def test_a_release_passes_all_that_a_change_passes() -> None:
    assert RELEASE["check"] == {"uses": "./.github/workflows/check.yml"}
    # YAML reads the word `on` as true.
    assert "workflow_call" in WORKFLOWS["check.yml"][True]


def test_aws_is_reached_without_a_key_that_is_kept() -> None:
    text = Path(ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert set(re.findall(r"secrets\.(\w+)", text)) == {"GATEWAY_KEY"}
    for stage in REACHING_AWS:
        action = next(step for step in RELEASE[stage]["steps"] if "aws-credentials" in step.get("uses", ""))
        assert set(action["with"]) == {"role-to-assume", "aws-region"}


def test_what_ci_runs_is_what_the_pipeline_runs() -> None:
    verbs = set(re.findall(r"^ *make ([a-z-]+)", (ROOT / ".ci" / "run").read_text(), flags=re.MULTILINE))
    pipeline = {
        command.removeprefix("sudo --preserve-env=PATH ").split()[1]
        for job in WORKFLOWS["check.yml"]["jobs"].values()
        for command in runs(job)
        if "apt-get" not in command
    }
    # It asks a database of advisories that changes by itself.
    assert pipeline == verbs | {"audit"}
