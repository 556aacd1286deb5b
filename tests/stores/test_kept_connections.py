"""Kept connections against servers that are slow, rude, wrong or gone: an answer is whole, or there is none."""

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from llm_gateway.stores import kept_connections
from llm_gateway.stores.kept_connections import Answer, Connections

from tests.adapters.certificates import self_signed
from tests.adapters.ministack import free_port
from tests.adapters.upstream import ScriptedUpstream
from tests.patience import FOREVER_S, LATE_S, PATIENCE_S

READ_TIMEOUT_S = 0.5
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
HI = Answer(200, {"content-length": "2"}, b"hi")

Said = Sequence[bytes | float]


class RudeServer:
    """Says on each connection what its script has for it, a request at a time; waits where a number of seconds stands in it."""

    def __init__(self, *connections: Sequence[Said], tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.is_done = False
        self._closing = threading.Event()
        self._scripts = list(connections)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(PATIENCE_S)

    def _serve(self) -> None:
        with suppress(OSError):
            for script in self._scripts:
                connection, _ = self._listener.accept()
                if self._tls:
                    connection = self._tls.wrap_socket(connection, server_side=True)
                self.connections += 1
                with connection, suppress(OSError):
                    self._play(connection, script)

    def _play(self, connection: socket.socket, script: Sequence[Said]) -> None:
        for said in script:
            request = connection.recv(65536)
            self.requests.append(request)
            for part in said:
                if isinstance(part, bytes):
                    connection.sendall(part)
                else:
                    self._closing.wait(part)
        self.is_done = True


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[RudeServer, Connections]]]:
    made: list[tuple[RudeServer, Connections]] = []

    def start(*connections: Sequence[Said], read_timeout_s: float = PATIENCE_S) -> tuple[RudeServer, Connections]:
        server = RudeServer(*connections)
        made.append((server, Connections(server.url, connect_timeout_s=PATIENCE_S, read_timeout_s=read_timeout_s)))
        return made[-1]

    yield start
    for server, asked in made:
        asked.close()
        server.close()


def test_a_request_goes_out_whole_with_its_headers(serve) -> None:
    server, asked = serve([[OK]])
    assert asked({"x-amz-target": "T.Op"}, b"body") == HI
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST / HTTP/1.1"
    assert {b"x-amz-target: T.Op", b"content-length: 4", b"accept-encoding: identity"} <= {*head.split(b"\r\n")}
    assert body == b"body"


def test_a_connection_is_used_again(serve) -> None:
    server, asked = serve([[OK], [OK], [OK]])
    for _ in range(3):
        assert asked({}, b"") == HI
    assert server.connections == 1


@pytest.mark.parametrize(
    "said",
    [
        [OK[:5], 0.01, OK[5:30], 0.01, OK[30:]],
        [b"HTTP/1.1 100 Continue\r\n\r\n", OK],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;a=b\r\ni\r\n0\r\nTrailer: x\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\ncontent-length:2\r\nContent-Length: 2\r\n\r\nhi"],
    ],
)
def test_an_answer_is_read_however_it_comes(serve, said: Said) -> None:
    server, asked = serve([said, [OK]])
    assert asked({}, b"").body == b"hi"
    assert asked({}, b"") == HI
    assert server.connections == 1


@pytest.mark.parametrize(
    ("said", "body"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", b"hi"),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        # What nobody asked for is not the next one's answer.
        (OK + OK, b"hi"),
    ],
)
def test_a_connection_that_may_not_be_kept_is_not(serve, said: bytes, body: bytes) -> None:
    server, asked = serve([[said]], [[OK]])
    assert asked({}, b"").body == body
    assert asked({}, b"") == HI
    assert server.connections == 2


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi??0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-2\r\nhi\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"x" * 100_000,
    ],
)
def test_what_is_no_answer_is_told_as_a_line_that_was_cut(serve, said: bytes) -> None:
    server, asked = serve([[said]], [[OK]])
    with pytest.raises(ConnectionClosedError):
        asked({}, b"")
    assert asked({}, b"") == HI
    assert server.connections == 2


@pytest.mark.parametrize(
    "said",
    [
        [FOREVER_S, OK],
        [OK[:10], FOREVER_S],
        [piece for byte in OK for piece in (bytes([byte]), 0.3)],
    ],
)
def test_one_deadline_holds_for_the_whole_answer(serve, said: Said) -> None:
    _, asked = serve([said], read_timeout_s=READ_TIMEOUT_S)
    started = time.monotonic()
    with pytest.raises(ReadTimeoutError):
        asked({}, b"")
    assert time.monotonic() - started < READ_TIMEOUT_S + LATE_S


def until_it_hears(asked: Connections) -> None:
    assert select.select([asked._kept[0]._socket], [], [], PATIENCE_S)[0]


def test_a_connection_that_was_closed_meanwhile_is_not_used(serve) -> None:
    server, asked = serve([[OK]], [[OK]])
    assert asked({}, b"") == HI
    until_it_hears(asked)
    assert asked({}, b"") == HI
    assert len(server.requests) == 2


def test_a_connection_that_speaks_unasked_is_not_used(serve) -> None:
    server, asked = serve([[OK, 0.05, b"more"]], [[OK]])
    asked({}, b"")
    until_it_hears(asked)
    assert asked({}, b"") == HI
    assert server.connections == 2


def test_a_connection_that_was_idle_for_long_is_not_trusted(serve) -> None:
    server, asked = serve([[OK], [OK]], [[OK]])
    asked({}, b"")
    asked._kept[0].used_s -= kept_connections.IDLE_S + 1
    assert asked({}, b"") == HI
    assert server.connections == 2


def test_after_a_fault_no_other_kept_connection_is_trusted(serve) -> None:
    """What ends one, as a process that was frozen or a network that forgot, has most often ended them all."""
    _, asked = serve([[OK], [FOREVER_S]], read_timeout_s=READ_TIMEOUT_S)
    asked({}, b"")
    asked._kept.insert(0, silent := asked._new_connection())
    with pytest.raises(ReadTimeoutError):
        asked({}, b"")
    assert asked._kept == []
    assert silent._socket.fileno() == -1


def test_connections_that_nobody_needs_any_more_are_closed(serve) -> None:
    _, asked = serve([[OK], [OK]])
    asked({}, b"")
    unneeded = [asked._new_connection() for _ in range(3)]
    for each in unneeded[:2]:
        each.used_s -= kept_connections.IDLE_S + 1
    asked._kept[:0] = unneeded
    asked({}, b"")
    assert [each._socket.fileno() == -1 for each in unneeded] == [True, True, False]
    assert len(asked._kept) == 2


class LookedAtByTwo(list[kept_connections._Connection]):
    """Two threads see what is in it before either of them takes any."""

    def __init__(self, *connections: kept_connections._Connection) -> None:
        super().__init__(connections)
        self.both = threading.Barrier(2)

    def __len__(self) -> int:
        seen = super().__len__()
        with suppress(threading.BrokenBarrierError):
            self.both.wait(1)
        return seen


def test_two_may_close_what_waits_at_once(serve) -> None:
    """A network that is cut ends the requests of many threads, and each of them closes what waits."""
    _, asked = serve()
    connection = asked._new_connection()
    waiting = LookedAtByTwo(connection)
    asked._kept = waiting
    with ThreadPoolExecutor(2) as pool:
        for closing in [pool.submit(asked.close) for _ in range(2)]:
            closing.result()
    assert waiting == []
    assert connection._socket.fileno() == -1


def test_a_long_answer_may_take_longer(serve) -> None:
    """What comes slowly, but comes, is no silence."""
    piece = b"x" * 65536
    said = [part for _ in range(8) for part in (piece, READ_TIMEOUT_S / 4)]
    _, asked = serve([[b"HTTP/1.1 200 OK\r\nContent-Length: 524288\r\n\r\n", *said]], read_timeout_s=READ_TIMEOUT_S)
    assert asked({}, b"").body == 8 * piece


def test_no_answer_takes_as_long_as_it_likes(serve) -> None:
    said = [part for _ in range(60) for part in (b"x" * 65536, 0.02)]
    server, _ = serve([[b"HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n", *said]])
    asked = Connections(server.url, connect_timeout_s=1, read_timeout_s=0.05)
    with pytest.raises(ReadTimeoutError):
        asked({}, b"")
    assert not server.is_done


def test_nobody_there_is_said() -> None:
    asked = Connections(f"http://127.0.0.1:{free_port()}", connect_timeout_s=1, read_timeout_s=1)
    with pytest.raises(EndpointConnectionError):
        asked({}, b"")


def test_as_many_connections_are_open_as_are_asked_at_once(serve) -> None:
    server, asked = serve([[0.3, OK]], [[OK]])
    slow = threading.Thread(target=asked, args=({}, b""))
    slow.start()
    fast = Connections(server.url, connect_timeout_s=1, read_timeout_s=5)
    assert fast({}, b"") == HI
    slow.join()
    fast.close()
    assert server.connections == 2


def test_a_fault_says_nothing_of_what_was_sent(serve) -> None:
    _, asked = serve([[b"nonsense\r\n\r\n"]])
    with pytest.raises(BotoCoreError) as caught:
        asked({"authorization": "a signature"}, b"a secret")
    assert "signature" not in repr(caught.value)
    assert "secret" not in str(caught.value)


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return self_signed(tmp_path)


@pytest.fixture
def secured(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with ScriptedUpstream(tls=context) as upstream:
        yield upstream.openai_base_url + "/models"


def test_tickets_that_tls_sends_unasked_are_no_reason_to_close(secured: str, certificate: Path) -> None:
    asked = Connections(
        secured,
        connect_timeout_s=1,
        read_timeout_s=5,
        trust=lambda: ssl.create_default_context(cafile=str(certificate)),
    )
    unused = asked._new_connection()
    time.sleep(0.1)
    assert unused.is_open()
    asked._kept.append(unused)
    for _ in range(2):
        assert asked({"host": "127.0.0.1"}, b"{}").status > 0
    assert asked._kept == [unused]
    asked.close()


def test_what_tls_has_opened_already_is_no_answer_to_the_next_request(certificate: Path) -> None:
    """TLS opens a whole record at once. A poll looks at the socket, and does not see the rest of an opened record."""
    body = b"x" * 4_096
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    # As much as one might read at once, to the byte.
    first = head % (len(body) - len(head % len(body))) + body
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    late = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"
    server = RudeServer([[first[: len(body)] + late], [OK]], [[OK]], tls=context)
    asked = Connections(
        server.url,
        connect_timeout_s=PATIENCE_S,
        read_timeout_s=PATIENCE_S,
        trust=lambda: ssl.create_default_context(cafile=str(certificate)),
    )
    assert asked({}, b"").status == 200
    assert asked({}, b"") == HI
    assert server.connections == 2
    asked.close()
    server.close()


def test_a_server_that_botocore_would_not_trust_is_not_asked(secured: str) -> None:
    asked = Connections(secured, connect_timeout_s=1, read_timeout_s=1)
    with pytest.raises(EndpointConnectionError):
        asked({"authorization": "a signature"}, b"")
