"""What a request leaves behind: an id, and one structured log line without a word of its content."""

import logging
import math
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import RESERVED_LOG_ATTRS, LambdaPowertoolsFormatter
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from ulid import ULID

from llm_gateway.access import SERVER_ERRORS, Dialect
from llm_gateway.correlation import CURRENT, LineKind, kind_of, traceparent_in
from llm_gateway.endpoints import BASE_PATH
from llm_gateway.entrypoints.request_state import API_REQUEST_ID, ASKED_MS, PLACE, RequestState
from llm_gateway.errors import error_class
from llm_gateway.settings import Release, own_metrics_namespace

if TYPE_CHECKING:
    from starlette.routing import Route

    from llm_gateway.domain.accounts import Left


HeaderLine = tuple[bytes, bytes]

_OURS: Final = "llm_gateway"
_RESERVED: Final = frozenset(RESERVED_LOG_ATTRS)


@cache
def logger() -> Logger:
    """The logger of the doors. What the floors below log by their modules' names becomes lines like its own."""
    made = Logger(service="llm-gateway", logger_formatter=_Lines())
    logging.getLogger(_OURS).addHandler(made.registered_handler)
    if Release.from_environment():
        for handler in logging.root.handlers:
            # Lambda's own, which would write them a second time.
            handler.addFilter(_is_not_ours)
    return made


def _is_not_ours(record: logging.LogRecord) -> bool:
    return record.name.partition(".")[0] != _OURS


class _Lines(LambdaPowertoolsFormatter):
    """Adds to every line which request and query it is about."""

    def format(self, record: logging.LogRecord) -> str:
        """The members that powertools gives a line, without its copies of the record and of what it keeps for others."""
        if record.exc_info:
            return super().format(record)
        extra = {name: value for name, value in record.__dict__.items() if name not in _RESERVED and value is not None}
        xray = self._get_latest_trace_id()
        return self.serialize(
            {
                "level": record.levelname,
                "location": f"{record.funcName}:{record.lineno}",
                "message": record.getMessage(),
                "timestamp": self.formatTime(record),
                "service": self.log_format["service"],
                **extra,
                **({"xray_trace_id": xray} if xray else {}),
            }
        )

    def serialize(self, log: Any) -> str:
        failed = log["level"] not in ("DEBUG", "INFO")
        return super().serialize(
            {"kind": LineKind.ERROR if failed else LineKind.PERFORMANCE, **CURRENT.get().told(), **log}
        )


def log_unexpected(error: BaseException) -> None:
    """Where it happened and its type; not its message, which may quote what a caller sent. Those of a Lambda are counted."""
    frames = traceback.extract_tb(error.__traceback__)
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    said = {"error_type": type(error).__qualname__, "where": where}
    logger().error("unexpected_error", extra={**said, **_counted(Release.from_environment())})


def log_own_fault(code: str) -> None:
    """An answer that is the gateway's own fault and was foreseen: it is counted as what nobody foresaw is."""
    logger().error("own_fault", extra={"error_code": code, **_counted(Release.from_environment())})


def _counted(release: Release | None) -> dict[str, Any]:
    """What makes CloudWatch count the line by the function, and by the release of it, that wrote it."""
    if release is None:
        return {}
    units, values, function = {SERVER_ERRORS: "Count"}, {SERVER_ERRORS: 1}, release.function
    return in_a_line(
        Figures(units, values, function=function), Figures(units, values, function=function, version=release.version)
    )


class Figures:
    """Members of a line that CloudWatch takes as metrics, in its embedded format, `by` some others of its members."""

    def __init__(self, units: Mapping[str, str], values: Mapping[str, float], **by: str) -> None:
        self.directive = {
            "Namespace": own_metrics_namespace(),
            "Dimensions": [list(by)],
            "Metrics": [{"Name": name, "Unit": unit} for name, unit in units.items()],
        }
        self.members = {**by, **values}


def in_a_line(*figures: Figures) -> dict[str, Any]:
    """The members of a line with these, nothing where there are none."""
    if not figures:
        return {}
    stamp = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [each.directive for each in figures]}
    return {"_aws": stamp, **{name: value for each in figures for name, value in each.members.items()}}


class ColdStart:
    """Counts the first thing that a process is asked: it has waited for the process to start."""

    def __init__(self) -> None:
        self.is_due = True

    def figures(self) -> list[Figures]:
        if not self.is_due:
            return []
        self.is_due = False
        return [Figures({"ColdStarts": "Count"}, {"ColdStarts": 1})]


_TRACEPARENT: Final = b"traceparent"
# API Gateway gives a whole answer no more time. A start that is said to be longer ago was read off another clock.
_LONGEST_WAIT_S: Final = 29.0


def _received_s(asked_ms: object) -> float:
    """When the request came, by the monotonic clock: before this process was started for it, where its door was told that."""
    now_s = time.monotonic()
    if not isinstance(asked_ms, int):
        return now_s
    return now_s - min(max(0.0, time.time() - asked_ms / 1000), _LONGEST_WAIT_S)


def _told(headers: Sequence[HeaderLine], state: RequestState, *, root_path: str) -> list[HeaderLine]:
    """The response's `headers` with what is told of every request."""
    given = {name for name, _ in headers}
    ours = {b"x-request-id": state.request_id.encode(), b"x-content-type-options": b"nosniff"}
    if b"cache-control" not in given:
        # What is answered is for one caller, and may be another in a moment.
        ours[b"cache-control"] = b"no-store"
    if state.query_id is not None:
        ours[b"x-gateway-query-id"] = state.query_id.encode()
        if b"location" not in given:
            # A client that leaves reads its query's status there, or cancels the query.
            ours[b"location"] = f"{root_path}{BASE_PATH}/query/{state.query_id}/status".encode("latin-1")
    told = _told_of(state.room.requests) if state.room and state.room.requests else {}
    if state.dialect is not Dialect.NATIVE:
        told = _in_dialect(state)
    ours |= {name.lower().encode(): value.encode() for name, value in told.items()}
    return [*[line for line in headers if line[0] not in ours], *ours.items()]


def _told_of(left: "Left") -> dict[str, str]:
    """The limit of requests as a caller reads it; seconds are from now, rounded up."""
    return {
        "RateLimit-Limit": str(left.limit),
        "RateLimit-Remaining": str(left.remaining),
        "RateLimit-Reset": str(math.ceil(left.reset_s)),
    }


def _in_dialect(state: RequestState) -> dict[str, str]:
    from llm_gateway.entrypoints.dialects import speech_of

    return speech_of(state.dialect).headers(request_id=state.request_id, room=state.room)


class Observed:
    """ASGI middleware: gives every request an id (`X-Request-Id`) and logs its end."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._cold_start = ColdStart()
        logger()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        # A server may leave it out.
        scope.setdefault("root_path", "")
        scope[PLACE] = state = RequestState(
            request_id=f"req_{ULID()}",
            received_s=_received_s(scope.get(ASKED_MS)),
        )
        for name, line in scope["headers"]:
            if name == _TRACEPARENT:
                state.traceparent = traceparent_in(line.decode("latin-1"))
        CURRENT.set(state)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _told(message["headers"], state, root_path=scope["root_path"])
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            self._log(state, scope, status=status)

    def _log(self, state: RequestState, scope: Scope, *, status: int) -> None:
        route: Route | None = scope.get("route")
        failure = error_class(state.error_code, state.error_status) if state.error_code else ""
        has_figures = failure or self._cold_start.is_due
        logger().info(
            "request",
            extra={
                "kind": kind_of(failure) if failure else LineKind.REQUEST,
                "api_request_id": scope.get(API_REQUEST_ID),
                "endpoint": route.name if route else None,
                "status": status,
                "error_code": state.error_code,
                "key_id": state.caller.key_id if state.caller else None,
                "duration_ms": round((time.monotonic() - state.received_s) * 1000),
                **(in_a_line(*_errors(failure), *self._cold_start.figures()) if has_figures else {}),
            },
        )


def _errors(failure: str) -> list[Figures]:
    return [Figures({"Errors": "Count"}, {"Errors": 1}, error_class=failure)] if failure else []
