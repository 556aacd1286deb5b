"""The Lambda doors, and all that a handler file needs of them: how to declare itself, and what it may ask for."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from mangum.handlers import APIGateway
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from llm_gateway.entrypoints.composition import gateway
from llm_gateway.entrypoints.http import (
    Caller,
    Cursor,
    Gateway,
    IfMatch,
    Limit,
    Mounted,
    Reply,
    Wait,
    app_of,
    endpoint,
)
from llm_gateway.entrypoints.prefix import mount
from llm_gateway.entrypoints.request_state import ALONE, API_REQUEST_ID, ASKED_MS
from llm_gateway.settings import starts_from_snapshot
from llm_gateway.wire.media_types import PROBLEM

__all__ = [
    "Caller",
    "Cursor",
    "Gateway",
    "IfMatch",
    "Limit",
    "Reply",
    "Wait",
    "app_and_handler",
    "endpoint",
    "lambda_handler",
]

# What is not text Mangum encodes as base64, and a REST API without binary media types passes that on as it is.
_TEXT: Final = [*DEFAULT_TEXT_MIME_TYPES, PROBLEM]
_ANY_PATH: Final = "/{proxy+}"
_REQUEST_CONTEXT: Final = "x-amzn-request-context"


def lambda_handler(mounted: Mounted) -> Mangum:
    """The handler of the Lambda behind `mounted`."""
    return app_and_handler(mounted)[1]


def app_and_handler(mounted: Mounted) -> tuple[ASGIApp, Mangum]:
    """For an endpoint that streams: the app for the Lambda Web Adapter, the handler for where answers are buffered."""
    app = app_of(mounted)
    return BehindWebAdapter(app), handler_of(app)


def handler_of(app: Starlette) -> Mangum:
    """The handler that answers a REST API's events with `app`."""
    if starts_from_snapshot():
        from llm_gateway.entrypoints import snapshots

        snapshots.register()
    # Without lifespan, which would run on every invocation.
    return Mangum(app, lifespan="off", custom_handlers=[RestApi], text_mime_types=_TEXT)


class RestApi(APIGateway):
    """A REST API's event as a request. Mangum's own knows nothing of stages, and makes one header of several."""

    @property
    def scope(self) -> Scope:
        scope, event = super().scope, self.event
        lines: Mapping[str, list[str]] = event.get("multiValueHeaders") or {}
        if lines:
            scope["headers"] = [[name.lower().encode(), line.encode()] for name in lines for line in lines[name]]
        called = event["requestContext"].get("path") or event["path"]
        depth = _depth(event["resource"], event.get("pathParameters") or {}, event["path"])
        mount(scope, called=called, path=event["path"], depth=depth)
        _note(scope, event["requestContext"])
        scope[ALONE] = True
        return scope


class BehindWebAdapter:
    """ASGI middleware: reads the settings at the start, and of each request what API Gateway told the adapter of it.

    The adapter puts its own header in the place of a client's, so this is for the adapter's requests alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _start(receive, send)
            return
        context = _request_context(Headers(scope=scope))
        if context:
            path = scope["raw_path"].decode("latin-1")
            mount(scope, called=context["path"], path=path, depth=_depth(context["resourcePath"], {}, path))
            # The other end of this connection is the adapter.
            scope["client"] = (_source_ip(context), 0)
            _note(scope, context)
        await self.app(scope, receive, send)


def _note(scope: Scope, context: Mapping[str, Any]) -> None:
    """When API Gateway got the request, and what it calls it."""
    scope[ASKED_MS], scope[API_REQUEST_ID] = context.get("requestTimeEpoch"), context.get("requestId")


async def _start(receive: Receive, send: Send) -> None:
    await receive()
    try:
        gateway()
    except ValueError as error:
        await send({"type": "lifespan.startup.failed", "message": str(error)})
        return
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def _request_context(headers: Headers) -> dict[str, Any] | None:
    """None where there is none of a REST API: a function URL has no such paths."""
    try:
        context = json.loads(headers.get(_REQUEST_CONTEXT, ""))
    except ValueError:
        return None
    told = isinstance(context, dict) and all(isinstance(context.get(name), str) for name in ("path", "resourcePath"))
    return context if told else None


def _source_ip(context: Mapping[str, Any]) -> str:
    """Empty where API Gateway does not say it."""
    identity = context.get("identity")
    address = identity.get("sourceIp") if isinstance(identity, dict) else None
    return address if isinstance(address, str) else ""


def _depth(resource: str, parameters: Mapping[str, str], path: str) -> int:
    """How many steps the API's own path has, the last ones of `path`, empty ones too.

    API Gateway may tell of the resource and of its parameters without empty steps, so the others alone are counted there.
    """
    steps = path.split("/")
    named = [place for place, step in enumerate(steps) if step]
    before = _steps_before(resource, parameters, [steps[place] for place in named])
    if before == len(named):
        return 0
    return len(steps) - 1 - (named[before - 1] if before else 0)


def _steps_before(resource: str, parameters: Mapping[str, str], steps: Sequence[str]) -> int:
    """How many of a path's `steps` precede the API's own: those of a base path."""
    if resource.endswith("+}") and not resource.endswith(_ANY_PATH):
        # What precedes the last says where the path begins in what was called: how a step is encoded there does not matter.
        fixed = _steps(resource)[:-1]
        places = range(len(steps) - len(fixed))
        found = next((place for place in places if steps[place : place + len(fixed)] == fixed), None)
        if found is not None:
            return found
    own = _steps(resource.replace("{proxy+}", parameters.get("proxy", "{proxy+}")))
    return max(0, len(steps) - len(own))


def _steps(path: str) -> list[str]:
    return [step for step in path.split("/") if step]
