"""Streamed responses over real connections: at once, alive in silence, at the reader's pace, and over when the reader is gone."""

import asyncio
import gc
import json
import socket
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, MutableMapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from llm_gateway.domain.chat import TextDelta
from llm_gateway.domain.faults import ProviderResponseInvalid
from llm_gateway.domain.keys import Role
from llm_gateway.entrypoints.http import app_of
from llm_gateway.entrypoints.sse import Departure, EventStream
from mangum import Mangum
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from functions.__main__ import every_endpoint
from tests.adapters.answering import AnsweringProviders
from tests.adapters.gateway import FakeGateway
from tests.adapters.outside import FakeOutside
from tests.entrypoints.conftest import PROVIDER, PROVIDERS, QUERY, QUESTION, Lines
from tests.functions.conftest import proxy_event
from tests.patience import FOREVER_S, PATIENCE_S

SILENCE_S = 0.1
BEGUN: "list[Source]" = []


@dataclass(eq=False)
class Source:
    """What a test has a stream say, and what became of it. `left` is set by the response when its client is gone."""

    make: Callable[["Source"], Generator[bytes, None, None]]
    silence_s: float = SILENCE_S
    left: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    closed: threading.Event = field(default_factory=threading.Event)
    closed_in: str = ""
    made: int = 0
    goes_on: bool = False
    stall_s: float = 60

    def events(self) -> Generator[bytes, None, None]:
        BEGUN.append(self)
        try:
            yield from self.make(self)
        finally:
            self.closed_in = threading.current_thread().name
            self.closed.set()

    def response(self) -> EventStream:
        return EventStream(
            self.events(),
            render=_rendered,
            left=self.left,
            silence_s=self.silence_s,
            goes_on=self.goes_on,
            stall_s=self.stall_s,
        )


def _rendered(error: Exception) -> bytes:
    return f"event: error\ndata: {type(error).__name__}\n\n".encode()


class Server:
    """Uvicorn in this process; each request is answered with the stream that it names."""

    def __init__(self) -> None:
        self._sources: list[Source] = []
        app = Starlette(routes=[Route("/{number:int}", self._answer)])
        self._listening = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="error", access_log=False, lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._listening]})

    async def _answer(self, request: Request) -> Response:
        response = self._sources[request.path_params["number"]].response()
        try:
            await response.begin()
        except Exception as error:
            return PlainTextResponse(type(error).__name__, status_code=502)
        return response

    @contextmanager
    def running(self) -> Iterator["Server"]:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        yield self
        self._server.should_exit = True
        self._thread.join(PATIENCE_S)
        self._listening.close()
        assert not self._thread.is_alive()

    @contextmanager
    def reading(self, source: Source, *, buffer: int | None = None) -> Iterator["Reader"]:
        self._sources.append(source)
        with closing(socket.socket()) as connection:
            if buffer is not None:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            connection.settimeout(PATIENCE_S)
            connection.connect(self._listening.getsockname())
            number = self._sources.index(source)
            connection.sendall(b"GET /%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % number)
            yield Reader(connection)


@dataclass
class Reader:
    connection: socket.socket
    received: bytearray = field(default_factory=bytearray)

    def until(self, wanted: bytes, times: int = 1) -> bytearray:
        """All that was received once `wanted` is in it so often."""
        while self.received.count(wanted) < times:
            chunk = self.connection.recv(65_536)
            assert chunk, self.received
            self.received += chunk
        return self.received

    def rest(self) -> bytearray:
        while chunk := self.connection.recv(1 << 20):
            self.received += chunk
        return self.received

    def body(self) -> bytes:
        """Of a response in chunks, all of it."""
        received, parts = self.rest(), []
        start = received.index(b"\r\n\r\n") + 4
        while start < len(received):
            end = received.index(b"\r\n", start)
            size = int(received[start:end], 16)
            parts.append(received[end + 2 : end + 2 + size])
            start = end + 4 + size
        return b"".join(parts)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server().running() as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_goes_on() -> Iterator[None]:
    BEGUN.clear()
    yield
    assert all(source.closed.wait(PATIENCE_S) for source in BEGUN)


def _two_events(source: Source) -> Generator[bytes, None, None]:
    yield b"data: one\n\n"
    source.go_on.wait(FOREVER_S)
    yield b"data: two\n\n"


def test_an_event_arrives_before_the_next_is_made(server: Server) -> None:
    source = Source(_two_events, silence_s=FOREVER_S)
    with server.reading(source) as reader:
        head = reader.until(b"data: one").partition(b"\r\n\r\n")[0].lower()
        assert head.startswith(b"http/1.1 200")
        assert b"content-type: text/event-stream" in head
        assert b"cache-control: no-store" in head
        assert b"content-length" not in head
        assert not source.go_on.is_set()
        source.go_on.set()
        assert reader.body() == b"data: one\n\ndata: two\n\n"
    assert source.closed.wait(PATIENCE_S)


def test_silence_is_filled(server: Server) -> None:
    source = Source(_two_events)
    with server.reading(source) as reader:
        started = time.monotonic()
        reader.until(b": keep-alive\n\n", times=3)
        assert time.monotonic() - started > 0.9 * 3 * SILENCE_S
        source.go_on.set()
        assert reader.body().endswith(b": keep-alive\n\ndata: two\n\n")


def test_a_long_silence_before_the_first_event_does_not_keep_the_client_waiting(server: Server) -> None:
    def late(source: Source) -> Generator[bytes, None, None]:
        source.go_on.wait(FOREVER_S)
        yield b"data: late\n\n"

    source = Source(late)
    with server.reading(source) as reader:
        reader.until(b": keep-alive")
        source.go_on.set()
        assert reader.body().endswith(b"data: late\n\n")


def _breaking(*before: bytes) -> Callable[[Source], Generator[bytes, None, None]]:
    def make(_: Source) -> Generator[bytes, None, None]:
        yield from before
        raise ZeroDivisionError

    return make


def test_what_fails_before_the_first_event_can_still_be_answered_otherwise(server: Server) -> None:
    with server.reading(Source(_breaking())) as reader:
        assert reader.rest().startswith(b"HTTP/1.1 502")
        assert b"ZeroDivisionError" in reader.received


def test_what_fails_after_the_first_event_is_the_last_event(server: Server) -> None:
    source = Source(_breaking(b"data: one\n\n"))
    with server.reading(source) as reader:
        assert reader.body() == b"data: one\n\nevent: error\ndata: ZeroDivisionError\n\n"
    assert source.closed.wait(PATIENCE_S)


def test_what_fails_after_a_silence_is_an_event_too(server: Server) -> None:
    def late(source: Source) -> Generator[bytes, None, None]:
        source.go_on.wait(FOREVER_S)
        yield from _breaking()(source)

    source = Source(late)
    with server.reading(source) as reader:
        reader.until(b": keep-alive")
        source.go_on.set()
        assert reader.body().endswith(b"event: error\ndata: ZeroDivisionError\n\n")


def test_nothing_at_all_is_an_end(server: Server) -> None:
    with server.reading(Source(lambda _: (yield from ()))) as reader:
        assert reader.body() == b""


def _talking(source: Source) -> Generator[bytes, None, None]:
    while True:
        source.made += 1
        yield b"data: more\n\n"
        time.sleep(0.01)


def _listening(source: Source) -> Generator[bytes, None, None]:
    """As a provider's call does, it looks now and then whether anybody still wants the answer."""
    yield b"data: more\n\n"
    while not source.left.wait(0.01):
        pass
    raise ConnectionAbortedError


def test_one_that_goes_on_is_read_to_its_end_though_its_client_has_left(server: Server) -> None:
    def writing(source: Source) -> Generator[bytes, None, None]:
        yield b"data: more\n\n"
        assert source.left.wait(PATIENCE_S)
        for _ in range(200):
            source.made += 1
            yield b"data: more\n\n"

    source = Source(writing, silence_s=FOREVER_S, goes_on=True)
    with server.reading(source) as reader:
        reader.until(b"data: more")
    # What nobody reads is not waited with either.
    assert source.closed.wait(PATIENCE_S)
    assert source.made == 200


@pytest.mark.parametrize("make", [_talking, _listening])
def test_a_client_that_leaves_ends_the_generator_soon_and_in_its_own_thread(
    server: Server, make: Callable[[Source], Generator[bytes, None, None]]
) -> None:
    source = Source(make, silence_s=FOREVER_S)
    with server.reading(source) as reader:
        reader.until(b"data: more")
    assert source.closed.wait(PATIENCE_S)
    assert source.left.is_set()
    assert source.closed_in.startswith("event-stream")


def test_a_client_that_leaves_in_silence_is_noticed_too(server: Server) -> None:
    def silent(source: Source) -> Generator[bytes, None, None]:
        source.left.wait(FOREVER_S)
        yield b"data: nobody reads this\n\n"

    source = Source(silent)
    with server.reading(source) as reader:
        reader.until(b": keep-alive")
    assert source.left.wait(PATIENCE_S)
    assert source.closed.wait(PATIENCE_S)


_LARGE = b"data: " + b"x" * 100_000 + b"\n\n"


def _much(source: Source) -> Generator[bytes, None, None]:
    for _ in range(300):
        source.made += 1
        yield _LARGE


def _once_it_stands_still(source: Source) -> int:
    made = -1
    while source.made != made:
        made = source.made
        time.sleep(0.4)
    return made


def test_a_slow_reader_slows_the_source_and_gets_everything(server: Server) -> None:
    source = Source(_much, silence_s=FOREVER_S)
    with server.reading(source, buffer=65_536) as reader:
        made = _once_it_stands_still(source)
        assert made < 150
        assert reader.body() == _LARGE * 300
    assert source.made == 300


def test_a_slow_reader_who_leaves_ends_the_source(server: Server) -> None:
    source = Source(_much, silence_s=FOREVER_S)
    with server.reading(source, buffer=65_536):
        made = _once_it_stands_still(source)
    assert source.closed.wait(PATIENCE_S)
    assert source.made <= made + 20 < 300


def test_a_reader_who_takes_nothing_for_long_ends_the_source(server: Server) -> None:
    source = Source(_much, silence_s=FOREVER_S, stall_s=0.5)
    with server.reading(source, buffer=65_536):
        assert source.closed.wait(PATIENCE_S)
        assert source.left.is_set()
        assert source.made < 150


def test_one_that_goes_on_does_so_when_its_reader_takes_nothing_for_long(server: Server) -> None:
    source = Source(_much, silence_s=FOREVER_S, stall_s=0.5, goes_on=True)
    with server.reading(source, buffer=65_536):
        assert source.closed.wait(PATIENCE_S)
        assert source.made == 300


def test_a_head_that_cannot_be_sent_ends_the_source() -> None:
    source = Source(_talking)

    async def send(_: Any) -> None:
        raise ConnectionError

    async def receive() -> Any:
        await asyncio.sleep(FOREVER_S)

    async def answer() -> None:
        response = source.response()
        await response.begin()
        with pytest.raises(ConnectionError):
            await response({"type": "http"}, receive, send)

    asyncio.run(answer())
    assert source.closed.wait(PATIENCE_S)


def test_a_wait_for_the_first_event_that_is_given_up_ends_the_source() -> None:
    def waiting(source: Source) -> Generator[bytes, None, None]:
        source.left.wait(FOREVER_S)
        yield b"data: late\n\n"

    source = Source(waiting, silence_s=FOREVER_S)

    async def answer() -> None:
        beginning = asyncio.create_task(source.response().begin())
        await asyncio.sleep(0.05)
        beginning.cancel()

    asyncio.run(answer())
    assert source.left.is_set()
    assert source.closed.wait(PATIENCE_S)


def test_a_client_that_leaves_before_the_first_event_keeps_no_request_waiting() -> None:
    """However patient the response is: an answer in another vendor's words waits for minutes."""

    def waiting(source: Source) -> Generator[bytes, None, None]:
        source.left.wait(FOREVER_S)
        yield b"data: late\n\n"

    source = Source(waiting, silence_s=FOREVER_S)

    async def answer() -> None:
        beginning = asyncio.create_task(source.response().begin())
        await asyncio.sleep(0.05)
        source.left.set()
        await asyncio.wait_for(beginning, PATIENCE_S)

    asyncio.run(answer())
    assert source.closed.wait(PATIENCE_S)


def test_a_departure_is_gone_when_it_has_ended() -> None:
    """Without the collector: what it held of a request would be kept until that comes by."""

    async def receive() -> Any:
        await asyncio.sleep(FOREVER_S)

    async def watched() -> "weakref.ref[Departure]":
        departure = Departure(receive, threading.Event())
        departure.begin()
        await asyncio.sleep(0.2)
        departure.end()
        await asyncio.sleep(0.01)
        return weakref.ref(departure)

    gc.disable()
    try:
        assert asyncio.run(watched())() is None
    finally:
        gc.enable()


def test_many_streams_at_once(server: Server) -> None:
    def counting(source: Source) -> Generator[bytes, None, None]:
        for number in range(20):
            yield b"data: %d\n\n" % number
            time.sleep(0.005)

    expected = b"".join(b"data: %d\n\n" % number for number in range(20))
    bodies: list[bytes] = []

    def read() -> None:
        with server.reading(Source(counting, silence_s=FOREVER_S)) as reader:
            bodies.append(reader.body())

    threads = [threading.Thread(target=read) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert bodies == [expected] * 20


def test_a_server_that_stops_meanwhile_breaks_nothing() -> None:
    """Its loop is closed under a source that has just something to say."""
    own = Server()
    source = Source(_two_events, silence_s=0.05)
    with own.running():
        with own.reading(source) as reader:
            reader.until(b"data: one")
        assert source.left.wait(PATIENCE_S)
    source.go_on.set()
    assert source.closed.wait(PATIENCE_S)


# Where answers are buffered


class CutShort(AnsweringProviders):
    """Its streams break after their first word."""

    def open(self, *_: object) -> Any:
        return self

    def stream(self, *_: object, **__: object) -> Generator[TextDelta, None, None]:
        yield TextDelta(text="Hel")
        raise ProviderResponseInvalid("The provider ended its stream before its answer was whole.")


def _buffered(gateway: FakeGateway) -> Callable[..., dict[str, Any]]:
    key = gateway.new_key(Role.ADMIN)[1]
    app = app_of(*every_endpoint(), gateway=lambda: gateway)
    handler = Mangum(app, lifespan="off", text_mime_types=["text/", "application/json", "application/problem+json"])

    def call(method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        sent = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", **headers}
        text = None if body is None else json.dumps(body)
        answer: dict[str, Any] = handler(proxy_event(method, path, text, sent), object())  # type: ignore[arg-type]
        return answer

    assert call("POST", PROVIDERS, PROVIDER)["statusCode"] == 201
    return call


@pytest.fixture
def buffered() -> Callable[..., dict[str, Any]]:
    return _buffered(FakeGateway())


def test_buffered_it_is_the_same_in_one_piece(buffered: Callable[..., dict[str, Any]]) -> None:
    answer = buffered("POST", f"{QUERY}/stream", QUESTION)
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"].startswith("text/event-stream")
    assert answer["isBase64Encoded"] is False
    blocks = answer["body"].split("\n\n")
    assert [block.split("\n")[0] for block in blocks if block] == ["event: query", "event: delta", "event: done"]
    query_id = json.loads(blocks[0].split("data: ")[1])["id"]
    rest = buffered("GET", f"{QUERY}/{query_id}/stream", **{"Last-Event-ID": "2"})
    assert json.loads(rest["body"].split("data: ")[1].split("\n")[0]) == {"text": "llo!"}


def test_buffered_a_failure_before_the_first_event_is_a_problem(buffered: Callable[..., dict[str, Any]]) -> None:
    answer = buffered("POST", f"{QUERY}/stream", QUESTION | {"provider": "nobody"})
    assert answer["statusCode"] == 404
    assert json.loads(answer["body"])["code"] == "provider_not_found"


def test_a_stream_that_is_cut_short_ends_in_an_error_that_the_log_names(lines: Lines) -> None:
    gateway = FakeGateway(outside=FakeOutside(models=CutShort()))
    answer = _buffered(gateway)("POST", f"{QUERY}/stream", QUESTION)
    assert answer["statusCode"] == 200
    blocks = [block for block in answer["body"].split("\n\n") if block]
    assert [block.split("\n")[0] for block in blocks] == ["event: query", "event: delta", "event: error"]
    problem = json.loads(blocks[-1].split("data: ")[1])
    assert (problem["status"], problem["code"], problem["provider"]) == (502, "provider_response_invalid", "local")
    assert problem["query_id"] == gateway.outside.journal.written[0].id
    assert problem["request_id"] == answer["headers"]["x-request-id"]
    assert lines.named("request")[-1]["error_code"] == "provider_response_invalid"


def test_a_replayed_stream_says_so(buffered: Callable[..., dict[str, Any]]) -> None:
    key = {"Idempotency-Key": "same"}
    first = buffered("POST", f"{QUERY}/stream", QUESTION, **key)
    again = buffered("POST", f"{QUERY}/stream", QUESTION, **key)
    assert "idempotent-replayed" not in first["headers"]
    assert again["headers"]["idempotent-replayed"] == "true"
    assert again["body"].split("\n\n")[-2] == first["body"].split("\n\n")[-2]


def test_events_that_are_there_leave_in_one_piece() -> None:
    """A provider that is quicker than its reader costs no more writes than the reader can take."""

    def ten(_: Source) -> Generator[bytes, None, None]:
        yield from (b"data: %d\n\n" % number for number in range(10))

    source, sent = Source(ten), list[bytes]()

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message.get("body", b""))

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(FOREVER_S)
        return {"type": "http.disconnect"}

    async def answer() -> None:
        response = source.response()
        await response.begin()
        assert await asyncio.to_thread(source.closed.wait, 5)
        await response({}, receive, send)

    asyncio.run(answer())
    assert b"".join(sent) == b"".join(ten(source))
    # The head, what had come when the answer began, all the rest, and the end.
    assert len(sent) <= 4
