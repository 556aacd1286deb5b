"""The local door: every endpoint on one port."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from llm_gateway.entrypoints.http import Mounted, app_of
from llm_gateway.entrypoints.problems import render
from llm_gateway.entrypoints.visitors import NoOtherSites, is_loopback
from llm_gateway.errors import Forbidden

# A query holds a thread while its provider works.
_THREADS = 256


def serve(mounted: Iterable[Mounted], *, host: str, port: int) -> None:
    """Serves until it is told to stop."""
    uvicorn.Server(config_of(local_app(mounted, host=host), host=host, port=port)).run()


def config_of(app: FastAPI, *, host: str, port: int) -> uvicorn.Config:
    """How `app` is served on a machine of one's own."""
    return uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        # The other end of the connection has sent a request: any program on this machine could write another address in a header.
        proxy_headers=False,
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
