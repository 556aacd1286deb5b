"""`python -m local_aws run`, which is `make run`: from nothing to the model's answer, and to nothing again."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from llm_gateway_client import GatewayClient

from local_aws.emulator import PREFERRED_PORT as PREFERRED_AWS_PORT
from local_aws.run import PREFERRED_PORT
from tests.docs.pages import blocks
from workshop import command_line
from workshop.places import ROOT

START_TIMEOUT_S = 180
STOP_TIMEOUT_S = 40


@dataclass
class Run:
    process: "subprocess.Popen[bytes]"
    folder: Path

    @property
    def output(self) -> str:
        return (self.folder / "output").read_text()

    @property
    def gateway_file(self) -> Path:
        return self.folder / "gateway.json"

    def gateway(self) -> dict[str, Any]:
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.gateway_file.exists():
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)
        gateway: dict[str, Any] = json.loads(self.gateway_file.read_text())
        return gateway

    def commands(self) -> list[str]:
        """What it shows to be pasted, up to the part that needs a vendor's key."""
        shown = self.output.partition("Use it")[2].partition("Add a provider")[0]
        lines = [line.strip() for line in shown.splitlines()]
        return [line for line in lines if line.startswith(("export ", "llm-gateway ", "curl ", "python "))]


@contextmanager
def started(folder: Path, *options: str) -> Iterator[Run]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOCALSTACK_"))}
    command = [sys.executable, "-m", "local_aws", "run", "--folder", str(folder), *options]
    environment["TMPDIR"] = str(folder / "scratch")
    (folder / "scratch").mkdir(exist_ok=True)
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield Run(process=process, folder=folder)
    finally:
        process.terminate()
        process.wait(STOP_TIMEOUT_S)


@contextmanager
def taken(*ports: int) -> Iterator[None]:
    """Some process listens on these ports."""
    with ExitStack() as stack:
        for port in ports:
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
        yield


def descendants(pid: int) -> set[int]:
    children = {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    return children.union(*(descendants(child) for child in children))


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_answers_on_other_ports_when_its_own_are_taken_and_leaves_nothing(tmp_path: Path) -> None:
    with taken(PREFERRED_AWS_PORT, PREFERRED_PORT), started(tmp_path) as run:
        gateway = run.gateway()
        ports = {gateway["base_url"].rpartition(":")[2], gateway["aws_endpoint_url"].rpartition(":")[2]}
        assert ports.isdisjoint({str(PREFERRED_AWS_PORT), str(PREFERRED_PORT)})
        assert eventually(lambda: "Ctrl-C" in run.output)
        assert "Photosynthesis is" in run.output
        assert run.gateway_file.stat().st_mode & 0o777 == 0o600
        children = descendants(run.process.pid)
        assert len(children) >= 3

        run.process.send_signal(signal.SIGINT)

        assert run.process.wait(STOP_TIMEOUT_S) == 0, run.output
        assert [child for child in children if runs(child)] == []
        assert not run.gateway_file.exists()
        assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_its_commands_work_as_they_are_and_its_end_is_its_childrens(tmp_path: Path) -> None:
    command_line.link()
    with started(tmp_path) as run:
        run.gateway()
        assert eventually(lambda: "Ctrl-C" in run.output)
        (quick_start,) = blocks((ROOT / "README.md").read_text(encoding="utf-8"), "bash")
        script = "\n".join(
            [*run.commands(), quick_start, "llm-gateway keys create app --json", "llm-gateway providers list --json"]
        )
        shown = subprocess.run(
            ["bash", "-euc", script], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
        )
        assert shown.returncode == 0, shown.stderr
        assert "Photosynthesis is" in shown.stdout
        assert "event: done" in shown.stdout
        assert '"secret": "llmgw_' in shown.stdout
        assert '"id": "local"' in shown.stdout
        assert "mine is there" in shown.stdout
        assert "2 passed" in shown.stdout
        children = descendants(run.process.pid)

        run.process.kill()

        assert eventually(lambda: not any(runs(child) for child in children))


def test_what_was_made_is_there_in_the_next_run_and_forgotten_when_that_is_wanted(tmp_path: Path) -> None:
    ids = []
    for number, options in enumerate(((), (), ("--fresh",))):
        with started(tmp_path, *options) as run:
            told = run.gateway()
            with GatewayClient(told["base_url"], told["api_key"]) as client:
                ids.append([provider.id for provider in client.providers.list()])
                if number == 0:
                    client.providers.create(
                        id="mine",
                        name="Mine",
                        kind="openai_compatible",
                        default_model="m",
                        base_url="http://127.0.0.1:9/v1",
                    )
            run.process.send_signal(signal.SIGINT)
            assert run.process.wait(STOP_TIMEOUT_S) == 0, run.output
    assert [sorted(each) for each in ids] == [["local"], ["local", "mine"], ["local"]]


def test_a_given_emulator_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "local_aws", "run", "--folder", str(tmp_path)]
    environment = os.environ | {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert "No AWS emulator answers at http://127.0.0.1:9" in ended.stderr
    assert "Traceback" not in ended.stderr
