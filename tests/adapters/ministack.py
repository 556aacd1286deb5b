"""A local AWS in a process of its own, on loopback: for what takes a real server, like many writers at once."""

import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from local_aws.synthesis import GATEWAY_PACKAGE
from workshop.places import ROOT

START_TIMEOUT_S: Final = 120


@contextmanager
def running_ministack(directory: Path) -> Iterator[str]:
    """The address of a fresh emulator that ends with the block; its log is kept in `directory`."""
    port = free_port()
    # Nobody asks how much of an emulator is run.
    environment = {name: value for name, value in os.environ.items() if name != "COVERAGE_PROCESS_CONFIG"} | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "LOG_LEVEL": "WARNING",
        "PYTHONPATH": f"{ROOT}:{GATEWAY_PACKAGE}",
    }
    with (directory / "ministack.log").open("wb") as log:
        command = [sys.executable, "-m", "local_aws.emulator_process"]
        process = subprocess.Popen(command, env=environment, cwd=directory, stdout=log, stderr=log)
        try:
            endpoint = f"http://127.0.0.1:{port}"
            _wait_until_ready(endpoint, process)
            yield endpoint
        finally:
            process.terminate()
            process.wait(timeout=START_TIMEOUT_S)


def free_port() -> int:
    """A loopback port that nothing listens on, nor is about to: none of those that a system hands out by itself."""
    while True:
        port = random.randint(20_000, 32_000)  # noqa: S311
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _wait_until_ready(endpoint: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            urllib.request.urlopen(f"{endpoint}/_ministack/health", timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"ministack did not start; see {process.args!r}") from None
            time.sleep(0.05)
