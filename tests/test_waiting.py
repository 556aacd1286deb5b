"""Connections that wait: they end in time, see what is there already, and hold no room for what has not come."""

import math
import socket
import ssl
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import BotoCoreError
from llm_gateway import waiting
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.errors import GatewayError
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers import transport
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.stores import kept_connections
from llm_gateway.stores.kept_connections import Connections
from llm_gateway.waiting import received

from tests.adapters.certificates import self_signed
from tests.patience import PATIENCE_S
from tests.providers.conftest import asking, config

CALLERS = 40
MOST_BYTES_A_WAIT = 8 * 1024


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[ssl.SSLSocket, ssl.SSLSocket, socket.socket]]:
    """Both ends of a connection by TLS, and beside them what carries the bytes of the second."""
    certificate = self_signed(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=str(certificate))
    one, other = socket.socketpair()
    with ThreadPoolExecutor(1) as beside, one, other:
        raw = other.dup()
        accepted = beside.submit(server.wrap_socket, other, server_side=True)
        with client.wrap_socket(one, server_hostname="127.0.0.1") as ours, accepted.result(PATIENCE_S) as theirs, raw:
            yield ours, theirs, raw


def test_it_waits_no_longer_than_it_is_told() -> None:
    one, other = socket.socketpair()
    with one, other, pytest.raises(TimeoutError):
        received(one, 9, 0.01)


@pytest.mark.parametrize("timeout_s", [-5.0, 0.0])
def test_no_time_is_no_wait(timeout_s: float) -> None:
    one, other = socket.socketpair()
    with one, other, pytest.raises(TimeoutError):
        received(one, 9, timeout_s)


@pytest.mark.parametrize("timeout_s", [None, math.inf, 1e12, PATIENCE_S])
def test_what_comes_is_read_however_long_it_might_have_taken(timeout_s: float | None) -> None:
    one, other = socket.socketpair()
    with one, other:
        other.send(b"something")
        assert (received(one, 4, timeout_s), received(one, 9, timeout_s)) == (b"some", b"thing")


def test_an_end_is_nothing_and_a_closed_connection_a_fault() -> None:
    one, other = socket.socketpair()
    with one:
        other.close()
        assert received(one, 9, PATIENCE_S) == b""
    with pytest.raises(OSError, match="descriptor"):
        received(one, 9, PATIENCE_S)


def test_what_tls_has_opened_already_is_not_waited_for(
    secured: tuple[ssl.SSLSocket, ssl.SSLSocket, socket.socket],
) -> None:
    ours, theirs, _ = secured
    theirs.sendall(b"a record")
    # Tickets come before it: they are no answer, and no end of the wait.
    assert received(ours, 2, PATIENCE_S) == b"a "
    assert received(ours, 9, 0) == b"record"
    with pytest.raises(TimeoutError):
        received(ours, 9, 0.01)


def test_part_of_a_record_is_waited_for_no_longer_than_the_whole(
    secured: tuple[ssl.SSLSocket, ssl.SSLSocket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs, raw = secured
    theirs.sendall(b"x")
    assert received(ours, 9, PATIENCE_S) == b"x"
    waits: list[float] = []
    passed = SimpleNamespace(s=0.0)

    class Poll:
        def register(self, *_: object) -> None: ...

        def poll(self, timeout_ms: float) -> bool:
            waits.append(timeout_ms / 1000)
            passed.s += 8
            return len(waits) == 1

    monkeypatch.setattr(waiting, "poll", Poll)
    monkeypatch.setattr(waiting.time, "monotonic", lambda: passed.s)
    # The head of a record, and not a byte of what is in it.
    raw.sendall(b"\x17\x03\x03\x00\x20")
    with pytest.raises(TimeoutError):
        received(ours, 9, 10)
    assert waits == [10, 2]


def _of_the_stores(url: str) -> Callable[[], object]:
    connections = Connections(url, connect_timeout_s=PATIENCE_S, read_timeout_s=PATIENCE_S)
    return lambda: connections({}, b"{}")


def _of_the_providers(url: str) -> Callable[[], object]:
    registry = ProviderRegistry(clock=SystemClock(), private_addresses_allowed=True)
    provider = registry.open(config(ProviderKind.OPENAI_COMPATIBLE, url), None)
    return lambda: provider.complete(asking(), timeouts=Timeouts())


@pytest.mark.parametrize(
    ("asker", "module"),
    [(_of_the_stores, kept_connections), (_of_the_providers, transport)],
    ids=["stores", "providers"],
)
def test_a_hundred_that_wait_hold_no_room_for_their_answers(
    asker: Callable[[str], Callable[[], object]], module
) -> None:
    def ask() -> None:
        with suppress(BotoCoreError, GatewayError):
            asking_once()

    with socket.create_server(("127.0.0.1", 0), backlog=CALLERS) as listener, ExitStack() as opened:
        asking_once = asker(f"http://127.0.0.1:{listener.getsockname()[1]}")
        tracemalloc.start()
        opened.callback(tracemalloc.stop)
        threads = [threading.Thread(target=ask, daemon=True) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        # Each has sent its request when this has read the end of it, and waits.
        for _ in threads:
            connection = opened.enter_context(listener.accept()[0])
            request = b""
            while b"\r\n\r\n" not in request or not request.endswith(b"}"):
                request += connection.recv(65536)
        held = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, module.__file__)])
        assert sum(trace.size for trace in held.traces) < CALLERS * MOST_BYTES_A_WAIT
        opened.close()
        for thread in threads:
            thread.join(PATIENCE_S)
        assert not any(thread.is_alive() for thread in threads)
