"""LocalStack in a process of its own, on loopback, from an environment of its own: it takes neither Docker nor an account."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import boto3
from botocore.config import Config

from local_aws import emulator, tether
from local_aws.aws import LocalAws
from tests.adapters.ministack import free_port
from workshop.places import ROOT

START_TIMEOUT_S: Final = 180
# It keeps nothing, so that nothing is lost; by itself it may wait for a minute and longer.
STOP_TIMEOUT_S: Final = 10
_FIRST_CALLS: Final = {
    "dynamodb": "list_tables",
    "s3": "list_buckets",
    "secretsmanager": "list_secrets",
    "sqs": "list_queues",
    "events": "list_event_buses",
    "kms": "list_keys",
}
PLUGINS: Final = ROOT / "tests" / "localstack" / "plugins"


@contextmanager
def running_localstack(python: Path, directory: Path) -> Iterator[str]:
    """The address of a fresh LocalStack of `python`'s that ends with the block; `directory` keeps its log and files."""
    port = free_port()
    log = directory / "localstack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            # It ends with these tests, however they end.
            [sys.executable, "-ISE", tether.__file__, str(os.getpid()), python, "-m", "localstack.runtime.main"],
            env=_environment(port, directory),
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        endpoint = f"http://127.0.0.1:{port}"
        _wait_until_it_answers(endpoint, process, log)
        _wake(endpoint)
        yield endpoint
    finally:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wake(endpoint: str) -> None:
    """Asks something of each service that the stores use. A service is loaded by its first call, which can take longer than the
    stores wait: they would make the same table twice."""
    patient = Config(read_timeout=START_TIMEOUT_S, retries={"total_max_attempts": 1})
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    for service, operation in _FIRST_CALLS.items():
        getattr(session.client(service, endpoint_url=endpoint, config=patient), operation)()  # type: ignore[call-overload]


def _environment(port: int, directory: Path) -> dict[str, str]:
    scratch = directory / "scratch"
    scratch.mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{PLUGINS}{os.pathsep}{ROOT}",
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(scratch),
        "FILESYSTEM_ROOT": str(directory / "filesystem"),
        "GATEWAY_LISTEN": f"127.0.0.1:{port}",
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        # The default server listens on every address of the machine.
        "GATEWAY_SERVER": "hypercorn",
        "DNS_ADDRESS": "0",
        # Nothing is told to anybody, and nothing is fetched.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
        "SQS_ENDPOINT_STRATEGY": "path",
        "PROVIDER_OVERRIDE_DYNAMODB": "moto",
        "LAMBDA_RUNTIME_EXECUTOR": "process",
        "LAMBDA_RUNTIME_ENVIRONMENT_TIMEOUT": "120",
    }


def _wait_until_it_answers(endpoint: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not emulator.answers(LocalAws(url=endpoint)):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"LocalStack did not start: {log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)
