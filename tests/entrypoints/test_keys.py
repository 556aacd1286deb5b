"""The command line for keys."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from llm_gateway.domain.keys import Caller, Role
from llm_gateway.entrypoints.keys import main
from llm_gateway.errors import DependencyUnavailable

from tests.adapters.gateway import FakeGateway


@pytest.fixture
def gateway() -> FakeGateway:
    return FakeGateway()


def create(gateway: FakeGateway, *options: str) -> int:
    return main(["create", "--role", "caller", "--name", "ci", *options], gateway=lambda: gateway)


def test_a_key_is_shown_once_and_opens_the_door(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    assert create(gateway) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert shown.keys() == {"id", "name", "role", "log_bodies", "secret"}
    assert (shown["name"], shown["role"], shown["log_bodies"]) == ("ci", "caller", 0)
    assert gateway.keys.authenticate(shown["secret"]) == Caller(key_id=shown["id"], role=Role.CALLER, log_bodies=0)


@pytest.mark.parametrize(("said", "share"), [("0", 0), ("0.1", 0.1), ("1", 1), ("1e-3", 0.001)])
def test_a_share_of_its_queries_may_be_logged(
    gateway: FakeGateway, capsys: pytest.CaptureFixture[str], said: str, share: float
) -> None:
    assert create(gateway, "--log-bodies", said) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert shown["log_bodies"] == share
    assert gateway.keys.authenticate(shown["secret"]).log_bodies == share


@pytest.mark.parametrize("said", ["2", "-0.1", "10%", "nan", "inf", "", "yes"])
def test_what_is_no_share_is_refused_and_makes_no_key(
    gateway: FakeGateway, capsys: pytest.CaptureFixture[str], said: str
) -> None:
    with pytest.raises(SystemExit) as refused:
        create(gateway, f"--log-bodies={said}")
    assert refused.value.code == 2
    captured = capsys.readouterr()
    assert "from 0 to 1" in captured.err
    assert captured.out == ""


def test_a_store_that_is_away_is_told_in_words(gateway: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    gateway.outside.key_store.fault = DependencyUnavailable("The keys cannot be reached.")
    assert create(gateway) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "The keys cannot be reached." in captured.err


def test_a_variable_that_is_not_set_is_named() -> None:
    package = Path(__file__).parents[2] / "layers" / "gateway" / "python"
    ended = subprocess.run(
        [sys.executable, "-m", "llm_gateway.entrypoints.keys", "create", "--role", "admin", "--name", "me"],
        env={"PYTHONPATH": str(package), "KEYS_TABLE": "keys"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("Not set: PEPPER_SECRET_ID. ")
    assert ended.stdout == ""
