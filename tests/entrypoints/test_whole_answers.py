"""Whole answers that may take as long as a stream: headers in time, white space in silence, a broken line for a late failure."""

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from llm_gateway.entrypoints import streaming
from llm_gateway.entrypoints.request_state import PLACE, RequestState
from llm_gateway.errors import NoProviderAvailable
from starlette.requests import Request
from starlette.types import Message

from tests.patience import FOREVER_S

Answer = Callable[[], tuple[bytes, dict[str, str]]]


def _request() -> Request:
    state = RequestState(request_id="req_1", received_s=0)
    return Request({"type": "http", "headers": [], "root_path": "", PLACE: state})


async def _answered(answer: Answer, sent: list[Message], *, silence_s: float = 5) -> None:
    request = _request()
    waiting = threading.Event()

    async def receive() -> Message:
        await asyncio.get_running_loop().run_in_executor(None, waiting.wait, 5)
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    response = streaming.whole_answer(request, answer, silence_s=silence_s)
    try:
        await response.begin()
        await response(request.scope, receive, send)
    finally:
        waiting.set()


def _body(sent: list[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in sent)


def _head(sent: list[Message]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LONGEST_HEAD_S", 0.01)


def _run(coroutine: Any) -> None:
    asyncio.run(coroutine)


def test_an_answer_in_time_has_its_own_headers() -> None:
    sent: list[Message] = []
    _run(_answered(lambda: (b'{"a": 1}', {"X-Gateway-Provider": "a"}), sent))
    assert _head(sent)["content-type"] == "application/json"
    assert _head(sent)["x-gateway-provider"] == "a"
    assert _body(sent) == b'{"a": 1}'


def test_a_failure_in_time_is_raised_before_anything_is_sent() -> None:
    def fail() -> tuple[bytes, dict[str, str]]:
        raise NoProviderAvailable("Nobody.")

    sent: list[Message] = []
    with pytest.raises(NoProviderAvailable):
        _run(_answered(fail, sent))
    assert sent == []


@pytest.mark.usefixtures("impatient")
def test_white_space_keeps_the_line_alive() -> None:
    go_on = threading.Event()

    def answer() -> tuple[bytes, dict[str, str]]:
        go_on.wait(FOREVER_S)
        return b'{"a": 1}', {"X-Gateway-Provider": "a"}

    class Sent(list[Message]):
        def append(self, message: Message) -> None:
            super().append(message)
            if _body(self).count(b" ") > 2:
                go_on.set()

    sent = Sent()
    _run(_answered(answer, sent, silence_s=0.01))
    assert _body(sent).startswith(b"   ")
    assert json.loads(_body(sent)) == {"a": 1}


@pytest.mark.usefixtures("impatient")
def test_a_late_failure_breaks_the_connection() -> None:
    go_on = threading.Event()

    def fail() -> tuple[bytes, dict[str, str]]:
        go_on.wait(FOREVER_S)
        raise NoProviderAvailable("Nobody.")

    class Sent(list[Message]):
        def append(self, message: Message) -> None:
            super().append(message)
            go_on.set()

    sent = Sent()
    with pytest.raises(NoProviderAvailable):
        _run(_answered(fail, sent, silence_s=5))
    assert all(message.get("more_body", True) for message in sent)
