"""The gateway as a laptop runs it: its server and its worker, processes of their own on loopback."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from llm_gateway.entrypoints.poller import Pace
from llm_gateway.settings import Settings

from tests.adapters.aws import ENVIRONMENT
from tests.adapters.ministack import free_port

REPOSITORY: Final = Path(__file__).resolve().parents[2]
START_TIMEOUT_S: Final = 60
STOP_TIMEOUT_S: Final = 20


def environment_of(settings: Settings, *, endpoint: str) -> dict[str, str]:
    """What the gateway's processes are told: `settings` as variables, and where AWS is."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCALSTACK_"))}
    variables = {field.name.upper(): getattr(settings, field.name) for field in fields(settings)}
    return {
        **inherited,
        **ENVIRONMENT,
        **{name: str(value) for name, value in variables.items() if value is not None},
        "ALLOW_PRIVATE_ADDRESSES": "true" if settings.allow_private_addresses else "",
        "TIKTOKEN_CACHE_DIR": str(settings.rank_files),
        "AWS_ENDPOINT_URL": endpoint,
        "PYTHONPATH": os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "layers/gateway/python"))),
    }


@contextmanager
def running_gateway(environment: Mapping[str, str], *, log: Path) -> Iterator[str]:
    """The address of `python -m functions`, once it answers."""
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    with log.open("ab") as output:
        process = _start("--port", str(port), "--processes", "1", environment=environment, output=output.fileno())
    try:
        _wait_until_it_answers(f"{base_url}/health", process, log)
        yield base_url
    finally:
        process.terminate()
        _wait_or_kill(process)


@dataclass(slots=True, kw_only=True)
class WorkerProcess:
    """`python -m functions --worker`, to be started and killed as a test likes."""

    environment: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    polls_end_s: float = 0.0

    def start(self) -> None:
        if self.process is None:
            with self.log.open("ab") as output:
                self.process = _start("--worker", environment=self.environment, output=output.fileno())

    def kill(self) -> None:
        """At once, as a power cut would."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self._has_ended()

    def stop(self) -> int:
        """Its exit status, once it has ended what it had begun."""
        assert self.process is not None
        self.process.terminate()
        status = _wait_or_kill(self.process)
        self._has_ended()
        return status

    def wait_for_its_polls(self) -> None:
        """Until an emulator hands nothing more to one that has ended: it does not see that nobody is there, and counts that."""
        time.sleep(max(0.0, self.polls_end_s - time.monotonic()))

    def _has_ended(self) -> None:
        self.process = None
        self.polls_end_s = time.monotonic() + Pace().wait_s


def _start(*arguments: str, environment: Mapping[str, str], output: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "functions", *arguments]
    return subprocess.Popen(command, env=dict(environment), cwd=REPOSITORY, stdout=output, stderr=output)


def _wait_or_kill(process: "subprocess.Popen[bytes]") -> int:
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _wait_until_it_answers(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the gateway did not start: {log.read_text()[-2000:]}") from None
            time.sleep(0.05)
