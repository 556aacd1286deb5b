"""Connections to a provider, kept for the next call. Imported on first use, for httpcore2.

httpcore2's own pool looks at every connection whenever one is asked for and whenever one is given back: with a hundred of them,
a tenth of a millisecond each time. Here the one that was used last is taken, and those at the other end grow old.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from threading import Semaphore
from typing import Any

import httpcore2


class ConnectionPool:
    """What httpx2 asks for a connection. Each serves one exchange at a time.

    At most `most` exchanges go on at once: the next waits for as long as its `pool` timeout, and raises `PoolTimeout`. After
    `close`, what still goes on ends as usual, and nothing is kept.
    """

    def __init__(
        self,
        connect: Callable[[httpcore2.Origin], httpcore2.ConnectionInterface],
        *,
        most: int,
        most_kept: int,
        idle_s: float,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connect = connect
        self._room = Semaphore(most)
        self._most_kept = most_kept
        self._idle_s = idle_s
        self._monotonic_s = monotonic_s
        self._kept: deque[tuple[httpcore2.ConnectionInterface, float]] = deque()
        self._is_closed = False

    def handle_request(self, request: httpcore2.Request) -> httpcore2.Response:
        if request.url.scheme not in (b"http", b"https"):
            raise httpcore2.UnsupportedProtocol("only http:// and https:// are spoken")
        if not self._room.acquire(timeout=request.extensions.get("timeout", {}).get("pool")):
            raise httpcore2.PoolTimeout("as many calls go on as may")
        try:
            connection = self._kept_connection(request.url.origin) or self._connect(request.url.origin)
            try:
                response = connection.handle_request(request)
            except BaseException:
                connection.close()
                raise
        except BaseException:
            self._room.release()
            raise
        response.stream = _Body(response.stream, lambda: self._give_back(connection))
        return response

    def close(self) -> None:
        self._is_closed = True
        with suppress(IndexError):
            # Others take from them at the same time, so none is asked whether it is there before it is taken.
            while True:
                self._kept.pop()[0].close()

    def _kept_connection(self, origin: httpcore2.Origin) -> httpcore2.ConnectionInterface | None:
        while self._kept:
            try:
                connection, _ = self._kept.pop()
            except IndexError:
                # Another thread has taken it.
                return None
            # It looks whether the other end has closed it meanwhile, too.
            if connection.can_handle_request(origin) and not connection.has_expired():
                return connection
            connection.close()
        return None

    def _give_back(self, connection: httpcore2.ConnectionInterface) -> None:
        try:
            if not connection.is_idle():
                connection.close()
                return
            now_s = self._monotonic_s()
            self._kept.append((connection, now_s))
            self._drop_oldest(now_s)
            if self._is_closed:
                self.close()
        finally:
            # Last, so that the one who waits for room finds the connection.
            self._room.release()

    def _drop_oldest(self, now_s: float) -> None:
        with suppress(IndexError):
            while len(self._kept) > self._most_kept or now_s - self._kept[0][1] > self._idle_s:
                self._kept.popleft()[0].close()


class _Body:
    """The body of an answer. Its connection is given back once, when it is closed."""

    def __init__(self, body: Any, give_back: Callable[[], None]) -> None:
        self._body: Iterable[bytes] = body
        self._give_back: Callable[[], None] | None = give_back

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._body)

    def close(self) -> None:
        give_back, self._give_back = self._give_back, None
        if give_back is not None:
            try:
                self._body.close()  # type: ignore[attr-defined]
            finally:
                give_back()
