"""The command line out of this clone."""

import subprocess
from pathlib import Path

import pytest

from workshop import command_line


def test_the_script_runs_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "llm-gateway"
    monkeypatch.setattr(command_line, "SCRIPT", script)
    script.write_text("something else")
    command_line.link()
    written = script.stat().st_mtime_ns
    command_line.link()
    assert script.stat().st_mtime_ns == written
    done = subprocess.run([script, "--help"], cwd=tmp_path, env={}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: llm-gateway ")
