"""Several processes behind one port: they serve, are replaced where they die, and end with the one that started them."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.adapters.gateway_processes import REPOSITORY, START_TIMEOUT_S
from tests.adapters.ministack import free_port

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").exists(), reason="who started which process is read in /proc"
)

Server = subprocess.Popen[bytes]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(port: int, tmp_path: Path) -> Iterator[Server]:
    path = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "layers/gateway/python")))
    command = [sys.executable, "-m", "functions", "--port", str(port), "--processes", "2"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": path},
            cwd=REPOSITORY,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _until(lambda: len(_serving(process)) == 2 and _answers(port))
        yield process
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_one_that_dies_has_a_successor_and_the_others_go_on(server: Server, port: int) -> None:
    first, second = _serving(server)
    _kill(first)
    assert _answers(port)
    _until(lambda: len(_serving(server)) == 2 and first not in _serving(server))
    assert second in _serving(server)
    assert _answers(port)


def test_one_that_dies_while_it_is_asked_whether_it_is_well_has_a_successor(server: Server) -> None:
    first, _ = _serving(server)
    os.kill(first, signal.SIGSTOP)
    # It is asked twice a second, and now it does not answer.
    time.sleep(2)
    _kill(first)
    _until(lambda: len(_serving(server)) == 2 and first not in _serving(server))


@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_all_end_well_when_the_first_is_asked_to(server: Server, port: int, asked: signal.Signals) -> None:
    serving = _serving(server)
    server.send_signal(asked)
    assert server.wait(START_TIMEOUT_S) == 0
    assert not any(map(_lives, serving))
    assert not _answers(port)


def test_none_outlives_the_one_that_started_it(server: Server, port: int) -> None:
    serving = _serving(server)
    server.kill()
    server.wait()
    _until(lambda: not any(map(_lives, serving)))
    assert not _answers(port)


@pytest.mark.parametrize("processes", ["0", "65", "many"])
def test_their_number_is_bounded(processes: str) -> None:
    path = os.pathsep.join(map(str, (REPOSITORY, REPOSITORY / "layers/gateway/python")))
    command = [sys.executable, "-m", "functions", "--processes", processes]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 2
    assert "argument --processes:" in done.stderr


def _serving(server: Server) -> list[int]:
    """The processes that `server` has started to serve, beside the tracker of what they share."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children")
    try:
        started = [int(each) for each in children.read_text().split()]
    except OSError:
        return []
    return [each for each in started if b"spawn_main" in _command(each)]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _lives(pid: int) -> bool:
    # Of one that has ended and is not waited for, the command line is empty.
    return _command(pid) != b""


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=START_TIMEOUT_S) as response:
            return bool(response.status == 200)
    except urllib.error.URLError:
        return False


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)
