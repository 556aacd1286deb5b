"""What goes out, and what failures are told as: both are as the SDKs' own clients have them, whichever version is installed."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from llm_gateway.providers import openai_sdk
from llm_gateway.providers.anthropic_messages import adapter as anthropic_messages
from llm_gateway.providers.posting import Posting
from llm_gateway.providers.upstream import Upstream

BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "Grüße, 世界 \U0001f600 \u2028 </x>"}],
    "n": [1, 2.5, None, True],
}
TIMEOUT = httpx2.Timeout(12.625, connect=1.5)
OPENAI = {"OpenAI-Organization": openai.omit, "OpenAI-Project": openai.omit}
SENDERS = {
    "openai": (openai_sdk.client, "/chat/completions", OPENAI, "sk-of-openai"),
    "openai, without a key": (openai_sdk.client, "/embeddings", {**OPENAI, "Authorization": openai.omit}, None),
    "anthropic": (anthropic_messages.client, "/v1/messages", {}, "sk-ant"),
    "anthropic, with headers": (
        anthropic_messages.client,
        "/v1/messages/count_tokens",
        {"anthropic-version": "2023-06-01", "anthropic-beta": "one-more", "Authorization": anthropic.omit},
        None,
    ),
}


class Wire(httpx2.BaseTransport):
    """Notes what goes out, and answers as it is told."""

    def __init__(self, answer: Callable[[], httpx2.Response]) -> None:
        self.sent: list[httpx2.Request] = []
        self._answer = answer

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        return self._answer()


class Sender:
    """One SDK's client as it sends by itself, and a `Posting` that is to send the same."""

    def __init__(self, name: str, answer: Callable[[], httpx2.Response] = lambda: httpx2.Response(200)) -> None:
        client, self.path, self.headers, key = SENDERS[name]
        upstream = Upstream(base_url="https://api.example:8443/root/v1", private_addresses_allowed=True, api_key=key)
        self.wires = Wire(answer), Wire(answer)
        self.https = tuple(
            httpx2.Client(transport=wire, headers={"Accept-Encoding": "identity"}, trust_env=False)
            for wire in self.wires
        )
        self.sdk: Any = client(upstream, self.https[0])
        self.posting = Posting(partial(client, upstream), http=self.https[1])

    def by_sdk(self, body: dict[str, Any], timeout: httpx2.Timeout) -> None:
        options = {"headers": self.headers, "timeout": timeout}
        self.sdk.post(self.path, cast_to=httpx2.Response, body=body, options=options, stream=True).close()

    def by_posting(self, body: dict[str, Any], timeout: httpx2.Timeout) -> None:
        with self.posting.posted(self.path, body, headers=self.headers, timeout=timeout) as chunks:
            b"".join(chunks)


@pytest.fixture(params=SENDERS)
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for vendor in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{vendor}_CUSTOM_HEADERS", "X-Of-The-Environment: secret")
    return str(request.param)


def _told(request: httpx2.Request) -> tuple[object, ...]:
    return request.method, request.url, request.headers.raw, request.read(), request.extensions


def test_sends_what_the_sdk_sends(name: str) -> None:
    sender = Sender(name)
    for body, timeout in ((BODY, TIMEOUT), ({}, httpx2.Timeout(0.1)), (BODY | {"more": "x" * 100_000}, TIMEOUT)):
        sender.by_sdk(body, timeout)
        sender.by_posting(body, timeout)
    by_sdk, by_posting = ([_told(request) for request in wire.sent] for wire in sender.wires)
    assert by_posting == by_sdk
    assert "x-of-the-environment" not in sender.wires[1].sent[0].headers


def test_sends_cookies_as_the_sdk_does_but_none_that_came_with_a_failure_of_another_kind(name: str) -> None:
    def answer() -> httpx2.Response:
        return httpx2.Response(500, headers={"Set-Cookie": "seen=1; Path=/"})

    sender = Sender(name, answer)
    for headers in (sender.headers, sender.headers, {**sender.headers, "X-Another": "1"}):
        sender.headers = headers
        for send in (sender.by_sdk, sender.by_posting):
            with pytest.raises((openai.InternalServerError, anthropic.InternalServerError)):
                send(BODY, TIMEOUT)
    by_sdk, by_posting = ([sorted(request.headers.raw) for request in wire.sent] for wire in sender.wires)
    assert by_posting == by_sdk
    assert [request.headers.get("cookie") for request in sender.wires[1].sent] == [None, "seen=1", "seen=1"]


class Broken(httpx2.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b"{"
        raise httpx2.ReadError("it broke")


def refused(status: int, **how: Any) -> Callable[[], httpx2.Response]:
    return lambda: httpx2.Response(status, **how)


def broken(error: Exception) -> Callable[[], httpx2.Response]:
    def answer() -> httpx2.Response:
        raise error

    return answer


ERROR = {"error": {"type": "invalid_request_error", "message": "no such model", "code": "model_not_found"}}
FAILURES = {
    **{str(status): refused(status, json=ERROR) for status in (302, 400, 401, 403, 404, 409, 413, 422, 429, 500, 529)},
    "text": refused(502, text="<html>Bad gateway</html>"),
    "retried if it could be": refused(408, json=ERROR, headers={"retry-after": "1", "x-should-retry": "true"}),
    "broken": refused(500, stream=Broken()),
    **{
        error.__name__: broken(error("it failed"))
        for error in (
            httpx2.ConnectError,
            httpx2.ConnectTimeout,
            httpx2.ReadTimeout,
            httpx2.PoolTimeout,
            httpx2.RemoteProtocolError,
            httpx2.ReadError,
            ssl.SSLError,
            OSError,
            RuntimeError,
        )
    },
}


@contextmanager
def _failing() -> Iterator[list[Exception]]:
    raised: list[Exception] = []
    try:
        yield raised
    except Exception as error:
        raised.append(error)


@pytest.mark.parametrize("failure", FAILURES)
def test_failures_are_told_as_the_sdk_tells_them(name: str, failure: str) -> None:
    sender = Sender(name, FAILURES[failure])
    told = []
    for send in (sender.by_sdk, sender.by_posting):
        with _failing() as raised:
            send(BODY, TIMEOUT)
        (error,) = raised
        response = getattr(error, "response", None)
        content = None if response is None else (response.status_code, response.content, response.headers.raw)
        told.append((type(error), str(error), error.args, type(error.__cause__), getattr(error, "body", None), content))
    assert told[0] == told[1]
    assert len(sender.wires[1].sent) == 1


@pytest.mark.parametrize("value", ["\ud800", float("nan"), float("inf"), {1j}], ids=repr)
def test_what_no_json_holds_is_not_sent(name: str, value: object) -> None:
    sender = Sender(name)
    with pytest.raises((UnicodeEncodeError, ValueError, TypeError)):
        sender.by_posting({"model": value}, TIMEOUT)
    assert sender.wires[1].sent == []


def test_a_key_is_in_no_letters_words(name: str) -> None:
    sender = Sender(name)
    letter = sender.posting._letter(sender.path, tuple(sender.headers.items()))
    assert b"Host" in dict(letter.headers)
    assert "sk-" not in repr(letter)
