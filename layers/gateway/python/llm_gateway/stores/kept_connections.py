"""Connections to one address of AWS, kept open: a request goes out in one write, and its answer is read as HTTP/1.1 has it.

This is all of HTTP that AWS's JSON services speak: POST, a length, now and then chunks. A general client takes 100 to 180
microseconds of the processor for what takes 15 here, and every query asks five times.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from select import POLLIN, poll
from socket import IPPROTO_TCP, SO_KEEPALIVE, SOL_SOCKET, TCP_NODELAY, create_connection, socket
from typing import Final, Protocol
from urllib.parse import urlsplit
from weakref import finalize

import botocore
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, HTTPClientError, ReadTimeoutError

from llm_gateway.waiting import received

IDLE_S: Final = 50.0
"""What was not used for longer is not trusted: a process that was frozen meanwhile did not hear the other end go."""
MOST_KEPT: Final = 288
"""The server answers in 256 threads, and some more ask beside them. What is closed instead is connected anew for the next
request, by TLS in several milliseconds of the processor, and under load that happens all the time."""
_MOST_HEAD_BYTES: Final = 64 * 1024
_MOST_BODY_BYTES: Final = 32 * 1024 * 1024
# No less than a record of TLS holds, 16 KB: no poll sees what is left of one that was opened. And a thread waits for its turn
# after every piece: in pieces of 4 KB, a hundred callers waited twice as long.
_PIECE_BYTES: Final = 64 * 1024
_SLOWEST_BYTES_PER_S: Final = 128 * 1024
_MOST_TIMEOUTS: Final = 10
_CONTINUES: Final = range(100, 200)


@dataclass(frozen=True, slots=True)
class Answer:
    """The names of `headers` are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange(Protocol):
    """Sends one POST and waits for its answer. Raises a `BotoCoreError` where there is none."""

    def __call__(self, headers: Mapping[str, str], body: bytes, /) -> Answer: ...


class Unreadable(Exception):
    """What came is no answer."""


class _Ended(ConnectionError):
    """The other end has closed the connection."""


class Connections:
    """An `Exchange` with the server of `url`. Each thread has a connection to itself meanwhile."""

    def __init__(
        self,
        url: str,
        *,
        connect_timeout_s: float,
        read_timeout_s: float,
        trust: Callable[[], ssl.SSLContext] | None = None,
    ) -> None:
        """Trusts servers as botocore does, unless `trust` says otherwise."""
        parts = urlsplit(url)
        self._url = url
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if parts.scheme == "https" else 80)
        self._tls = (trust or _as_botocore)() if parts.scheme == "https" else None
        self._begin = f"POST {parts.path or '/'} HTTP/1.1\r\nuser-agent: llm-gateway\r\naccept-encoding: identity\r\n"
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._kept: list[_Connection] = []
        finalize(self, _close, self._kept)

    def __call__(self, headers: Mapping[str, str], body: bytes, /) -> Answer:
        connection = self._kept_connection() or self._new_connection()
        head = self._begin + "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        try:
            answer, is_last = connection.ask(
                f"{head}content-length: {len(body)}\r\n\r\n".encode("latin-1") + body,
                timeout_s=self._read_timeout_s,
            )
        except (OSError, Unreadable) as fault:
            self._give_up(connection)
            raise self._told(fault) from fault
        except BaseException:
            self._give_up(connection)
            raise
        self._keep(connection, is_last=is_last)
        return answer

    def close(self) -> None:
        """Closes what waits. What comes next opens its own."""
        _close(self._kept)

    def _give_up(self, connection: "_Connection") -> None:
        """Closes what waits, too: a process that was frozen, or a network that forgot, has lost all connections at once."""
        connection.close()
        self.close()

    def _kept_connection(self) -> "_Connection | None":
        """The one that was used last: those that nobody needs grow old."""
        while self._kept:
            try:
                connection = self._kept.pop()
            except IndexError:
                return None
            if connection.is_open():
                return connection
            connection.close()
        return None

    def _new_connection(self) -> "_Connection":
        try:
            raw = create_connection((self._host, self._port), timeout=self._connect_timeout_s)
            try:
                raw.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
                raw.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
                return _Connection(self._tls.wrap_socket(raw, server_hostname=self._host) if self._tls else raw)
            except BaseException:
                raw.close()
                raise
        except OSError as fault:
            raise EndpointConnectionError(endpoint_url=self._url, error=fault) from fault

    def _keep(self, connection: "_Connection", *, is_last: bool) -> None:
        """Keeps it for the next request, and closes those that have grown old meanwhile."""
        connection.used_s = now_s = time.monotonic()
        try:
            while self._kept and now_s - self._kept[0].used_s > IDLE_S:
                self._kept.pop(0).close()
        except IndexError:
            """Another thread has taken the last one."""
        if is_last or len(self._kept) >= MOST_KEPT:
            connection.close()
        else:
            self._kept.append(connection)

    def _told(self, fault: Exception) -> HTTPClientError:
        kind = ReadTimeoutError if isinstance(fault, TimeoutError) else ConnectionClosedError
        told: HTTPClientError = kind(endpoint_url=self._url, error=fault)
        return told


class _Connection:
    """One connection. After a fault it is of no more use."""

    def __init__(self, connected: socket) -> None:
        self._socket = connected
        self._came = bytearray()
        self._until_s = self._last_s = 0.0
        self.used_s = time.monotonic()

    def ask(self, request: bytes, *, timeout_s: float) -> tuple[Answer, bool]:
        """The answer, and whether it was the last. Raises OSError or Unreadable.

        It is a TimeoutError where both together take longer than `timeout_s` and what their size needs on the slowest network.
        """
        now_s, sending_s = time.monotonic(), timeout_s + len(request) / _SLOWEST_BYTES_PER_S
        self._until_s, self._last_s = now_s + sending_s, now_s + _MOST_TIMEOUTS * timeout_s
        self._socket.settimeout(sending_s)
        self._socket.sendall(request)
        status, version, headers = self._head()
        while status in _CONTINUES:
            status, version, headers = self._head()
        length, coding = headers.get("content-length"), headers.get("transfer-encoding")
        if coding is not None:
            if coding.lower() != "chunked":
                raise Unreadable(f"a body sent as {coding[:20]}")
            body = self._chunks()
        elif length is not None:
            body = self._exactly(_size(length, base=10))
        else:
            body = b"" if status == 204 else self._all()
        is_last = version != "HTTP/1.1" or bool(self._came) or headers.get("connection", "").lower() == "close"
        return Answer(status, headers, body), is_last or (length is None and coding is None)

    def is_open(self) -> bool:
        """Whether the other end has neither closed it nor said what nobody asked for."""
        if time.monotonic() - self.used_s > IDLE_S:
            return False
        looking = poll()
        looking.register(self._socket, POLLIN)
        return not looking.poll(0) or self._has_nothing_to_say()

    def close(self) -> None:
        self._socket.close()

    def _has_nothing_to_say(self) -> bool:
        # TLS sends tickets for later connections after the first bytes of this one: they are no answer.
        self._socket.settimeout(0)
        try:
            self._socket.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True
        except OSError:
            return False
        return False

    def _head(self) -> tuple[int, str, Mapping[str, str]]:
        first, *lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, _, rest = first.partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise Unreadable("no HTTP/1.1")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip()
            if headers.setdefault(name, value) != value and name in ("content-length", "transfer-encoding"):
                raise Unreadable(f"two headers {name}")
        return int(rest[:3]), version, headers

    def _chunks(self) -> bytes:
        whole = bytearray()
        while size := _size(self._until(b"\r\n").partition(b";")[0].decode("latin-1"), base=16):
            whole += self._exactly(size)
            if len(whole) > _MOST_BODY_BYTES or self._until(b"\r\n"):
                raise Unreadable("a chunk without its end")
        while self._until(b"\r\n"):
            """What trails is of no interest."""
        return bytes(whole)

    def _until(self, end: bytes) -> bytes:
        while (at := self._came.find(end)) < 0:
            if len(self._came) > _MOST_HEAD_BYTES:
                raise Unreadable("a head without an end")
            self._more()
        return self._take(at, beyond=len(end))

    def _exactly(self, size: int) -> bytes:
        while len(self._came) < size:
            self._more()
        return self._take(size)

    def _all(self) -> bytes:
        try:
            while len(self._came) <= _MOST_BODY_BYTES:
                self._more()
        except _Ended:
            return self._take(len(self._came))
        raise Unreadable("a body without an end")

    def _take(self, size: int, *, beyond: int = 0) -> bytes:
        taken = bytes(self._came[:size])
        del self._came[: size + beyond]
        return taken

    def _more(self) -> None:
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        piece = received(self._socket, _PIECE_BYTES, left_s)
        if not piece:
            raise _Ended
        self._came += piece
        self._until_s = min(self._until_s + len(piece) / _SLOWEST_BYTES_PER_S, self._last_s)


def _close(connections: list[_Connection]) -> None:
    with suppress(IndexError):
        # Others take from them at the same time, so none is asked whether it is there before it is taken.
        while True:
            connections.pop().close()


def _size(text: str, *, base: int) -> int:
    """Raises Unreadable for what is no size of a body."""
    text = text.strip()
    if not text.isalnum() or not text.isascii():
        raise Unreadable("a body without a size")
    try:
        size = int(text, base)
    except ValueError:
        raise Unreadable("a body without a size") from None
    if size > _MOST_BODY_BYTES:
        raise Unreadable("a body beyond all size")
    return size


@cache
def _as_botocore() -> ssl.SSLContext:
    """By the certificates that botocore brings. It takes 20 ms to read them."""
    context = ssl.create_default_context(cafile=str(Path(botocore.__file__).with_name("cacert.pem")))
    context.set_alpn_protocols(["http/1.1"])
    return context
