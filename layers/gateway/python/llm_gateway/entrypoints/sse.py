"""Streamed responses: a generator in a thread of its own, keep-alives in its silences, an end when the client leaves."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager, closing
from contextvars import copy_context
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from llm_gateway.wire.media_types import EVENTS, KEEP_ALIVE

_AHEAD: Final = 16

_END: Final = object()


@asynccontextmanager
async def noticing_departure(receive: Receive, left: threading.Event) -> AsyncIterator[None]:
    """Sets `left` when the client goes away meanwhile. The request's body must have been read."""

    async def watch() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


class EventStream(Response):
    """Sends what `events` yields. `left` is set when the client is gone; the generator is closed in its own thread.

    One that `goes_on` is read to its end all the same. The head waits for the first event, for `patience_s` at most: by default
    no longer than a silence may last. `keep_alive` is what fills a silence.
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
        self._keep_alive = keep_alive
        # Bounded, so that a slow reader slows the provider and nothing piles up here.
        self._room = threading.BoundedSemaphore(_AHEAD)
        self._queue: asyncio.Queue[object] = asyncio.Queue()
        self._first: object = None

    async def begin(self) -> None:
        """Starts, and waits for the first event, but not so long that a client would hear nothing.

        Raises what the generator raised before it: nothing was sent yet, so that is an ordinary problem.
        """
        loop = asyncio.get_running_loop()
        run, arguments = copy_context().run, (self._pump, loop)
        threading.Thread(target=run, args=arguments, name="event-stream", daemon=True).start()
        self._first = await self._next(self._patience_s)
        if isinstance(self._first, Exception):
            raise self._first

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            async with noticing_departure(receive, self._left):
                await self._send_events(send)
        finally:
            self._left.set()

    async def _send_events(self, send: Send) -> None:
        item = self._first
        # Nobody would ever tell a silent stream that its reader has left: what is sent then is dropped.
        while item is not _END and not self._left.is_set():
            body = self._render(item) if isinstance(item, Exception) else item
            await send({"type": "http.response.body", "body": body, "more_body": True})
            item = _END if isinstance(item, Exception) else await self._next(self._silence_s)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _next(self, wait_s: float) -> object:
        try:
            item = await asyncio.wait_for(self._queue.get(), wait_s)
        except TimeoutError:
            return self._keep_alive
        self._room.release()
        return item

    def _pump(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            with closing(self._events) as events:
                for event in events:
                    if not self._pass_on(event, loop) and not self._goes_on:
                        break
            self._pass_on(_END, loop)
        except Exception as error:
            self._pass_on(error, loop)

    def _pass_on(self, item: object, loop: asyncio.AbstractEventLoop) -> bool:
        """False when nobody reads any more."""
        if self._left.is_set():
            return False
        while not self._room.acquire(timeout=0.1):
            if self._left.is_set():
                return False
        try:
            loop.call_soon_threadsafe(self._queue.put_nowait, item)
        except RuntimeError:
            # The loop is closed: the server has stopped.
            return False
        return not self._left.is_set()
