"""A client of an app in its own process: each request runs to its end on one event loop, with no thread between them.

Starlette's TestClient has a thread of its own for the loop, and hands over eight times for a request.
"""

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import unquote

import httpx2
from starlette.types import ASGIApp, Message

CLIENT = ("testclient", 50_000)


@contextmanager
def client_of(app: ASGIApp) -> Iterator[httpx2.Client]:
    """What the app does not catch, a request raises."""
    with (
        closing(asyncio.new_event_loop()) as loop,
        httpx2.Client(transport=_InProcess(app, loop), base_url="http://testserver", trust_env=False) as client,
    ):
        client.headers["user-agent"] = "testclient"
        yield client


class _InProcess(httpx2.BaseTransport):
    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> None:
        self._app = app
        self._loop = loop

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        return self._loop.run_until_complete(_answered(self._app, request))


async def _answered(app: ASGIApp, request: httpx2.Request) -> httpx2.Response:
    body, ended, sent, parts = [request.read()], asyncio.Event(), dict[str, Any](), list[bytes]()

    async def receive() -> Message:
        if body:
            return {"type": "http.request", "body": body.pop()}
        await ended.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert not sent, "an answer that begins twice"
            sent.update(message)
        else:
            assert sent, "a body before its headers"
            assert not ended.is_set(), "a body after its end"
            parts.append(bytes(message.get("body", b"")))
            if not message.get("more_body", False):
                ended.set()

    await app(_scope(request), receive, send)
    assert ended.is_set(), "an answer without an end"
    content = b"" if request.method == "HEAD" else b"".join(parts)
    return httpx2.Response(sent["status"], headers=sent["headers"], stream=httpx2.ByteStream(content))


def _scope(request: httpx2.Request) -> dict[str, Any]:
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "path": unquote(url.path),
        "raw_path": url.raw_path.split(b"?", 1)[0],
        "root_path": "",
        "scheme": url.scheme,
        "query_string": url.query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": CLIENT,
        "server": (url.host, url.port or 80),
        "state": {},
    }
