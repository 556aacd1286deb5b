"""docs/recovery.md: its commands are run in their order, on one deployment and then on another."""

import json
import shlex
from pathlib import Path

import pytest
from llm_gateway.entrypoints.backup import main
from llm_gateway.services.backups import KEYS

from tests.adapters.gateway import FakeGateway
from tests.docs.pages import blocks, page

COMMAND = ["python", "-m", "llm_gateway.entrypoints.backup"]


def test_its_commands_run_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    lost, found = FakeGateway(), FakeGateway()
    lost.outside.configuration_tables.put_new("keys", {"key_id": {"S": "key_1"}})
    lines = "".join(blocks(page("recovery"), "bash")).splitlines()
    commands = [shlex.split(line) for line in lines]
    assert [words[3] for words in commands] == ["export", "check", "import"]
    for words in commands:
        assert words[:3] == COMMAND
        gateway = found if "import" in words else lost
        assert main(words[3:], gateway=lambda gateway=gateway: gateway) == 0
    assert found.outside.configuration_tables.kept == lost.outside.configuration_tables.kept
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["imported"]["keys"] == 1


def test_it_tells_of_every_table() -> None:
    text = page("recovery")
    assert all(name in text for name in KEYS)
    assert "backup.imported" in text
