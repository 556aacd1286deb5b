"""LocalStack's environment is made once for its lock, and only where there is a Python for it."""

import io
from pathlib import Path

import pytest

from workshop import interpreters, localstack
from workshop.steps import Failure, Steps


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What is run; the environment is then there."""
    ran: list[list[str]] = []

    def run(command: list[object], **_: object) -> None:
        ran.append([str(word) for word in command])
        (tmp_path / "python").touch()

    monkeypatch.setattr(localstack, "LOCALSTACK", tmp_path)
    monkeypatch.setattr(localstack, "LOCALSTACK_PYTHON", tmp_path / "python")
    monkeypatch.setattr("workshop.commands.run", run)
    return ran


def test_it_is_made_once(commands: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpreters, "find", lambda version: Path(f"/somewhere/python{version}"))
    for _ in range(2):
        localstack.prepare(Steps(stream=io.StringIO()))
    made, filled = commands
    assert made[1:5] == ["venv", "--clear", "--python", "/somewhere/python3.13"]
    assert "--require-hashes" in filled


def test_without_a_python_for_it_it_says_where_one_comes_from(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpreters, "find", lambda _: None)
    with pytest.raises(Failure, match=r"LocalStack needs Python 3\.13.*uv python install 3\.13"):
        localstack.prepare(Steps(stream=io.StringIO()))
    assert commands == []
