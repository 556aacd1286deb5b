"""What the verbs say before they do anything."""

import subprocess
import sys

from workshop.places import ROOT


def said(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-X", "importtime", "-m", "local_aws", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_a_setting_without_a_value_is_named() -> None:
    refused = said("deploy", "-c", "stage")
    assert refused.returncode == 2
    assert "'stage' is not NAME=VALUE" in refused.stderr


def test_signals_are_minded_before_anything_takes_its_time() -> None:
    asked = said("--help")
    assert asked.returncode == 0
    assert "workshop" in asked.stderr
    assert "boto3" not in asked.stderr
