"""What every request passes before its handler: size, identity, permission, and a body that can be read."""

import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from llm_gateway.access import Endpoint
from llm_gateway.domain.keys import Caller
from llm_gateway.entrypoints.composition import gateway_behind
from llm_gateway.entrypoints.json_body import parsed_json
from llm_gateway.entrypoints.problems import render
from llm_gateway.entrypoints.sse import EventStream, noticing_departure
from llm_gateway.errors import Forbidden, MalformedRequest, PayloadTooLarge, Unauthenticated, UnsupportedMediaType

MOST_BODY_BYTES: Final = 4 * 1024 * 1024

Handle = Callable[[Request], Coroutine[Any, Any, Response]]


def guarded(row: Endpoint) -> type[APIRoute]:
    """A route that lets in only whom `row` allows: mounting a handler through it is what adds authentication."""

    class GuardedRoute(APIRoute):
        def get_route_handler(self) -> Handle:
            handle = super().get_route_handler()

            async def guarded_handle(request: Request) -> Response:
                try:
                    await _read_body(request)
                    if row.permission is not None:
                        request.state.caller = await run_in_threadpool(_authorised, request, row)
                    if self.body_field is not None:
                        await _check_json(request)
                    return await _handled(request, handle)
                except Exception as error:
                    return render(request, error)

            return guarded_handle

    return GuardedRoute


async def _handled(request: Request, handle: Handle) -> Response:
    """The handler's response; one that streams has begun. A client that leaves meanwhile is noticed."""
    request.state.left = left = threading.Event()
    async with noticing_departure(request.receive, left):
        response = await handle(request)
        if isinstance(response, EventStream):
            await response.begin()
    return response


def _authorised(request: Request, row: Endpoint) -> Caller:
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


async def _read_body(request: Request) -> None:
    """Reads the body once, into the request; whatever comes later finds it there."""
    # FastAPI's own limit answers in plain text, ahead of every handler of ours.
    body = bytearray()
    if not _declares_too_much(request):
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BODY_BYTES:
                break
        else:
            request._body = bytes(body)  # Where Starlette itself keeps a body that was read.
            return
    raise PayloadTooLarge(f"The body is longer than {MOST_BODY_BYTES} bytes.")


def _declares_too_much(request: Request) -> bool:
    declared = request.headers.get("Content-Length", "")
    return declared.isdecimal() and (len(declared) > 9 or int(declared) > MOST_BODY_BYTES)


async def _check_json(request: Request) -> None:
    """Raises `MalformedRequest` or `UnsupportedMediaType` for a body that is not JSON."""
    body = await request.body()
    if not body.strip():
        raise MalformedRequest("The body is empty: send a JSON object.")
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("Send the body as application/json.")
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        raise UnsupportedMediaType("Send the body as it is: no Content-Encoding is taken.")
    request._json = parsed_json(body)  # Where Starlette itself keeps it, so that it is parsed once.
