"""What every request passes before its handler: size, identity, permission, and a body that can be read."""

import asyncio
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from anyio import move_on_after
from anyio.to_thread import run_sync
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from llm_gateway.access import Dialect, Endpoint
from llm_gateway.entrypoints.composition import gateway_behind
from llm_gateway.entrypoints.credentials import key_behind
from llm_gateway.entrypoints.denials import denial_in
from llm_gateway.entrypoints.problems import render
from llm_gateway.entrypoints.read_request import ReadRequest
from llm_gateway.entrypoints.replies import response_of
from llm_gateway.entrypoints.request_state import ALONE, state_of
from llm_gateway.entrypoints.sse import Departure, EventStream, fail, raisable, settle
from llm_gateway.entrypoints.strictness import Strictness
from llm_gateway.entrypoints.taking import Taken
from llm_gateway.errors import Forbidden

if TYPE_CHECKING:
    from llm_gateway.domain.keys import Caller
    from llm_gateway.services.keys.last_use import LastUse

T = TypeVar("T")

_LONGEST_NOTE_S: Final = 0.5


class Guard:
    """The ASGI app of a route: it has the handler answer in one thread, from the caller's key to the bytes of the response.

    It admits only callers that `row` allows.
    """

    def __init__(self, row: Endpoint, taken: Taken) -> None:
        """Raises ValueError where no request can be read as `taken` wants it."""
        self._row = row
        self._taken = taken
        self._body = taken.body
        # Monitors and browsers add parameters of their own to what is public.
        self._strictness = Strictness(taken) if row.permission else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = ReadRequest(scope, receive)
        response = await self._response(request)
        if (notes := response.background) is not None:
            response.background, send = None, _after(notes, send)
        await response(scope, receive, send)

    async def _response(self, request: ReadRequest) -> Response:
        row, state = self._row, state_of(request)
        if row.dialect is not Dialect.NATIVE:
            state.dialect = _spoken(row, request)
        try:
            await request.receive_body()
            response = await self._handled(request, left=state.left)
        except Exception as error:
            response = render(request, error)
            _count_denial(request, row, response)
        if state.caller is not None:
            _note_use(gateway_behind(request).last_use, state.caller.key_id, after=response)
        return response

    async def _handled(self, request: ReadRequest, *, left: threading.Event) -> Response:
        """The handler's response; one that streams has begun. A client that leaves meanwhile is noticed."""
        if ALONE in request.scope:
            response = self._answer(request)
            if isinstance(response, EventStream):
                await response.begin()
            return response
        departure = Departure(request.receive, left)
        departure.begin()
        try:
            response = await self._in_a_thread(request)
        except BaseException:
            departure.end()
            # What goes on in a thread learns that nobody waits for it.
            left.set()
            raise
        if isinstance(response, EventStream):
            response.departure = departure
        else:
            departure.end()
        return response

    async def _in_a_thread(self, request: ReadRequest) -> Response:
        # Where a process serves one request at a time, there are no others.
        from llm_gateway.entrypoints.threads import handlers, streams

        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Response] = loop.create_future()
        run = streams().run if self._row.streams else handlers().run
        try:
            run(partial(self._make, request, loop, answered))
            response = await answered
        finally:
            # One whose turn comes later finds that nobody waits.
            answered.cancel()
        if isinstance(response, EventStream):
            await response.first()
        return response

    def _make(
        self, request: ReadRequest, loop: asyncio.AbstractEventLoop, answered: "asyncio.Future[Response]"
    ) -> None:
        """Answers, and goes on in this thread with what streams."""
        if answered.done():
            return
        try:
            response = self._answer(request)
        except BaseException as error:
            loop.call_soon_threadsafe(fail, answered, raisable(error))
            return
        loop.call_soon_threadsafe(settle, answered, response)
        if isinstance(response, EventStream):
            response.make(loop)

    def _answer(self, request: ReadRequest) -> Response:
        if self._row.permission is not None:
            state_of(request).caller = caller = key_behind(request, request.content).caller()
            _check_permission(caller, self._row)
        if self._body is not None:
            request.read_as(self._body.schema, required=self._body.is_required)
        if self._strictness is not None:
            self._strictness.check(request)
        return response_of(self._taken.answer(request), status=self._row.status, asked=request)


def _spoken(row: Endpoint, request: Request) -> Dialect:
    from llm_gateway.entrypoints.dialects import spoken

    return spoken(row, request)


def _check_permission(caller: "Caller", row: Endpoint) -> None:
    if row.permission is not None and not caller.may(row.permission):
        raise Forbidden(f"A key with the role {caller.role} may not do this: it takes the permission {row.permission}.")


def _count_denial(request: Request, row: Endpoint, response: Response) -> None:
    """Has what the response denies counted before it has ended."""
    denial = denial_in(request, row, response)
    if denial is not None:
        _afterwards(response, gateway_behind(request).denials.count, denial)


def _note_use(last_use: "LastUse", key_id: str, *, after: Response) -> None:
    """Has the use of a key noted before the response has ended, if that is due."""
    if last_use.is_due(key_id):
        _afterwards(after, last_use.note, key_id)


def _afterwards(response: Response, note: Callable[[T], None], noted: T) -> None:
    earlier = [response.background] if response.background else []
    response.background = BackgroundTasks([*earlier, BackgroundTask(_within_bounds, note, noted)])


def _after(notes: BackgroundTask, send: Send) -> Send:
    """`send` that does `notes` before the last of a response: with that, Lambda freezes a process behind its web adapter."""

    async def sending(message: Message) -> None:
        if message["type"] != "http.response.start" and not message.get("more_body"):
            await notes()
        await send(message)

    return sending


async def _within_bounds(note: Callable[[T], None], noted: T) -> None:
    # The answer ends after this: it waits no longer for a store that hangs.
    with move_on_after(_LONGEST_NOTE_S):
        await run_sync(note, noted, abandon_on_cancel=True)
