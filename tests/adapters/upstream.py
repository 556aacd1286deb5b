"""A provider that does as it is told: real HTTP on loopback, both vendors' wires, strict about requests, faults to order."""

import json
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Literal, Self

from tests.adapters.loopback_server import POLL_S, LoopbackServer
from tests.adapters.upstream_converse import CONVERSE, check_converse
from tests.adapters.upstream_embeddings import EMBEDDINGS, TITAN, check_embeddings, check_titan
from tests.adapters.upstream_rules import (
    Complaint,
    check_chat_completions,
    check_messages,
    check_responses,
    check_thoughts,
    thoughts_in,
)
from tests.adapters.upstream_wires import CHAT_COMPLETIONS, MESSAGES, RESPONSES, Counts, Said, Wire


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFault:
    """What goes wrong in a stream after `after` pieces of content.

    `disconnect` breaks the connection, `truncate` ends the stream in good order, `stall` says nothing for `lasting_s`,
    `chatter` keeps the connection alive meanwhile, `malformed` sends an event that is not JSON, `error` an error event.
    """

    kind: Literal["disconnect", "truncate", "stall", "chatter", "malformed", "error"]
    after: int = 2
    lasting_s: float = 5.0
    error: Mapping[str, Any] = field(default_factory=lambda: {"type": "overloaded_error", "message": "SECRET-WORDS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A 200. Streamed where the request asks for it; `sse` rewrites the stream's bytes, `between_s` passes between its events."""

    said: Said = field(default_factory=Said)
    counts: Counts | None = field(default_factory=Counts)
    fault: StreamFault | None = None
    delay_s: float = 0.0
    between_s: float = 0.0
    sse: Callable[[bytes], Iterable[bytes]] = lambda event: [event]


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error, in the wire's own form unless `body` says otherwise."""

    status: int
    code: str | None = None
    type: str = "api_error"
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """Exactly these bytes after a 200, `dripped_s` between one and the next."""

    body: bytes
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    dripped_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """No answer at all: after `delay_s` the connection is closed."""

    delay_s: float = 0.0


Behavior = Answer | Refusal | Raw | HangUp

_WIRES = {
    "/chat/completions": CHAT_COMPLETIONS,
    "/responses": RESPONSES,
    "/messages": MESSAGES,
    "/converse": CONVERSE,
    "/converse-stream": CONVERSE,
    "/embeddings": EMBEDDINGS,
    "/invoke": TITAN,
}


@dataclass(slots=True, kw_only=True)
class Recorded:
    """A request as it came. `left` is set once the client has closed the connection before the answer's end."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    connection: int
    left: threading.Event = field(default_factory=threading.Event)


class ScriptedUpstream:
    """Behaves as scripted, request by request, and as `otherwise` says when the script is at its end.

    with ScriptedUpstream() as upstream:
        upstream.script(Refusal(status=529), Answer())
    """

    def __init__(self, *, otherwise: Behavior | None = None, tls: ssl.SSLContext | None = None) -> None:
        self.otherwise: Behavior = otherwise or Answer()
        self._scheme = "https" if tls else "http"
        self.requests: list[Recorded] = []
        # Where it remembers its thoughts, it wants all of them back, exactly as they were.
        self.thoughts: list[dict[str, Any]] | None = None
        self._script: deque[Behavior] = deque()
        self._lock = threading.Lock()
        self._server = _Server(self, tls)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        return f"{self._scheme}://{self._server.address}"

    @property
    def openai_base_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def anthropic_base_url(self) -> str:
        return self.url

    def script(self, *behaviors: Behavior) -> Self:
        with self._lock:
            self._script.extend(behaviors)
        return self

    def reset(self) -> None:
        with self._lock:
            self._script.clear()
            self.requests.clear()
            self.otherwise = Answer()
            self.thoughts = None

    def record(self, request: Recorded) -> Behavior:
        with self._lock:
            self.requests.append(request)
            return self._script.popleft() if self._script else self.otherwise


class _Server(LoopbackServer):
    def __init__(self, upstream: ScriptedUpstream, tls: ssl.SSLContext | None) -> None:
        super().__init__(_Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.upstream = upstream


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    _request: Recorded

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._request = Recorded(
            path=self.path, headers=headers, body=json.loads(raw), connection=self.client_address[1]
        )
        behavior = self.server.upstream.record(self._request)
        if self.path.endswith(("/messages/count_tokens", "/tokenize")):
            self._behave(behavior, MESSAGES if self.path.endswith("count_tokens") else CHAT_COMPLETIONS)
            return
        wire = next((wire for end, wire in _WIRES.items() if self.path.endswith(end)), None)
        if wire is None:
            self._send(404, b'{"error": {"message": "SECRET-WORDS", "type": "not_found_error"}}')
            return
        try:
            self._check(wire, raw)
            if self.server.upstream.thoughts is not None:
                check_thoughts(self._request.body, self.server.upstream.thoughts)
        except Complaint as complaint:
            behavior = Refusal(status=complaint.status, type=complaint.type, param=complaint.param, code=complaint.code)
        self._behave(behavior, wire)

    def _check(self, wire: Wire, raw: bytes) -> None:
        if wire is EMBEDDINGS:
            check_embeddings(self._request.headers, self._request.body)
        elif wire is TITAN:
            check_titan(self.path, self._request.headers, raw)
        elif wire is CONVERSE:
            check_converse(self.path, self._request.headers, raw)
        elif wire is MESSAGES:
            check_messages(self._request.headers, self._request.body)
        elif wire is RESPONSES:
            check_responses(self._request.headers, self._request.body)
        else:
            check_chat_completions(self._request.headers, self._request.body)

    def _behave(self, behavior: Behavior, wire: Wire) -> None:
        match behavior:
            case Refusal():
                body = (
                    behavior.body
                    if behavior.body is not None
                    else wire.error(behavior.type, behavior.code, behavior.param)
                )
                self._send(behavior.status, body, behavior.headers)
            case Raw(dripped_s=0):
                self._send(200, behavior.body, {"content-type": behavior.content_type, **behavior.headers})
            case Raw():
                self._head(200, {"content-type": behavior.content_type, "content-length": str(len(behavior.body))})
                for byte in behavior.body:
                    self.wfile.write(bytes([byte]))
                    self._wait(behavior.dripped_s)
            case HangUp():
                self._wait(behavior.delay_s)
                self._hang_up()
            case Answer():
                self._wait(behavior.delay_s)
                if self.server.upstream.thoughts is not None:
                    self.server.upstream.thoughts += thoughts_in(wire.whole(behavior.said, behavior.counts))
                if self._request.body.get("stream") or self.path.endswith("-stream"):
                    self._stream(behavior, wire)
                else:
                    told = wire.answering
                    whole = told(self._request.body) if told else wire.whole(behavior.said, behavior.counts)
                    self._send(200, json.dumps(whole).encode())

    def _stream(self, answer: Answer, wire: Wire) -> None:
        self._head(200, {"content-type": wire.content_type, "transfer-encoding": "chunked"})
        fault, contents = answer.fault, 0
        for event, is_content in wire.events(self._request.body, answer.said, answer.counts):
            if fault and is_content and contents == fault.after:
                if not self._go_wrong(fault, wire):
                    return
                fault = None
            contents += is_content
            for piece in answer.sse(event):
                self._chunk(piece)
            self._wait(answer.between_s)
        self._chunk(b"")

    def _go_wrong(self, fault: StreamFault, wire: Wire) -> bool:
        """Whether the stream goes on all the same."""
        match fault.kind:
            case "disconnect":
                self._hang_up()
            case "truncate":
                self._chunk(b"")
            case "stall":
                self._wait(fault.lasting_s)
                return True
            case "chatter":
                until = time.monotonic() + fault.lasting_s
                while time.monotonic() < until:
                    self._chunk(wire.keep_alive)
                    self._wait(POLL_S)
                return True
            case "malformed":
                self._chunk(wire.malformed)
                return True
            case "error":
                self._chunk(wire.error_event(fault.error))
                self._chunk(b"")
        return False

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        given = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        self._head(status, given)
        self.wfile.write(body)

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _chunk(self, data: bytes) -> None:
        try:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        except OSError:
            self._request.left.set()
            raise

    def _wait(self, duration_s: float) -> None:
        """Waits, unless the client leaves or the server stops."""
        until = time.monotonic() + duration_s
        while (left_s := until - time.monotonic()) > 0 and not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], min(left_s, POLL_S))
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                self._request.left.set()
                raise ConnectionAbortedError

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
