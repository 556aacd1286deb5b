"""`*.prompt.yaml` as tests of pytest's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.command_line import PACKAGE, CommandLine
from tests.clients.test_command_line import SUITE


def ran(cli: CommandLine, *arguments: str) -> tuple[int, str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(PACKAGE), **cli.variables}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "llm_gateway_client.pytest_plugin",
        "-p",
        "no:cacheprovider",
        "-q",
        *arguments,
    ]
    done = subprocess.run(
        command, cwd=cli.folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.returncode, done.stdout


@pytest.fixture
def suite(cli: CommandLine) -> Path:
    path = cli.folder / "greeting.prompt.yaml"
    path.write_text(SUITE)
    return path


def test_each_test_of_a_prompt_is_one_of_pytests(cli: CommandLine, suite: Path) -> None:
    status, out = ran(cli)
    assert (status, out.count("--llm-gateway-push writes it there")) == (1, 2)
    status, out = ran(cli, "--llm-gateway-push", "--llm-gateway-candidate", "local")
    assert status == 1
    assert "1 failed, 1 passed" in out
    assert "regex: it is not so that the answer matches" in out
    assert "Traceback" not in out
    status, out = ran(cli, "-k", "hello")
    assert (status, "1 passed, 1 deselected" in out) == (0, True)


def test_what_goes_wrong_is_no_traceback(cli: CommandLine, suite: Path) -> None:
    for broken in ("a: [", "tests: [3]"):
        suite.write_text(broken)
        status, out = ran(cli)
        assert status == 2
        assert "greeting.prompt.yaml" in out
    suite.write_text(SUITE)
    cli.environment["GATEWAY_KEY"] = "llmgw_nonsense"
    status, out = ran(cli)
    assert (status, "unauthenticated" in out, "Traceback" in out) == (1, True, False)
