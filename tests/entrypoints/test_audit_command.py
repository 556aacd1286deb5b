"""The command line for the audit log."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from llm_gateway.domain.audit.entries import Actor, Deed
from llm_gateway.entrypoints.audit import main
from llm_gateway.errors import DependencyUnavailable

from tests.adapters.gateway import FakeGateway

DEED = Deed(actor=Actor(key_id="key_1"), action="provider.updated")


@pytest.fixture
def gateway() -> FakeGateway:
    gateway = FakeGateway()
    for _ in range(3):
        gateway.outside.audit_log.append(DEED)
    return gateway


def verify(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any], str]:
    status = main(["verify"], gateway=lambda: gateway)
    captured = capsys.readouterr()
    return status, json.loads(captured.out or "{}"), captured.err


def test_a_whole_log_ends_with_0(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    status, shown, said = verify(gateway, capsys)
    assert (status, said) == (0, "")
    assert shown["whole"] is True
    assert (shown["entries"], shown["first_wrong"]) == (3, None)
    assert shown["head"] == {"id": "aud_000000000003", "hash": gateway.outside.audit_log.entries[-1].hash}


def test_an_empty_log_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    status, shown, _ = verify(FakeGateway(), capsys)
    assert (status, shown["head"]) == (0, None)


def test_a_log_that_was_touched_ends_with_1_and_the_first_entry(
    gateway: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = gateway.outside.audit_log.entries
    entries[1] = replace(entries[1], deed=replace(DEED, action="nothing.happened"))
    status, shown, said = verify(gateway, capsys)
    assert status == 1
    assert (shown["whole"], shown["first_wrong"]["id"], shown["first_wrong"]["wrong"]) == (
        False,
        "aud_000000000002",
        "changed",
    )
    assert said.startswith("aud_000000000002 was changed: ")


def test_a_log_that_cannot_be_read_ends_with_2(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.outside.audit_log.fault = DependencyUnavailable("The log cannot be reached.")
    status, shown, said = verify(gateway, capsys)
    assert (status, shown) == (2, {})
    assert "The log cannot be reached." in said


def test_a_variable_that_is_not_set_is_named() -> None:
    package = Path(__file__).parents[2] / "layers" / "gateway" / "python"
    ended = subprocess.run(
        [sys.executable, "-m", "llm_gateway.entrypoints.audit", "verify"],
        env={"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Not set: AUDIT_TABLE. ")
