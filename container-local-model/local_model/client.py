"""The client at the other end: reads its body within bounds, and notices when it leaves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from local_model.errors import BodyTooLarge, NotJson
from local_model.worker import Job

MAX_BODY_BYTES = 4 * 1024 * 1024


async def read_json_body(request: Request) -> bytes:
    """Raises NotJson or BodyTooLarge; a body of any length costs no more memory than the limit."""
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise NotJson("the Content-Type must be application/json")
    declared = request.headers.get("content-length", "0")
    body = bytearray()
    if not declared.isdecimal() or int(declared) <= MAX_BODY_BYTES:
        async for block in request.stream():
            body += block
            if len(body) > MAX_BODY_BYTES:
                break
        else:
            return bytes(body)
    raise BodyTooLarge(f"the body is larger than {MAX_BODY_BYTES} bytes")


@asynccontextmanager
async def cancelling_when_client_leaves(receive: Receive, job: Job) -> AsyncIterator[None]:
    """Cancels the job when the client goes while the block runs, or when the block fails."""
    watch = asyncio.create_task(_cancel_when_gone(receive, job))
    try:
        yield
    except BaseException:
        job.cancel()
        raise
    finally:
        watch.cancel()


async def _cancel_when_gone(receive: Receive, job: Job) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    job.cancel()


class EventStream(StreamingResponse):
    """Server-sent events of a job, which ends with the response however that ends."""

    media_type = "text/event-stream"

    def __init__(self, chunks: AsyncIterator[bytes], *, job: Job) -> None:
        # Proxies would hold small chunks back, or store them.
        super().__init__(chunks, headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"})
        self._job = job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._job.cancel()
