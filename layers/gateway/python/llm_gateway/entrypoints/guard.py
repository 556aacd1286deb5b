"""What every request passes before its handler: size, identity, permission, and a body that can be read."""

import threading
from collections.abc import Callable, Coroutine
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

from anyio import move_on_after
from anyio.to_thread import run_sync
from fastapi.routing import APIRoute
from starlette.background import BackgroundTask, BackgroundTasks
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from llm_gateway.access import Dialect, Endpoint
from llm_gateway.entrypoints.composition import gateway_behind
from llm_gateway.entrypoints.credentials import key_behind
from llm_gateway.entrypoints.denials import denial_in
from llm_gateway.entrypoints.problems import render
from llm_gateway.entrypoints.read_request import read
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.entrypoints.sse import EventStream, noticing_departure
from llm_gateway.errors import Forbidden

if TYPE_CHECKING:
    from llm_gateway.domain.keys import Caller
    from llm_gateway.services.keys.last_use import LastUse

T = TypeVar("T")

_LONGEST_NOTE_S: Final = 0.5

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


def guarded(row: Endpoint) -> type[APIRoute]:
    """A route that admits only callers that `row` allows. Mounting a handler through it adds authentication."""

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Handle:
            handle = super().get_route_handler()
            body = self.body_field.field_info if self.body_field else None
            schema: Any = _schema(body.annotation) if body else None

            async def guarded_handle(request: Request) -> Response:
                state = state_of(request)
                if row.dialect is not Dialect.NATIVE:
                    state.dialect = _spoken(row, request)
                try:
                    whole = await read(request)
                    if row.permission is not None:
                        key = await run_in_threadpool(key_behind, whole, whole.content)
                        state.caller = key.caller()
                        _check_permission(state.caller, row)
                    if body is not None and schema is not None:
                        await whole.read_as(schema, required=body.is_required())
                    response = await _handled(whole, handle, left=state.left)
                except Exception as error:
                    response = render(request, error)
                    _count_denial(request, row, response)
                if state.caller is not None:
                    _note_use(gateway_behind(request).last_use, state.caller.key_id, after=response)
                return response

            return guarded_handle

    return GuardedRoute


def _spoken(row: Endpoint, request: Request) -> Dialect:
    from llm_gateway.entrypoints.dialects import spoken

    return spoken(row, request)


def _schema(annotation: Any) -> Any:
    """Of a body that may be missing, what it is where it is there."""
    return next((each for each in get_args(annotation) if each is not NoneType), annotation)


async def _handled(request: Request, handle: Handle, *, left: threading.Event) -> Response:
    """The handler's response; one that streams has begun. A client that leaves meanwhile is noticed."""
    async with noticing_departure(request.receive, left):
        response = await handle(request)
        if isinstance(response, EventStream):
            await response.begin()
    return response


def _check_permission(caller: "Caller", row: Endpoint) -> None:
    if row.permission is not None and not caller.may(row.permission):
        raise Forbidden(f"A key with the role {caller.role} may not do this: it takes the permission {row.permission}.")


def _count_denial(request: Request, row: Endpoint, response: Response) -> None:
    """Has what the response denies counted when it is sent."""
    denial = denial_in(request, row, response)
    if denial is not None:
        _afterwards(response, gateway_behind(request).denials.count, denial)


def _note_use(last_use: "LastUse", key_id: str, *, after: Response) -> None:
    """Has the use of a key noted when the response is sent, if that is due."""
    if last_use.is_due(key_id):
        _afterwards(after, last_use.note, key_id)


def _afterwards(response: Response, note: Callable[[T], None], noted: T) -> None:
    earlier = [response.background] if response.background else []
    response.background = BackgroundTasks([*earlier, BackgroundTask(_within_bounds, note, noted)])


async def _within_bounds(note: Callable[[T], None], noted: T) -> None:
    # Lambda hands the answer out when this has ended: it waits no longer for a store that hangs.
    with move_on_after(_LONGEST_NOTE_S):
        await run_sync(note, noted, abandon_on_cancel=True)
