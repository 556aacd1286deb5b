"""HTTP connections that keep to the deadline in force, follow no redirect and use no proxy; imported on first use, for httpx2."""

import logging
import socket
import ssl
import weakref
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Final

import httpcore2
import httpx2

from llm_gateway.correlation import CURRENT
from llm_gateway.domain.addresses import may_be_called
from llm_gateway.domain.providers import Timeouts
from llm_gateway.providers.bounds import unpacked
from llm_gateway.providers.deadline import Deadline, enforced_deadline

_MOST_CONNECTIONS: Final = 100
_IDLE_CONNECTIONS: Final = 20
_IDLE_S: Final = 20.0
# How long a read may hold before it is asked whether the answer is still wanted.
_LISTEN_S: Final = 0.2
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
        # httpx2 takes no network backend, and only there can a wait be cut to what is left of the deadline.
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_ssl_context(),
            max_connections=_MOST_CONNECTIONS,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_S,
            network_backend=_Backend(private_allowed=private_allowed),
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if (deadline := enforced_deadline()) is not None:
            deadline.begun = True
        if (traceparent := CURRENT.get().traceparent) is not None:
            # After it was signed, where it is.
            request.headers["traceparent"] = traceparent
        response = super().handle_request(request)
        if isinstance(response.stream, httpx2.SyncByteStream):
            # Unpacked here, where it can be counted: some servers pack an answer whatever they are asked.
            response.stream = _Unpacked(response.stream, response.headers.pop("content-encoding", ""))
        return response


class _Unpacked(httpx2.SyncByteStream):
    """A body of bounded size."""

    def __init__(self, stream: httpx2.SyncByteStream, encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding

    def __iter__(self) -> Iterator[bytes]:
        return unpacked(self._stream, self._encoding)

    def close(self) -> None:
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
        """Tries each address of `host` within one timeout, where the socket module would give it to each anew."""
        failure: Exception = AddressForbidden("no address may be called")
        for address in callable_addresses(host, port, private_allowed=self._private_allowed):
            try:
                stream = super().connect_tcp(address, port, _cut(timeout), local_address, socket_options)
                return _Stream(stream)
            except httpcore2.ConnectError as error:
                failure = error
        raise failure


def callable_addresses(host: str, port: int, *, private_allowed: bool) -> list[str]:
    """The addresses of `host` that may be called: what a name stands for may change after it was checked."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore2.ConnectError("the name has no address") from error
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return [address for address in addresses if may_be_called(address, private_allowed=private_allowed)]


class _Stream(httpcore2.NetworkStream):
    """A connection whose every wait is cut to what is left."""

    def __init__(self, stream: httpcore2.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        deadline = enforced_deadline()
        if deadline is None:
            return self._stream.read(max_bytes, timeout)
        while not deadline.cancelled():
            left_s = _cut(timeout)
            try:
                return self._stream.read(max_bytes, _LISTEN_S if left_s is None else min(left_s, _LISTEN_S))
            except httpcore2.ReadTimeout:
                # Nothing yet: `_cut` raises once that has lasted too long.
                continue
        raise httpcore2.ReadError("the answer is no longer wanted")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _cut(timeout))

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
