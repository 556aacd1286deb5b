"""Beside: all that a block starts is done at once, in whatever thread, and a failure waits for the others."""

import threading
import time
from collections.abc import Callable
from contextvars import ContextVar

import pytest
from llm_gateway.services.together import Beside

_WHO: ContextVar[str] = ContextVar("who")


def together(*things: Callable[[], object]) -> list[object]:
    with Beside() as beside:
        tasks = [beside.start(thing) for thing in things]
    return [task.result for task in tasks]


def test_all_run_at_once_and_each_has_its_result() -> None:
    meeting = threading.Barrier(3, timeout=5)

    def answer(number: int) -> int:
        meeting.wait()
        return number

    assert together(lambda: answer(1), lambda: answer(2), lambda: answer(3)) == [1, 2, 3]


def test_one_alone_needs_no_other_thread() -> None:
    assert together(threading.current_thread) == [threading.current_thread()]


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
