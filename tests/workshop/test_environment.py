"""A machine that lacks something is told what."""

from pathlib import Path

import pytest

from workshop import environment
from workshop.steps import Failure


def test_a_python_without_venv_says_which_package_to_install(tmp_path: Path) -> None:
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\nmkdir "$4"\necho "ensurepip is not available"\nexit 1\n')
    python.chmod(0o755)
    venv = tmp_path / ".venv"
    with pytest.raises(Failure, match=r"ensurepip is not available(?s:.*)apt-get install python3\.\d+-venv"):
        environment.create(venv, python=str(python))
    assert not venv.exists()
