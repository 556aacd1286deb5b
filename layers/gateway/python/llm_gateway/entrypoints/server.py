"""The local door: every endpoint on one port, and the API's document made from them."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from llm_gateway.endpoints import ENDPOINTS
from llm_gateway.entrypoints.http import Mounted, app_of
from llm_gateway.entrypoints.problems import render
from llm_gateway.entrypoints.visitors import NoOtherSites, is_loopback
from llm_gateway.errors import Forbidden
from llm_gateway.wire.media_types import PROBLEM

_THREADS = 256
# What answers 202 while there is no answer, by endpoint.
_LATER = {"run_query": "AcceptedShown", "get_query_result": "StatusShown"}


def serve(mounted: Iterable[Mounted], *, host: str, port: int) -> None:
    """Serves until it is told to stop. A query holds a thread while its provider works, hence so many of them."""
    uvicorn.run(
        local_app(mounted, host=host),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=10,
    )


def local_app(mounted: Iterable[Mounted], *, host: str) -> FastAPI:
    """The app of a server that listens on `host`. On loopback it is for programs of this machine and its own pages alone."""
    app = app_of(*mounted)
    app.router.lifespan_context = _with_threads
    if is_loopback(host):
        # The innermost: a refusal is logged and has its id as every answer has.
        app.user_middleware.append(Middleware(NoOtherSites, refusal=_refusal))
    return app


def _refusal(scope: Scope, fault: str) -> Response:
    return render(Request(scope), Forbidden(fault))


@asynccontextmanager
async def _with_threads(_app: FastAPI) -> AsyncIterator[None]:
    current_default_thread_limiter().total_tokens = _THREADS
    yield


def openapi_json(mounted: Iterable[Mounted]) -> str:
    """The whole API's OpenAPI document as JSON text, the same for the same code."""
    app = app_of(*mounted)
    document = get_openapi(
        title="LLM gateway",
        version="1",
        summary="One API in front of OpenAI, Anthropic and a model of your own.",
        routes=app.routes,
        # Relative to the document's own address: behind a stage or a base path the API is beside it.
        servers=[{"url": "."}],
    )
    document.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "api_key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    }
    for row in ENDPOINTS:
        if row.permission is not None:
            operation: dict[str, Any] = document["paths"][row.path][row.method.lower()]
            operation["security"] = [{"bearer": []}, {"api_key": []}]
            operation["x-permission"] = row.permission.value
            # FastAPI documents every response under the media type of the first.
            problems = operation["responses"]["default"]["content"]
            problems[PROBLEM] = problems.popitem()[1]
        if row.name in _LATER:
            document["paths"][row.path][row.method.lower()]["responses"]["202"] = {
                "description": "There is no answer yet",
                "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{_LATER[row.name]}"}}},
            }
    return json.dumps(document, indent=1, sort_keys=True) + "\n"
