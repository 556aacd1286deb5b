"""What a request leaves behind: an id, and one structured log line without a word of its content."""

import math
import time
import traceback
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from llm_gateway.access import METRICS_NAMESPACE, SERVER_ERRORS, Dialect
from llm_gateway.endpoints import BASE_PATH
from llm_gateway.entrypoints.request_state import ASKED_MS, PLACE, RequestState
from llm_gateway.settings import Release

if TYPE_CHECKING:
    from starlette.routing import Route

    from llm_gateway.domain.accounts import Room


@cache
def logger() -> Logger:
    return Logger(service="llm-gateway")


def log_unexpected(error: BaseException) -> None:
    """Where it happened and its type; not its message, which may quote what a caller sent. Those of a Lambda are counted."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    said = {"error_type": type(error).__qualname__, "where": where}
    logger().error("unexpected_error", extra={**said, **_counted(Release.from_environment())})


def _counted(release: Release | None) -> dict[str, Any]:
    """What makes CloudWatch count the line, in its embedded format."""
    if release is None:
        return {}
    directive = {
        "Namespace": METRICS_NAMESPACE,
        "Dimensions": [["function", "version"]],
        "Metrics": [{"Name": SERVER_ERRORS, "Unit": "Count"}],
    }
    stamp = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": stamp, "function": release.function, "version": release.version, SERVER_ERRORS: 1}


# API Gateway gives a whole answer no more time. A start that is said to be longer ago was read off another clock.
_LONGEST_WAIT_S: Final = 29.0


def _received_s(asked_ms: object) -> float:
    """When the request came, by the monotonic clock: before this process was started for it, where its door was told that."""
    now_s = time.monotonic()
    if not isinstance(asked_ms, int):
        return now_s
    return now_s - min(max(0.0, time.time() - asked_ms / 1000), _LONGEST_WAIT_S)


def _told_of(room: "Room") -> dict[str, str]:
    """The limit of requests as a caller reads it; seconds are from now, rounded up."""
    return {
        "RateLimit-Limit": str(room.limit),
        "RateLimit-Remaining": str(room.remaining),
        "RateLimit-Reset": str(math.ceil(room.reset_s)),
    }


def _in_dialect(state: RequestState) -> dict[str, str]:
    from llm_gateway.entrypoints.dialects import speech_of

    return speech_of(state.dialect).headers(request_id=state.request_id, room=state.room)


class Observed:
    """ASGI middleware: gives every request an id (`X-Request-Id`) and logs its end."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        scope[PLACE] = state = RequestState(request_id=f"req_{ULID()}", received_s=_received_s(scope.get(ASKED_MS)))
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = state.request_id
                if state.query_id is not None:
                    headers["X-Gateway-Query-Id"] = state.query_id
                    # A client that leaves can ask there what has become of its query, or cancel it.
                    headers.setdefault("Location", f"{scope['root_path']}{BASE_PATH}/query/{state.query_id}/status")
                # What is answered is for one caller, and may be another in a moment.
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Content-Type-Options"] = "nosniff"
                if state.dialect is not Dialect.NATIVE:
                    headers.update(_in_dialect(state))
                elif state.room:
                    headers.update(_told_of(state.room))
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            self._log(state, scope.get("route"), status=status)

    @staticmethod
    def _log(state: RequestState, route: "Route | None", *, status: int) -> None:
        logger().info(
            "request",
            extra={
                "request_id": state.request_id,
                "endpoint": route.name if route else None,
                "status": status,
                "error_code": state.error_code,
                "key_id": state.caller.key_id if state.caller else None,
                "duration_ms": round((time.monotonic() - state.received_s) * 1000),
            },
        )
