"""Steps tell a person, or a log, what is going on."""

import io
import time

import pytest

from workshop.steps import Ended, Failure, Steps


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown_within(stream: io.StringIO, text: str, *, seconds: float = 5) -> bool:
    deadline = time.monotonic() + seconds
    while text not in stream.getvalue() and time.monotonic() < deadline:
        time.sleep(0.01)
    return text in stream.getvalue()


def test_a_step_ends_with_its_time() -> None:
    stream = io.StringIO()
    times = iter([10.0, *[13.4] * 1000])
    with Steps(stream=stream, clock=lambda: next(times)).step("Emulator") as step:
        step.detail = "port 4567"
    line = stream.getvalue()
    assert line.split() == ["done", "Emulator", "(port", "4567)", "3.4", "s"]


def test_a_failed_step_says_so_and_raises_on() -> None:
    stream = io.StringIO()
    with pytest.raises(Failure, match="no compiler"), Steps(stream=stream).step("llama.cpp"):
        raise Failure("no compiler")
    assert stream.getvalue().split()[:2] == ["failed", "llama.cpp"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, Ended])
def test_a_step_that_somebody_ended_did_not_fail(end: type[BaseException]) -> None:
    stream = io.StringIO()
    with pytest.raises(end), Steps(stream=stream).step("llama.cpp"):
        raise end
    assert stream.getvalue().split()[:2] == ["ended", "llama.cpp"]


def test_a_terminal_sees_a_bar_while_it_waits() -> None:
    stream = Terminal()
    with Steps(stream=stream).step("llama.cpp", fraction=lambda: 0.25):
        assert shown_within(stream, "llama.cpp [#####...............] 25%")


def test_a_log_gets_a_heartbeat_instead() -> None:
    stream = io.StringIO()
    with Steps(stream=stream, heartbeat_s=0.1).step("llama.cpp", fraction=lambda: 0.5):
        assert shown_within(stream, "llama.cpp [##########..........] 50%")
    assert "\r" not in stream.getvalue()
