"""Streamed responses: made in a thread, with keep-alives in their silences and an end when the client leaves."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from typing import Final, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llm_gateway.wire.media_types import EVENTS, KEEP_ALIVE

T = TypeVar("T")

_AHEAD: Final = 16
LONGEST_STALL_S: Final = 60.0
"""For how long a provider, its place at the gate and a thread are kept waiting for a reader."""

_END: Final = object()


class Departure:
    """From `begin` to `end`, sets `left` when the client goes away. The request's body must have been read.

    It is looked for only after a moment, so that what is answered at once costs no task.
    """

    _MOMENT_S: Final = 0.1

    def __init__(self, receive: Receive, left: threading.Event) -> None:
        self._receive = receive
        self._left = left
        self._watching: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._beginning = asyncio.get_running_loop().call_later(self._MOMENT_S, self._begin)

    def end(self) -> None:
        self._beginning.cancel()
        # A task that was cancelled keeps what it last met, and so itself: it is let go.
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._left.set()


class EventStream(Response):
    """Sends what `events` yields. `left` is set when the client is gone; the generator is closed in its own thread.

    One that `goes_on` is read to its end all the same. The head waits for the first event, for `patience_s` at most: by default
    no longer than a silence may last. `keep_alive` is what fills a silence. A reader who takes nothing for `stall_s` has left.
    """

    media_type = EVENTS

    def __init__(
        self,
        events: Generator[bytes, None, None],
        *,
        render: Callable[[Exception], bytes],
        left: threading.Event,
        silence_s: float,
        patience_s: float | None = None,
        goes_on: bool = False,
        stall_s: float = LONGEST_STALL_S,
        keep_alive: bytes = KEEP_ALIVE,
        media_type: str = EVENTS,
    ) -> None:
        super().__init__(media_type=media_type, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._events = events
        self._render = render
        self._left = left
        self._silence_s = silence_s
        self._patience_s = silence_s if patience_s is None else patience_s
        self._goes_on = goes_on
        self._stall_s = stall_s
        self._keep_alive = keep_alive
        self._made: deque[object] = deque()
        self._lock = threading.Lock()
        self._awaited: asyncio.Future[bool] | None = None
        self._room = threading.Event()
        self._first: object = None
        self.departure: Departure | None = None
        """Watches the client already, where there is one: it is ended with the response."""

    async def begin(self) -> None:
        """Starts in a thread of its own, and waits as `first` does."""
        from llm_gateway.entrypoints.threads import streams

        streams().run(partial(self.make, asyncio.get_running_loop()))
        await self.first()

    async def first(self) -> None:
        """Waits for the first event, but not so long that a client would hear nothing.

        Raises what the generator raised before it: nothing was sent yet, so that is an ordinary problem.
        """
        try:
            self._first = await self._next(self._patience_s)
        except BaseException:
            self._left.set()
            raise
        if isinstance(self._first, Exception):
            raise self._first

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        departure = self.departure
        if departure is None:
            departure = Departure(receive, self._left)
            departure.begin()
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await self._send_events(send)
        finally:
            departure.end()
            self._left.set()

    def make(self, loop: asyncio.AbstractEventLoop) -> None:
        """Makes the events in this thread, for the response in `loop`; returns when there are no more, or nobody reads them."""
        end: object = _END
        try:
            with closing(self._events) as events:
                for event in events:
                    if not self._pass_on(event, loop) and not self._goes_on:
                        break
        except BaseException as error:
            end = raisable(error)
        # Of a reader who has left, too: the response waits for something.
        self._hand_over(end, loop)

    async def _send_events(self, send: Send) -> None:
        item = self._first
        # Nobody would ever tell a silent stream that its reader has left: what is sent then is dropped.
        while item is not _END and not self._left.is_set():
            body = self._render(item) if isinstance(item, Exception) else item
            await send({"type": "http.response.body", "body": body, "more_body": True})
            item = _END if isinstance(item, Exception) else await self._next(self._silence_s)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, wait_s: float) -> object:
        """All events that are there by now, as one piece; what ends them; or what fills a silence that lasts for `wait_s`."""
        if not self._made and not await self._comes_within(wait_s):
            return self._keep_alive
        events: list[bytes] = []
        while self._made and isinstance(self._made[0], bytes):
            events.append(self._made.popleft())  # type: ignore[arg-type]
        if not events:
            return self._made.popleft()
        self._room.set()
        return b"".join(events)

    async def _comes_within(self, wait_s: float) -> bool:
        loop = asyncio.get_running_loop()
        awaited: asyncio.Future[bool]
        with self._lock:
            if self._made:
                return True
            self._awaited = awaited = loop.create_future()
        timer = loop.call_later(wait_s, settle, awaited, False)
        try:
            return await awaited
        finally:
            timer.cancel()

    def _pass_on(self, event: bytes, loop: asyncio.AbstractEventLoop) -> bool:
        """False when nobody reads any more."""
        if self._left.is_set() or (len(self._made) >= _AHEAD and not self._finds_room()):
            return False
        self._hand_over(event, loop)
        return not self._left.is_set()

    def _hand_over(self, item: object, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._made.append(item)
            awaited, self._awaited = self._awaited, None
        try:
            if awaited is not None:
                loop.call_soon_threadsafe(settle, awaited, True)
        except RuntimeError:
            # The loop is closed: the server has stopped.
            self._left.set()

    def _finds_room(self) -> bool:
        """Waits for the reader, so that a slow one slows the provider and nothing piles up here. One that takes nothing for long
        has left."""
        until_s = time.monotonic() + self._stall_s
        while True:
            # Ahead of the look: what the reader takes after it is told of.
            self._room.clear()
            if len(self._made) < _AHEAD:
                return True
            if time.monotonic() > until_s:
                self._left.set()
            if self._left.is_set():
                return False
            self._room.wait(0.1)


def settle(awaited: "asyncio.Future[T]", value: T) -> None:
    """Ends a wait, unless it has ended already."""
    if not awaited.done():
        awaited.set_result(value)


def fail(awaited: "asyncio.Future[T]", error: Exception) -> None:
    """Ends a wait with what went wrong, unless it has ended already."""
    if not awaited.done():
        awaited.set_exception(error)


def raisable(error: BaseException) -> Exception:
    """`error`, or one from it where a wait cannot end with it: as what stops a thread, or a generator."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    unforeseen = RuntimeError(f"{type(error).__qualname__} was raised")
    unforeseen.__cause__ = error
    return unforeseen
