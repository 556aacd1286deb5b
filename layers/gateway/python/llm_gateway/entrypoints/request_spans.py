"""A span around each request. Mounted where a deployment collects traces, and imported nowhere else."""

from contextlib import ExitStack

from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from llm_gateway.entrypoints.request_state import PLACE, RequestState
from llm_gateway.ports.tracing import Span, Tracing
from llm_gateway.settings import Release


class Traced:
    """ASGI middleware, within `Observed`: the lines of the request's log tell the same trace."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        # Frozen once the answer is out: what was not sent by then waits for the next request.
        self._must_flush = Release.from_environment() is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tracing: Tracing | None = scope["app"].state.gateway().outside.tracing if scope["type"] == "http" else None
        if tracing is None:
            await self.app(scope, receive, send)
            return
        state: RequestState = scope[PLACE]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.note(http__response__status_code=message["status"])
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                # Before the last of the answer is out: with that the platform is done.
                _note(span, scope, state)
                opened.close()
                if self._must_flush:
                    await run_sync(tracing.flush)
            await send(message)

        with ExitStack() as opened:
            span = opened.enter_context(tracing.serving(scope["method"], state))
            await self.app(scope, receive, sending)


def _note(span: Span, scope: Scope, state: RequestState) -> None:
    route = scope.get("route")
    path = getattr(route, "path", None)
    span.note(
        http__request__method=scope["method"],
        http__route=path,
        llm_gateway__endpoint=getattr(route, "name", None),
        llm_gateway__request_id=state.request_id,
        llm_gateway__query_id=state.query_id,
    )
    if state.error_code is not None and state.error_status >= 500:
        span.fail(state.error_code)
