"""A proxy in front of an emulated AWS that breaks what a test wants broken: one service, one table, one operation."""

import http.client
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler
from itertools import count
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from tests.adapters.loopback_server import POLL_S, LoopbackServer

_OF_THE_CONNECTION: Final = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """`throttled` and `broken` are answers, `refused` hangs up at once, `hanging` never answers, `slow` takes `lasting_s`;
    `lost` does what was asked, and hangs up then. `every` 3 spares two requests of three."""

    kind: Literal["throttled", "broken", "refused", "hanging", "slow", "lost"]
    lasting_s: float = 0.0
    every: int = 1


THROTTLED: Final = Fault(kind="throttled")
BROKEN: Final = Fault(kind="broken")
REFUSED: Final = Fault(kind="refused")
HANGING: Final = Fault(kind="hanging")
LOST: Final = Fault(kind="lost")


@dataclass(slots=True, kw_only=True)
class _Rule:
    place: str
    fault: Fault
    over: threading.Event = field(default_factory=threading.Event)
    met: Iterator[int] = field(default_factory=count)


class FaultyAws:
    """Passes requests on to `endpoint`. A place is written `service/resource/operation`, with wildcards.

    with FaultyAws(endpoint) as aws, aws.failing("dynamodb/*-keys/*", THROTTLED): ...
    """

    def __init__(self, endpoint: str) -> None:
        address = urlsplit(endpoint)
        self.backend: Final = (address.hostname or "", address.port or 80)
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._server = _Server(self)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        return f"http://{self._server.address}"

    @contextmanager
    def failing(self, place: str, fault: Fault) -> Iterator[None]:
        """Until the block ends."""
        rule = _Rule(place=place, fault=fault)
        with self._lock:
            self._rules.append(rule)
        try:
            yield
        finally:
            with self._lock:
                self._rules.remove(rule)
            rule.over.set()

    def rule_for(self, place: str) -> _Rule | None:
        with self._lock:
            for rule in self._rules:
                if fnmatch(place, rule.place) and next(rule.met) % rule.fault.every == 0:
                    return rule
        return None


class _Server(LoopbackServer):
    def __init__(self, aws: FaultyAws) -> None:
        super().__init__(_Handler)
        self.aws = aws


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    _backend: http.client.HTTPConnection | None = None

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def finish(self) -> None:
        if self._backend is not None:
            self._backend.close()
        super().finish()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        place = _place(self.command, self.path, self.headers.get("x-amz-target", ""), body)
        rule = self.server.aws.rule_for(place)
        match rule.fault if rule else None:
            case None:
                self._pass_on(body)
            case Fault(kind="throttled" | "broken" as kind):
                self._refuse(place, throttled=kind == "throttled")
            case Fault(kind="refused"):
                self._hang_up()
            case Fault(kind="lost"):
                self._ask(body)
                self._hang_up()
            case Fault(kind="slow", lasting_s=lasting_s):
                time.sleep(lasting_s)
                self._pass_on(body)
            case Fault(kind="hanging"):
                self._wait_for_the_end(rule)
                self._hang_up()

    do_GET = do_PUT = do_DELETE = do_HEAD = do_POST  # noqa: N815 - names of the standard library's.

    def _pass_on(self, body: bytes) -> None:
        response, answer = self._ask(body)
        headers = {name: value for name, value in response.getheaders() if name.lower() not in _OF_THE_CONNECTION}
        self._send(response.status, headers, answer)

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        if self._backend is None:
            self._backend = http.client.HTTPConnection(*self.server.aws.backend, timeout=60)
            self._backend.connect()
            self._backend.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._backend.request(self.command, self.path, body, dict(self.headers))
        response = self._backend.getresponse()
        return response, response.read()

    def _refuse(self, place: str, *, throttled: bool) -> None:
        service = place.split("/")[0]
        if service == "s3":
            status, code = (503, "SlowDown") if throttled else (500, "InternalError")
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>To order.</Message></Error>"
            self._send(status, {"content-type": "application/xml"}, text.encode())
            return
        name = "ProvisionedThroughputExceededException" if service == "dynamodb" else "ThrottlingException"
        status, code = (400, name) if throttled else (500, "InternalServerError")
        document = {"__type": f"com.amazonaws.v1#{code}", "message": "To order."}
        self._send(status, {"content-type": "application/x-amz-json-1.0"}, json.dumps(document).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _wait_for_the_end(self, rule: _Rule | None) -> None:
        while rule is not None and not rule.over.is_set() and not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], POLL_S)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _place(method: str, path: str, target: str, body: bytes) -> str:
    """What a request is about: `dynamodb/<table>/GetItem`, `sqs/<queue>/SendMessage`, `s3/<bucket>/PUT` and so on.

    A transaction is about all of its tables: `dynamodb/<table>+<table>/TransactWriteItems`.
    """
    service, _, operation = target.partition(".")
    if not target:
        return f"s3/{path.split('/')[1].partition('?')[0]}/{method}"
    asked: dict[str, Any] = json.loads(body or b"{}")
    if service.startswith("DynamoDB"):
        return f"dynamodb/{_tables(asked)}/{operation}"
    if service == "AmazonSQS":
        return f"sqs/{str(asked.get('QueueUrl', '')).rpartition('/')[2]}/{operation}"
    return f"{service}/{asked.get('SecretId', asked.get('Name', ''))}/{operation}"


def _tables(asked: dict[str, Any]) -> str:
    writes = [next(iter(write.values()))["TableName"] for write in asked.get("TransactItems", ())]
    return asked.get("TableName") or "+".join(sorted({*writes, *asked.get("RequestItems", {})}))
