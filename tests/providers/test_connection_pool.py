"""Which connection serves a call, and which are kept: real ones, to a server on loopback."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpcore2
import pytest
from llm_gateway.providers.connection_pool import ConnectionPool

from tests.adapters.clock import FakeClock
from tests.adapters.upstream import ScriptedUpstream


class Calls:
    """A pool of an upstream, and the connections that it has made."""

    def __init__(self, upstream: ScriptedUpstream, *, most: int = 10, most_kept: int = 10) -> None:
        self.made: list[httpcore2.HTTPConnection] = []
        self.clock = FakeClock()
        self.pool = ConnectionPool(
            self._connect, most=most, most_kept=most_kept, idle_s=20, monotonic_s=self.clock.monotonic_s
        )
        self._url = f"{upstream.openai_base_url}/chat/completions"

    def _connect(self, origin: httpcore2.Origin) -> httpcore2.HTTPConnection:
        self.made.append(httpcore2.HTTPConnection(origin, keepalive_expiry=20))
        return self.made[-1]

    def open(self, url: str | None = None) -> httpcore2.Response:
        body = b'{"model": "m", "messages": [{"role": "user", "content": "x"}]}'
        headers = {"Host": "loopback", "Content-Type": "application/json", "Content-Length": str(len(body))}
        timeouts = {"pool": 0, "read": 10}
        return self.pool.handle_request(
            httpcore2.Request("POST", url or self._url, headers=headers, content=body, extensions={"timeout": timeouts})
        )

    def ask(self) -> None:
        with closing(self.open()) as response:
            assert response.status == 200
            assert response.read()

    @property
    def closed(self) -> list[bool]:
        return [connection.is_closed() for connection in self.made]


@pytest.fixture
def calls(upstream: ScriptedUpstream) -> Iterator[Calls]:
    made = Calls(upstream)
    yield made
    made.pool.close()


def _beside_each_other(calls: Calls, count: int) -> None:
    """So many exchanges at once, that end in the order in which they began."""
    responses = [calls.open() for _ in range(count)]
    for response in responses:
        response.read()
        response.close()


def test_the_connection_that_was_used_last_is_used_next(calls: Calls, upstream: ScriptedUpstream) -> None:
    _beside_each_other(calls, 3)
    for _ in range(3):
        calls.ask()
    connections = [request.connection for request in upstream.requests]
    assert len(set(connections[:3])) == 3
    assert set(connections[3:]) == {connections[2]}
    assert calls.closed == [False, False, False]


def test_no_more_are_kept_than_may_be(upstream: ScriptedUpstream) -> None:
    calls = Calls(upstream, most_kept=2)
    _beside_each_other(calls, 4)
    assert calls.closed == [True, True, False, False]
    calls.pool.close()
    assert all(calls.closed)


def test_those_that_nobody_used_for_long_are_closed(calls: Calls) -> None:
    _beside_each_other(calls, 3)
    calls.clock.advance(15)
    calls.ask()
    calls.clock.advance(6)
    calls.ask()
    assert calls.closed == [True, True, False]


def test_one_whose_other_end_is_closed_is_not_used(calls: Calls) -> None:
    _beside_each_other(calls, 2)
    for connection in calls.made:
        _their_end_is_closed(connection)
    calls.ask()
    assert calls.closed == [True, True, False]


def _their_end_is_closed(connection: httpcore2.HTTPConnection) -> None:
    ours: socket.socket = connection._connection._network_stream.get_extra_info("socket")  # type: ignore[union-attr]
    ours.shutdown(socket.SHUT_RD)


def test_an_answer_that_was_not_read_to_its_end_leaves_no_connection_to_use(calls: Calls) -> None:
    response = calls.open()
    response.close()
    response.close()
    calls.ask()
    assert calls.closed == [True, False]


def test_no_more_calls_go_on_than_may(upstream: ScriptedUpstream) -> None:
    calls = Calls(upstream, most=2)
    first, second = calls.open(), calls.open()
    with pytest.raises(httpcore2.PoolTimeout):
        calls.open()
    for response in (first, second):
        response.close()
        # A second time, which makes no more room.
        response.close()
    first, second = calls.open(), calls.open()
    with pytest.raises(httpcore2.PoolTimeout):
        calls.open()
    first.close()
    second.close()
    calls.pool.close()


def test_a_call_that_fails_takes_no_room(upstream: ScriptedUpstream) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/"
    calls = Calls(upstream, most=1)
    for _ in range(3):
        with pytest.raises(httpcore2.ConnectError):
            calls.open(nobody)
    calls.ask()
    calls.pool.close()


def test_threads_that_ask_at_once_share_no_connection(upstream: ScriptedUpstream) -> None:
    """Half of them find no place for theirs when they are done with it."""
    calls = Calls(upstream, most=8, most_kept=4)
    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(lambda _: calls.ask(), range(200)):
            """Each has had its own answer, read to the end."""
    assert len(upstream.requests) == 200
    assert calls.closed.count(False) <= 4
    for _ in range(2):
        _beside_each_other(calls, 8)
    calls.pool.close()
    assert all(calls.closed)


def test_another_server_gets_a_connection_of_its_own(calls: Calls) -> None:
    calls.ask()
    with ScriptedUpstream() as another:
        response = calls.open(f"{another.openai_base_url}/chat/completions")
        response.read()
        response.close()
        assert calls.closed == [True, False]
        assert len(another.requests) == 1


def test_other_protocols_are_not_spoken(calls: Calls) -> None:
    with pytest.raises(httpcore2.UnsupportedProtocol):
        calls.open("ws://127.0.0.1/")
    assert calls.made == []


def test_what_goes_on_when_the_pool_is_closed_ends_well(calls: Calls) -> None:
    calls.ask()
    response = calls.open()
    also = calls.open()
    calls.pool.close()
    assert response.read()
    assert also.read()
    response.close()
    also.close()
    assert calls.closed == [True, True]
