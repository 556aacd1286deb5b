"""The pages of docs/, and the shell that runs what they show."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import llm_gateway_client
import pytest

_DOCS = Path(__file__).parents[2] / "docs"
_CLIENT = Path(llm_gateway_client.__file__).parents[1]

with_a_shell = pytest.mark.skipif(
    not all(shutil.which(tool) for tool in ("bash", "curl", "jq", "openssl")),
    reason="bash, curl, jq, openssl are needed",
)


def page(name: str) -> str:
    return (_DOCS / f"{name}.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """What a page shows in a language, from top to bottom."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run(*command: str, cwd: Path | None = None, **variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "*", "PYTHONPATH": str(_CLIENT), **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout
