"""HTTP connections that keep to the deadline in force, follow no redirect and use no proxy; imported on first use, for httpx2."""

import logging
import socket
import ssl
import time
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache, partial
from typing import Any, Final

import httpcore2
import httpx2

from llm_gateway.correlation import CURRENT
from llm_gateway.domain.addresses import may_be_called
from llm_gateway.domain.providers import Timeouts
from llm_gateway.ports.system import never
from llm_gateway.providers.bounds import unpacked
from llm_gateway.providers.broken_off import READS, BrokenOff, Watched
from llm_gateway.providers.connection_pool import ConnectionPool
from llm_gateway.providers.deadline import Deadline, enforced_deadline
from llm_gateway.waiting import received

# A stream holds one for as long as its model writes, and the local server streams to hundreds at once.
_MOST_CONNECTIONS: Final = 1000
_IDLE_CONNECTIONS: Final = 100
_IDLE_S: Final = 20.0
_LEAST_S: Final = 0.001
_MOST_UNSENT_BYTES: Final = 64 * 1024
# At their debug level these print prompts and headers.
_TALKATIVE: Final = ("anthropic", "openai", "httpx2", "httpcore2")


def http_client(owner: object, *, private_allowed: bool, auth: httpx2.Auth | None = None) -> httpx2.Client:
    """A client to be reused: it keeps connections open, until `owner` is gone, and to private addresses only where allowed."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    # No proxy of the environment: it would see what a plain-http model server is asked, and stand in the way to loopback.
    # No redirect: another host would be handed the credential.
    client = httpx2.Client(
        transport=_Transport(private_allowed=private_allowed),
        auth=auth,
        # Packing an answer saves little, and costs both sides time.
        headers={"Accept-Encoding": "identity"},
        trust_env=False,
        follow_redirects=False,
    )
    # Nobody else knows when the last call of an adapter that fell out of use has ended.
    weakref.finalize(owner, client.close)
    return client


def http_timeout(timeouts: Timeouts, deadline: Deadline) -> httpx2.Timeout:
    left_s = deadline.remaining_s()
    return httpx2.Timeout(left_s, connect=min(timeouts.connect_s, left_s))


class _Transport(httpx2.HTTPTransport):
    def __init__(self, *, private_allowed: bool) -> None:
        super().__init__(verify=_ssl_context())
        connect = partial(
            httpcore2.HTTPConnection,
            ssl_context=_ssl_context(),
            keepalive_expiry=_IDLE_S,
            # httpx2 takes no network backend, and only there can a wait be cut to what is left of the deadline.
            network_backend=_Backend(private_allowed=private_allowed),
        )
        self._pool = ConnectionPool(connect, most=_MOST_CONNECTIONS, most_kept=_IDLE_CONNECTIONS, idle_s=_IDLE_S)  # type: ignore[assignment]

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if (deadline := enforced_deadline()) is not None:
            deadline.begun = True
        if (traceparent := CURRENT.get().traceparent) is not None:
            # After it was signed, where it is.
            request.headers["traceparent"] = traceparent
        try:
            response = super().handle_request(request)
        except BaseException:
            _leave(deadline)
            raise
        if isinstance(response.stream, httpx2.SyncByteStream):
            # Unpacked here, where it can be counted: some servers pack an answer whatever they are asked.
            response.stream = _Unpacked(response.stream, response.headers.pop("content-encoding", ""), deadline)
        return response


def _leave(deadline: Deadline | None) -> None:
    if deadline is not None and deadline.watched is not None:
        watched, deadline.watched = deadline.watched, None
        READS.end(watched)


class _Unpacked(httpx2.SyncByteStream):
    """A body of bounded size, of the exchange that keeps to `deadline`."""

    def __init__(self, stream: httpx2.SyncByteStream, encoding: str, deadline: Deadline | None) -> None:
        self._stream = stream
        self._encoding = encoding
        self._deadline = deadline

    def __iter__(self) -> Iterator[bytes]:
        return unpacked(self._stream, self._encoding)

    def close(self) -> None:
        # First: its connection may serve another call as soon as it is given back.
        _leave(self._deadline)
        self._stream.close()


@cache
def _ssl_context() -> ssl.SSLContext:
    """Loading certificates is most of what a client costs, so all clients share them."""
    return httpx2.create_ssl_context()


class AddressForbidden(httpcore2.ConnectError):
    """A name stands for addresses that nobody may call."""


class _Backend(httpcore2.SyncBackend):
    def __init__(self, *, private_allowed: bool) -> None:
        super().__init__()
        self._private_allowed = private_allowed

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        """Tries each address of `host`, all of them within one timeout: one that says nothing takes no more than its share."""
        addresses = callable_addresses(host, port, private_allowed=self._private_allowed)
        failure: Exception = AddressForbidden("no address may be called")
        for address, timeout_s in zip(addresses, _shares(_cut(timeout), len(addresses)), strict=True):
            try:
                return _Stream(super().connect_tcp(address, port, timeout_s, local_address, socket_options))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


def _shares(duration_s: float | None, count: int) -> Iterator[float | None]:
    """How long each of `count` things may take, so that all take no longer than `duration_s` from now."""
    ends_at_s = None if duration_s is None else time.monotonic() + duration_s
    for left in range(count, 0, -1):
        # None at all would be not to try.
        yield None if ends_at_s is None else max(ends_at_s - time.monotonic(), _LEAST_S) / left


def callable_addresses(host: str, port: int, *, private_allowed: bool) -> list[str]:
    """The addresses of `host` that may be called: what a name stands for may change after it was checked."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore2.ConnectError("the name has no address") from error
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [address for address in addresses if may_be_called(address, private_allowed=private_allowed)]


class _Stream(httpcore2.NetworkStream):
    """A connection whose every wait is cut to what is left. A request's head leaves with its body: one packet, one wake-up."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream
        self._socket: socket.socket = stream.get_extra_info("socket")
        self._unsent = b""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._unsent:
            # One that is answered before it has read all closes its end early, and its answer is what is wanted.
            with suppress(httpcore2.WriteError):
                self._send(timeout)
        deadline, left_s = enforced_deadline(), _cut(timeout)
        if deadline is None or deadline.cancelled is never:
            return self._receive(max_bytes, left_s)
        try:
            return self._watched(deadline).during(partial(self._receive, max_bytes, left_s))
        except BrokenOff as error:
            raise httpcore2.ReadError("the answer is no longer wanted") from error

    def _receive(self, max_bytes: int, timeout_s: float | None) -> bytes:
        """As httpcore2's own stream does it, which makes a context for each read."""
        try:
            return received(self._socket, max_bytes, timeout_s)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout(error) from error
        except OSError as error:
            raise httpcore2.ReadError(error) from error

    def _watched(self, deadline: Deadline) -> Watched:
        if deadline.watched is None:
            deadline.watched = READS.begin(self._socket, deadline.cancelled)
        return deadline.watched

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._unsent += buffer
        if len(self._unsent) > _MOST_UNSENT_BYTES:
            self._send(timeout)

    def _send(self, timeout: float | None) -> None:
        unsent, self._unsent = self._unsent, b""
        if unsent:
            deadline = enforced_deadline()
            if deadline is not None and deadline.cancelled():
                # What nobody wants would be paid for all the same.
                raise httpcore2.ReadError("the answer is no longer wanted")
            self._stream.write(unsent, _cut(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _cut(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _cut(timeout: float | None) -> float | None:
    """`timeout`, or what the deadline leaves of it. Raises `ReadTimeout` where that is nothing."""
    deadline = enforced_deadline()
    if deadline is None:
        return timeout
    left_s = deadline.remaining_s()
    if left_s <= 0:
        raise httpcore2.ReadTimeout("the deadline has passed")
    return left_s if timeout is None else min(timeout, left_s)
