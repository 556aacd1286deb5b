"""The local door: every endpoint on one port."""

import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from multiprocessing.process import BaseProcess

import uvicorn
from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope
from uvicorn.supervisors import Multiprocess

from llm_gateway.entrypoints.fastapi_app import fastapi_of
from llm_gateway.entrypoints.http import Mounted
from llm_gateway.entrypoints.problems import render
from llm_gateway.entrypoints.visitors import NoOtherSites, is_loopback
from llm_gateway.errors import Forbidden
from llm_gateway.settings import cors_origins


def serve(app: Callable[[], FastAPI], *, host: str, port: int, processes: int = 1) -> None:
    """Serves until it is told to stop. Several processes share one socket, each with an `app` of its own; one that dies has a
    successor, and none outlives the one that started them."""
    config = config_of(app, host=host, port=port, processes=processes)
    if processes == 1:
        uvicorn.Server(config).run()
    else:
        _Supervisor(config, sockets=[config.bind_socket()]).run()


class _Supervisor(Multiprocess):
    """Hears at once when a process dies that it has just asked whether it is well.

    uvicorn leaves the process's end of the line open on its own side, too: it would wait there for an answer as long as one that
    is merely late is given, and nobody would succeed the dead one meanwhile.
    """

    def init_processes(self) -> None:
        super().init_processes()
        self._let_go()

    def keep_subprocess_alive(self) -> None:
        super().keep_subprocess_alive()
        self._let_go()

    def _let_go(self) -> None:
        for process in self.processes:
            process.child_conn.close()


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


def keep_what_is_there() -> None:
    """Has the collector, which stops all threads, pass over what a process has made and imported by now: it stays to the end."""
    gc.collect()
    gc.freeze()


def local_app(mounted: Iterable[Mounted], *, host: str) -> FastAPI:
    """The app of a server that listens on `host`. On loopback it is for programs of this machine and its own pages alone."""
    app = fastapi_of(*mounted)
    app.router.lifespan_context = _lifespan
    if is_loopback(host):
        # Around the routes alone: a refusal is logged and has its id as every answer has.
        app.user_middleware.insert(-1, Middleware(NoOtherSites, refusal=_refusal, origins=cors_origins()))
    return app


def _refusal(scope: Scope, fault: str) -> Response:
    return render(Request(scope), Forbidden(fault))


@asynccontextmanager
async def _lifespan(_app: FastAPI) -> AsyncIterator[None]:
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), daemon=True).start()
    yield


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
