"""uvicorn with an end of its own: on SIGTERM what was accepted is finished, what comes new is refused, within a bound."""

import logging
import socket
import time
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from local_model.settings import Settings
from local_model.visitors import ProgramsOnly, is_loopback
from local_model.worker import Worker

logger = logging.getLogger("local_model")

# For the bytes of finished answers to reach slow readers.
_FLUSH_TIMEOUT_S = 5


class DrainingServer(uvicorn.Server):
    """The first signal drains, a second one ends at once. Prints its address once it serves."""

    def __init__(self, app: Starlette, worker: Worker, settings: Settings) -> None:
        super().__init__(
            uvicorn.Config(
                ProgramsOnly(app) if is_loopback(settings.host) else app,
                host=settings.host,
                port=settings.port,
                access_log=False,
                log_level="warning",
                lifespan="off",
                timeout_graceful_shutdown=_FLUSH_TIMEOUT_S,
            )
        )
        self._worker = worker
        self._drain_timeout_s = settings.drain_timeout_s
        self._drain_until: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            port = self.servers[0].sockets[0].getsockname()[1]
            print(f"ready http://127.0.0.1:{port}", flush=True)  # noqa: T201 - the parent process waits for this line

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        if self._drain_until is None:
            self._drain_until = time.monotonic() + self._drain_timeout_s
            self._worker.drain()
        else:
            self._drain_until = 0

    async def on_tick(self, counter: int) -> bool:
        if self._drain_until is not None:
            late = time.monotonic() >= self._drain_until
            if late:
                self._worker.abandon()
            self.should_exit = late or not self._worker.busy
        return await super().on_tick(counter)
