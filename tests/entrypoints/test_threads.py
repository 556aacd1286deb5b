"""The threads of requests: each request has an end, whatever its handler raises, and a crowd of streams is refused."""

import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest
from llm_gateway.access import Endpoint
from llm_gateway.correlation import CURRENT, Correlation
from llm_gateway.entrypoints.http import Mounted, app_of
from llm_gateway.entrypoints.sse import EventStream
from llm_gateway.entrypoints.threads import Handlers, Streams
from llm_gateway.errors import DependencyUnavailable
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.patience import FOREVER_S, PATIENCE_S


class _Panic(BaseException):
    """As a library in another language raises."""


def _app(answer: Callable[[], Any], *, streams: bool) -> Starlette:
    return app_of(Mounted(Endpoint("get_it", "GET", "/it", None, streams=streams), answer))


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("error", [ValueError(), StopIteration(), _Panic()], ids=lambda error: type(error).__name__)
def test_whatever_a_handler_raises_its_request_ends(error: BaseException, streams: bool) -> None:
    def answer() -> None:
        raise error

    response = TestClient(_app(answer, streams=streams)).get("/it")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")


@pytest.mark.parametrize("error", [ValueError(), _Panic()], ids=lambda error: type(error).__name__)
def test_whatever_a_stream_raises_it_ends(error: BaseException) -> None:
    def made() -> Generator[bytes, None, None]:
        yield b"data: one\n\n"
        raise error

    def answer() -> EventStream:
        return EventStream(made(), render=lambda met: type(met).__name__.encode(), left=threading.Event(), silence_s=5)

    told = TestClient(_app(answer, streams=True)).get("/it").text
    assert told == f"data: one\n\n{'ValueError' if isinstance(error, ValueError) else 'RuntimeError'}"


def test_a_stream_of_a_row_that_has_none_is_sent_all_the_same() -> None:
    def made() -> Generator[bytes, None, None]:
        yield b"data: one\n\n"

    def answer() -> EventStream:
        return EventStream(made(), render=lambda _: b"", left=threading.Event(), silence_s=5)

    assert TestClient(_app(answer, streams=False)).get("/it").text == "data: one\n\n"


def test_one_stream_too_many_is_refused_and_the_next_is_not() -> None:
    streams, go_on, running = Streams(2), threading.Event(), threading.Barrier(3, timeout=PATIENCE_S)

    def stream() -> None:
        running.wait()
        go_on.wait(FOREVER_S)

    streams.run(stream)
    streams.run(stream)
    running.wait()
    with pytest.raises(DependencyUnavailable) as refused:
        streams.run(stream)
    assert refused.value.retry_after_s == 1
    go_on.set()
    done = threading.Event()
    until = time.monotonic() + PATIENCE_S
    while not done.is_set() and time.monotonic() < until:
        try:
            streams.run(done.set)
        except DependencyUnavailable:
            time.sleep(0.01)
        else:
            assert done.wait(PATIENCE_S)
    assert done.is_set()


def test_one_that_fails_keeps_no_place() -> None:
    streams = Streams(1)
    for _ in range(3):
        done = threading.Event()

        def fail(done: threading.Event = done) -> None:
            done.set()
            raise ValueError

        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            try:
                streams.run(fail)
                break
            except DependencyUnavailable:
                time.sleep(0.01)
        assert done.wait(PATIENCE_S)


def test_a_context_goes_along() -> None:
    met: list[Correlation] = []
    done = threading.Event()

    def note() -> None:
        met.append(CURRENT.get())
        done.set()

    mine = Correlation(request_id="req_1")
    token = CURRENT.set(mine)
    try:
        Handlers(1).run(note)
    finally:
        CURRENT.reset(token)
    assert done.wait(PATIENCE_S)
    assert met == [mine]
