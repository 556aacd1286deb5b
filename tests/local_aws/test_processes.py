"""Children are stopped with all that they started, however their parent ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from local_aws.processes import Processes
from workshop.places import ROOT
from workshop.steps import Ended, Failure

# Starts a child of its own, and says so. Only the first of them minds SIGTERM.
FAMILY = """
import subprocess, sys, time
deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", deaf])
print("child", child.pid, flush=True)
time.sleep(60)
"""
# Ends so many seconds after it was asked to, and then says when that is.
TELLING = """
import signal, sys, time
def end(*_):
    time.sleep(float(sys.argv[1]))
    print(time.monotonic(), flush=True)
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
signal.pause()
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
PARENT = """
import os, sys, time
from pathlib import Path
from local_aws.processes import Processes
with Processes(logs=Path(sys.argv[1])) as processes:
    child = processes.start("child", [sys.executable, "-c", "import time; time.sleep(60)"], env=dict(os.environ))
    print(child.pid, flush=True)
    time.sleep(60)
"""


def eventually(holds: Callable[[], bool], *, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def runs(pid: int) -> bool:
    """Whether the process is there and not just waiting to be reaped."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_stops_what_its_children_started(tmp_path: Path) -> None:
    with Processes(logs=tmp_path) as processes:
        parent = processes.start("family", [sys.executable, "-c", FAMILY], env=dict(os.environ))
        parent.wait_until(lambda: parent.output().endswith("\n"), timeout_s=10)
        child = int(parent.output().split()[1])
        assert runs(child)
    assert not runs(parent.pid)
    assert eventually(lambda: not runs(child))


def test_what_others_need_is_asked_to_end_once_they_have(tmp_path: Path) -> None:
    with Processes(logs=tmp_path) as processes:
        needed = processes.start("store", [sys.executable, "-c", TELLING, "0"], env=dict(os.environ), ends_last=True)
        others = [
            processes.start(f"server-{number}", [sys.executable, "-c", TELLING, "0.3"], env=dict(os.environ))
            for number in range(2)
        ]
        for process in (needed, *others):
            process.wait_until(lambda process=process: "ready" in process.output(), timeout_s=10)  # type: ignore[misc]
    ended_s = [float(process.output().split()[1]) for process in (needed, *others)]
    assert ended_s[0] > max(ended_s[1:])


def test_makes_an_end_of_what_does_not_listen(tmp_path: Path) -> None:
    with Processes(logs=tmp_path) as processes:
        process = processes.start("stubborn", [sys.executable, "-c", STUBBORN], env=dict(os.environ), grace_s=0.2)
        process.wait_until(lambda: "ready" in process.output(), timeout_s=10)
        process.ask_to_end()
        process.end()
        assert process.popen.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent is gone")
def test_children_do_not_outlive_a_parent_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert runs(child)
        parent.kill()
    assert eventually(lambda: not runs(child))


def test_a_child_that_ends_early_shows_why(tmp_path: Path) -> None:
    with Processes(logs=tmp_path) as processes:
        process = processes.start("model", [sys.executable, "-c", "import sys; sys.exit('no model')"], env={})
        with pytest.raises(Failure, match=r"model: ended with status 1(?s:.*)no model"):
            process.wait_until(lambda: False, timeout_s=10)


def test_a_child_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    with Processes(logs=tmp_path) as processes:
        process = processes.start("model", [sys.executable, "-c", "import time; time.sleep(60)"], env={})
        with pytest.raises(Failure, match="not ready after 0 s"):
            process.wait_until(lambda: False, timeout_s=0.1)


def test_runs_a_command_apart_from_its_errors(tmp_path: Path) -> None:
    script = "import os, sys; print(os.environ['NAME']); print('a warning', file=sys.stderr)"
    with Processes(logs=tmp_path) as processes:
        assert processes.run("key", [sys.executable, "-c", script], env={"NAME": "ops"}) == "ops\n"
        assert (tmp_path / "key.log").read_text() == "a warning\n"
        with pytest.raises(Failure, match=r"key: ended with status 3"):
            processes.run("key", [sys.executable, "-c", "raise SystemExit(3)"], env={})


def test_a_child_that_breaks_down_ends_the_wait(tmp_path: Path) -> None:
    with Processes(logs=tmp_path) as processes:
        processes.start("done", [sys.executable, "-c", ""], env={})
        processes.start("gateway", [sys.executable, "-c", "import sys; sys.exit('broken')"], env={})
        with pytest.raises(Failure, match=r"gateway: (?s:.*)broken"):
            processes.wait_for_end()


def test_a_child_that_was_asked_to_end_did_not_fail(tmp_path: Path) -> None:
    with Processes(logs=tmp_path) as processes:
        process = processes.start("model", [sys.executable, "-c", "import time; time.sleep(60)"], env={})
        process.ask_to_end()
        with pytest.raises(Ended, match="model"):
            process.wait_until(lambda: False, timeout_s=10)


def test_starts_nothing_once_it_stops(tmp_path: Path) -> None:
    with Processes(logs=tmp_path) as processes:
        processes.stop()
        with pytest.raises(Ended, match="being stopped"):
            processes.start("late", [sys.executable, "-c", ""], env={})
