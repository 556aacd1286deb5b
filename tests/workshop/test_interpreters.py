"""A Python of a version is found where people keep them, if it works."""

import os
import sys
from pathlib import Path

import pytest

from workshop import interpreters

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def _nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr(interpreters, "VENV_BIN", tmp_path / "venv")


def test_there_may_be_none(tmp_path: Path) -> None:
    assert interpreters.find("9.9") is None


def test_one_on_the_path_is_found(tmp_path: Path) -> None:
    python = script(tmp_path / "bin" / f"python{HERE}", f'exec "{sys.executable}" "$@"')
    assert interpreters.find(HERE) == python


def test_one_that_does_not_work_or_is_another_is_passed_over(tmp_path: Path) -> None:
    """As pyenv's command on the PATH is, for a version that was not chosen."""
    script(tmp_path / "bin" / f"python{HERE}", "exit 127")
    script(tmp_path / "pyenv" / "versions" / f"{HERE}.0" / "bin" / "python", "echo 9.9")
    python = script(tmp_path / "pyenv" / "versions" / f"{HERE}.1" / "bin" / "python", f'exec "{sys.executable}" "$@"')
    assert interpreters.find(HERE) == python


def test_one_of_uvs_own_is_found(tmp_path: Path) -> None:
    python = script(tmp_path / "uv's" / "python", f'exec "{sys.executable}" "$@"')
    script(tmp_path / "venv" / "uv", f'echo "{python}"')
    assert interpreters.find(HERE) == python


def test_nothing_is_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join(("", "/nowhere")))
    assert interpreters.find("9.9") is None
