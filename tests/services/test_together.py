"""Beside: all that a block starts is done beside each other, in whatever thread, and a failure waits for the others."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

import pytest
from llm_gateway.services import together as module
from llm_gateway.services.together import Beside, Task
from llm_gateway.waiting import received, this_thread

from tests.patience import FOREVER_S, PATIENCE_S

_WHO: ContextVar[str] = ContextVar("who")


def together(*things: Callable[[], object]) -> list[object]:
    with Beside() as beside:
        tasks = [beside.start(thing) for thing in things]
    return [task.result for task in tasks]


def test_all_run_at_once_and_each_has_its_result() -> None:
    meeting = threading.Barrier(3, timeout=PATIENCE_S)

    def answer(number: int) -> int:
        meeting.wait()
        return number

    assert together(lambda: answer(1), lambda: answer(2), lambda: answer(3)) == [1, 2, 3]


def test_one_alone_needs_no_other_thread() -> None:
    assert together(threading.current_thread) == [threading.current_thread()]


def test_others_begin_when_the_first_waits_for_an_answer_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_START_S", FOREVER_S)
    begun: list[int] = []
    one, other = socket.socketpair()

    def ask() -> list[int]:
        time.sleep(0.02)
        before = list(begun)
        received(one, 9, PATIENCE_S)
        return before

    def answer(number: int) -> None:
        begun.append(number)
        if len(begun) == 2:
            other.send(b"x")

    with one, other:
        results = together(ask, lambda: answer(1), lambda: answer(2))
    assert (results[0], sorted(begun)) == ([], [1, 2])


def test_what_waits_for_nobody_is_done_by_the_callers_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_START_S", FOREVER_S)
    assert together(*[threading.current_thread] * 3) == [threading.current_thread()] * 3


def test_nothing_to_do_is_nothing() -> None:
    assert together() == []


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_a_failure_is_raised_once_the_others_have_ended(failing: int) -> None:
    ended: list[int] = []

    def do(number: int) -> None:
        if number == failing:
            raise ZeroDivisionError
        time.sleep(0.02)
        ended.append(number)

    with pytest.raises(ZeroDivisionError):
        together(*(lambda number=number: do(number) for number in range(3)))
    assert sorted(ended) == [number for number in range(3) if number != failing]


def test_of_several_failures_the_first_in_order_is_raised() -> None:
    def fail(error: Exception) -> None:
        raise error

    with pytest.raises(KeyError):
        together(lambda: fail(KeyError()), lambda: fail(ValueError()))
    assert this_thread.held == []


def test_what_fails_in_the_block_itself_is_raised_once_the_others_have_ended() -> None:
    ended: list[int] = []

    def end_late() -> None:
        time.sleep(0.02)
        ended.append(1)

    def break_off() -> None:
        with Beside() as beside:
            beside.start(lambda: ended.append(0))
            beside.start(end_late)
            raise KeyError

    with pytest.raises(KeyError):
        break_off()
    # The first is only begun when the block ends.
    assert ended == [1]


def test_all_see_the_callers_context() -> None:
    _WHO.set("alice")
    assert together(_WHO.get, _WHO.get) == ["alice", "alice"]


def test_many_at_once_do_not_wait_for_each_other_for_ever() -> None:
    def ask() -> None:
        together(*[lambda: time.sleep(0.01)] * 4)

    threads = [threading.Thread(target=ask) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)


_AT_THE_END = """
import threading, time
from llm_gateway.services.together import Beside, Task

def end_a_query():
    threading.main_thread().join()
    time.sleep(0.1)
    with Beside() as beside:
        tasks = [beside.start(lambda number=number: number) for number in range(3)]
    print([task.result for task in tasks])

with Beside() as beside:
    beside.start(int), beside.start(int)
threading.Thread(target=end_a_query).start()
"""


def test_a_process_that_ends_still_does_what_it_has_begun() -> None:
    """A query outlives the server that took it, and was paid for."""
    done = subprocess.run([sys.executable, "-c", _AT_THE_END], env=_environment(), capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("[0, 1, 2]\n", 0), done.stderr


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}


def test_who_comes_second_to_a_task_waits_for_the_first() -> None:
    """Where a pool has queued it, and had no thread to begin it with."""
    began, go_on = threading.Event(), threading.Event()

    def do() -> int:
        began.set()
        go_on.wait(FOREVER_S)
        return 1

    task = Task(do)
    first = threading.Thread(target=task.run)
    first.start()
    assert began.wait(PATIENCE_S)
    second = threading.Thread(target=task.run)
    second.start()
    assert second.is_alive()
    go_on.set()
    second.join(PATIENCE_S)
    assert task.result == 1
    first.join(PATIENCE_S)
