"""The pages of docs/, and the shell that runs what they show."""

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import boto3
import llm_gateway_client
import pytest

from local_aws.aws import ACCESS_KEY_ID, SECRET_ACCESS_KEY, LocalAws

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


def typed(block: str) -> str:
    """What a person types of a console block: its lines after `$`, and those that go on after `>`."""
    return "".join(line[2:] for line in block.splitlines(keepends=True) if line.startswith(("$ ", "> ")))


def run(*command: str, cwd: Path | None = None, **variables: str) -> str:
    environment = {"PATH": os.environ["PATH"], "NO_PROXY": "*", "PYTHONPATH": str(_CLIENT), **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def run_with_aws(script: str, *, aws: LocalAws, folder: Path, **variables: str) -> list[str]:
    """The lines that a script prints in `folder`, where AWS's command line is found and asks the emulator."""
    command = folder / "bin" / "aws"
    command.parent.mkdir(exist_ok=True)
    command.write_text(f'#!/bin/sh\nPYTHONPATH={_DOCS.parent} exec {sys.executable} -m tests.adapters.aws_cli "$@"\n')
    command.chmod(0o755)
    environment = {**aws.environment({}), **variables, "PATH": f"{command.parent}:{os.environ['PATH']}"}
    return run("bash", "-euo", "pipefail", "-c", script, cwd=folder, **environment).splitlines()


def client(aws: LocalAws, service: str) -> Any:
    """A client of the emulator's service."""
    keys = {"aws_access_key_id": ACCESS_KEY_ID, "aws_secret_access_key": SECRET_ACCESS_KEY}
    return boto3.client(service, endpoint_url=aws.url, region_name=aws.region, **keys)  # type: ignore[call-overload]


def zipped(text: str) -> bytes:
    """A function's code."""
    with zipfile.ZipFile(written := io.BytesIO(), "w") as archive:
        archive.writestr("main.py", text)
    return written.getvalue()
