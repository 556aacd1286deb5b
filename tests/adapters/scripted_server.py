"""A server on loopback that answers as a test says, request by request, whatever it is asked."""

import json
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.adapters.loopback_server import POLL_S, LoopbackServer


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """`body` is sent as JSON, text as it is; `hangs_up` closes the connection instead, `after_s` is waited first."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    hangs_up: bool = False
    after_s: float = 0.0


def problem(status: int, code: str, *, retry_after_s: int | None = None, **more: Any) -> Reply:
    body = {"status": status, "code": code, "title": code, "detail": f"It is {code}.", "request_id": "req-1", **more}
    return Reply(status=status, body=body, headers={} if retry_after_s is None else {"Retry-After": str(retry_after_s)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass
class ScriptedServer:
    """After its `script` it says `otherwise`. `seen` has what it was asked."""

    url: str = ""
    script: deque[Reply] = field(default_factory=deque)
    otherwise: Reply = field(default_factory=Reply)
    seen: list[Seen] = field(default_factory=list)


@contextmanager
def scripted_server(*script: Reply, otherwise: Reply | None = None) -> Iterator[ScriptedServer]:
    scripted = ScriptedServer(script=deque(script), otherwise=otherwise or Reply())

    class Handler(_Handler):
        told = scripted

    server = LoopbackServer(Handler)
    scripted.url = f"http://{server.address}"
    server.start()
    try:
        yield scripted
    finally:
        server.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    told: ScriptedServer
    server: LoopbackServer

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(method=self.command, path=self.path, headers=headers, body=_read(raw))
        self.told.seen.append(seen)
        reply = self.told.script.popleft() if self.told.script else self.told.otherwise
        until_s = time.monotonic() + reply.after_s
        while time.monotonic() < until_s and not self.server.stopping.is_set():
            time.sleep(POLL_S)
        if reply.hangs_up:
            self.close_connection = True
            return
        content = reply.body.encode() if isinstance(reply.body, str) else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": "application/json", **reply.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *args: Any) -> None:
        """Nothing to the terminal."""


def _read(raw: bytes) -> Any:
    """JSON as what it says, everything else as text."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw.decode(errors="replace")
