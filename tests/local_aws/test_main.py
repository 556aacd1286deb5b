"""What the verbs say before they do anything."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from workshop.places import ROOT


def said(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-X", "importtime", "-m", "local_aws", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_setting_without_a_value_is_named() -> None:
    refused = said("deploy", "-c", "stage")
    assert refused.returncode == 2
    assert "'stage' is not NAME=VALUE" in refused.stderr


def test_a_port_that_is_none_is_named() -> None:
    for port in ("0", "65536", "http"):
        refused = said("run", "--port", port)
        assert refused.returncode == 2
        assert f"'{port}' is no port" in refused.stderr


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = said("run", "--port", str(port), "--folder", str(tmp_path))
    assert refused.returncode == 1
    assert f"Port {port} is taken" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_another_emulator_keeps_is_not_forgotten(tmp_path: Path) -> None:
    refused = said("run", "--fresh", "--folder", str(tmp_path), AWS_ENDPOINT_URL="http://127.0.0.1:4566")
    assert refused.returncode == 1
    assert "keeps its own" in refused.stderr


def test_an_option_of_the_other_verb_is_no_option() -> None:
    assert "for `run`" in said("deploy", "--fresh").stderr
    assert "for `deploy`" in said("run", "-c", "stage=prod").stderr


def test_signals_are_minded_before_anything_takes_its_time() -> None:
    asked = said("--help")
    assert asked.returncode == 0
    assert "workshop" in asked.stderr
    assert "boto3" not in asked.stderr
