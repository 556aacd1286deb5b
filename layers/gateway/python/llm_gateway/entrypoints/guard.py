"""What every request passes before its handler: size, identity, permission, and a body that can be read."""

import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from llm_gateway.access import Endpoint
from llm_gateway.entrypoints.composition import gateway_behind
from llm_gateway.entrypoints.problems import render
from llm_gateway.entrypoints.read_request import read
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.entrypoints.sse import EventStream, noticing_departure
from llm_gateway.errors import Forbidden, Unauthenticated

if TYPE_CHECKING:
    from llm_gateway.domain.keys import Caller

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


def guarded(row: Endpoint) -> type[APIRoute]:
    """A route that lets in only whom `row` allows: mounting a handler through it is what adds authentication."""

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Handle:
            handle = super().get_route_handler()
            schema: Any = self.body_field.field_info.annotation if self.body_field else None

            async def guarded_handle(request: Request) -> Response:
                try:
                    whole, state = await read(request), state_of(request)
                    if row.permission is not None:
                        state.caller = await run_in_threadpool(_authorised, whole, row)
                    if schema is not None:
                        await whole.read_as(schema)
                    return await _handled(whole, handle, left=state.left)
                except Exception as error:
                    return render(request, error)

            return guarded_handle

    return GuardedRoute


async def _handled(request: Request, handle: Handle, *, left: threading.Event) -> Response:
    """The handler's response; one that streams has begun. A client that leaves meanwhile is noticed."""
    async with noticing_departure(request.receive, left):
        response = await handle(request)
        if isinstance(response, EventStream):
            await response.begin()
    return response


def _authorised(request: Request, row: Endpoint) -> "Caller":
    caller = gateway_behind(request).keys.authenticate(_secret(request))
    if row.permission is not None and not caller.may(row.permission):
        raise Forbidden(f"A key with the role {caller.role} may not do this: it takes the permission {row.permission}.")
    return caller


def _secret(request: Request) -> str:
    scheme, _, bearer = _only(request, "Authorization").partition(" ")
    header = _only(request, "X-Api-Key")
    if scheme and scheme.lower() != "bearer":
        raise Unauthenticated("The Authorization header must have the form `Bearer <api key>`.")
    bearer = bearer.strip()
    if bearer and header and bearer != header:
        raise Unauthenticated("Authorization and X-Api-Key carry different keys: send one of them.")
    if not bearer and not header:
        raise Unauthenticated("No API key was sent. Send it as `Authorization: Bearer <key>` or as `X-Api-Key`.")
    return bearer or header


def _only(request: Request, name: str) -> str:
    lines = set(request.headers.getlist(name))
    if len(lines) > 1:
        raise Unauthenticated(f"{name} is there with different values: send one of them.")
    return lines.pop() if lines else ""
