"""Connections that wait: they end in time, see what is there already, and hold no room for what has not come."""

import socket
import ssl
import threading
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError
from llm_gateway.domain.providers import ProviderKind, Timeouts
from llm_gateway.errors import GatewayError
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers import transport
from llm_gateway.providers.registry import ProviderRegistry
from llm_gateway.stores import kept_connections
from llm_gateway.stores.kept_connections import Connections
from llm_gateway.waiting import wait_to_read

from tests.adapters.certificates import self_signed
from tests.patience import PATIENCE_S
from tests.providers.conftest import asking, config

CALLERS = 40
MOST_BYTES_A_WAIT = 8 * 1024


def test_it_waits_no_longer_than_it_is_told() -> None:
    one, other = socket.socketpair()
    with one, other, pytest.raises(TimeoutError):
        wait_to_read(one, 0.01)


@pytest.mark.parametrize("ends", [False, True])
def test_it_returns_when_something_comes_and_when_the_other_end_goes(ends: bool) -> None:
    one, other = socket.socketpair()
    with one, other:
        other.close() if ends else other.send(b"x")
        wait_to_read(one, PATIENCE_S)
        assert one.recv(9) == (b"" if ends else b"x")


def test_what_tls_has_opened_already_is_not_waited_for(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    client = ssl.create_default_context(cafile=str(certificate))
    one, other = socket.socketpair()
    with ThreadPoolExecutor(1) as beside, one, other:
        accepted = beside.submit(server.wrap_socket, other, server_side=True)
        with client.wrap_socket(one, server_hostname="127.0.0.1") as secured, accepted.result(PATIENCE_S) as told:
            told.sendall(b"a record")
            assert secured.recv(2) == b"a "
            wait_to_read(secured, 0)
            assert secured.recv(9) == b"record"
            with pytest.raises(TimeoutError):
                wait_to_read(secured, 0.01)


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
