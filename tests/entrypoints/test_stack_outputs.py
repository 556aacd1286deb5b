"""`--stack` finds what a deployment's functions have in their environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.adapters.gateway_processes import REPOSITORY
from tests.adapters.scripted_server import Reply, scripted_server

OUTPUTS = {
    "KeysTable": "the-keys",
    "LimitsTable": "the-limits",
    "AuditTable": "the-audit",
    "PepperSecretId": "the-pepper",
}
SCRIPT = """
import os
from llm_gateway.entrypoints.stack_outputs import variables_of
print(*sorted(f"{name}={value}" for name, value in variables_of("llm-gateway-prod").items()))
"""


def stack(outputs: dict[str, str]) -> Reply:
    members = "".join(
        f"<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>"
        for key, value in outputs.items()
    )
    told = (
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>s</StackName>"
        "<CreationTime>2026-11-30T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>"
        f"<Outputs>{members}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    )
    return Reply(body=told, headers={"Content-Type": "text/xml"})


def refusal(code: str, message: str) -> Reply:
    told = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    return Reply(status=400, body=told, headers={"Content-Type": "text/xml"})


def ran(url: str, *command: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY / "layers/gateway/python"),
        "NO_PROXY": "*",
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_MAX_ATTEMPTS": "1",
    }
    return subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_outputs_are_the_functions_variables() -> None:
    with scripted_server(stack(OUTPUTS)) as aws:
        done = ran(aws.url, "-c", SCRIPT)
    assert (
        done.stdout == "AUDIT_TABLE=the-audit KEYS_TABLE=the-keys LIMITS_TABLE=the-limits PEPPER_SECRET_ID=the-pepper\n"
    )


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (refusal("ValidationError", "Stack with id llm-gateway-prod-data does not exist"), "does not exist"),
        (refusal("AccessDenied", "Not you"), "Not you"),
        (stack({"ApiUrl": "https://x"}), "no data stack"),
        (Reply(hangs_up=True), "AWS cannot be asked"),
    ],
)
def test_a_stack_that_cannot_be_read_is_said_in_a_sentence(reply: Reply, told: str) -> None:
    with scripted_server(otherwise=reply) as aws:
        done = ran(aws.url, "-m", "llm_gateway.entrypoints.keys", "--stack", "llm-gateway-prod", "list")
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "command", [("keys", "list"), ("backup", "export"), ("audit", "verify")], ids=lambda words: words[0]
)
def test_every_command_that_takes_a_stack_ends_where_there_is_none(command: tuple[str, str], tmp_path: Path) -> None:
    name, verb = command
    file = [str(tmp_path / "backup.jsonl")] if name == "backup" else []
    with scripted_server(otherwise=refusal("ValidationError", "Stack with id none-data does not exist")) as aws:
        done = ran(aws.url, "-m", f"llm_gateway.entrypoints.{name}", "--stack", "none", verb, *file)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The stack none-data cannot be read: Stack with id none-data does not exist\n"
    assert list(tmp_path.iterdir()) == []


def test_keys_are_looked_for_where_the_stack_says() -> None:
    with scripted_server(stack(OUTPUTS), otherwise=Reply(body={"Items": [], "Count": 0, "ScannedCount": 0})) as aws:
        done = ran(aws.url, "-m", "llm_gateway.entrypoints.keys", "--stack", "llm-gateway-prod", "list")
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        assert "the-keys" in {seen.body.get("TableName") for seen in aws.seen if isinstance(seen.body, dict)}
