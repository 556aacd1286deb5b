"""The local door: every endpoint on one port."""

import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope
from uvicorn.supervisors import Multiprocess

from llm_gateway.entrypoints.http import Mounted, app_of
from llm_gateway.entrypoints.problems import render
from llm_gateway.entrypoints.visitors import NoOtherSites, is_loopback
from llm_gateway.errors import Forbidden

# A query holds a thread while its provider works.
_THREADS = 256


def serve(app: Callable[[], FastAPI], *, host: str, port: int, processes: int = 1) -> None:
    """Serves until it is told to stop. Several processes share one socket, each with an `app` of its own; one that dies has a
    successor, and none outlives the one that started them."""
    config = config_of(app, host=host, port=port, processes=processes)
    if processes == 1:
        uvicorn.Server(config).run()
    else:
        Multiprocess(config, sockets=[config.bind_socket()]).run()


def config_of(app: FastAPI | Callable[[], FastAPI], *, host: str, port: int, processes: int = 1) -> uvicorn.Config:
    """How `app` is served on a machine of one's own."""
    return uvicorn.Config(
        app,
        factory=not isinstance(app, FastAPI),
        host=host,
        port=port,
        workers=processes,
        log_level="warning",
        access_log=False,
        # The other end of the connection has sent a request: any program on this machine could write another address in a header.
        proxy_headers=False,
        timeout_graceful_shutdown=10,
        # A process that has much to do is late, not dead: what it is asked would die with it.
        timeout_worker_healthcheck=120,
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
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    yield


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
