"""`*.prompt.yaml` as tests of pytest's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.scripted_server import problem, scripted_server
from tests.clients.command_line import PACKAGE, CommandLine
from tests.clients.test_command_line import SUITE

# More than are run at once: the queue has them, and nobody works on it.
MANY = "".join(
    f"  - {{name: t{n}, variables: {{name: Ada}}, assert: [{{type: max_tokens, value: 9}}]}}\n" for n in range(12)
)


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


def test_a_key_crosses_no_network_in_the_clear_unless_that_is_said(cli: CommandLine, suite: Path) -> None:
    cli.environment["GATEWAY_URL"] = "http://gateway.internal"
    status, out = ran(cli)
    assert (status, "allow_http" in out, "Traceback" in out, cli.environment["GATEWAY_KEY"] in out) == (
        1,
        True,
        False,
        False,
    )
    with scripted_server(otherwise=problem(403, "forbidden")) as proxy:
        cli.environment |= {"HTTP_PROXY": proxy.url, "NO_PROXY": ""}
        status, out = ran(cli, "--llm-gateway-allow-http")
    assert (status, "forbidden" in out, "Traceback" in out) == (1, True, False)
    assert {seen.path.partition("//")[2].partition("/")[0] for seen in proxy.seen} == {"gateway.internal"}


def test_a_run_that_takes_too_long_fails_with_its_id(cli: CommandLine, suite: Path) -> None:
    suite.write_text(SUITE + MANY)
    status, out = ran(cli, "--llm-gateway-push", "--llm-gateway-timeout", "1")
    assert (status, "has not ended within 1 s" in out, "Traceback" in out) == (1, True, False)
