"""The only place that renders errors: every failure leaves as an RFC 9457 problem, or in the dialect of its route."""

import math
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import compile_path

from llm_gateway.access import Dialect
from llm_gateway.endpoints import ENDPOINTS
from llm_gateway.entrypoints.observe import log_own_fault, log_unexpected
from llm_gateway.entrypoints.prefix import own_path, route_of
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.errors import BudgetExceeded, GatewayError, MalformedRequest, MethodNotAllowed, RouteNotFound
from llm_gateway.wire.media_types import PROBLEM
from llm_gateway.wire.schema import served_under

if TYPE_CHECKING:
    from collections.abc import Callable

    from llm_gateway.wire.problems import Problem

_DEFAULT_RETRY_AFTER_S: Final = 5
LONGEST_RETRY_AFTER_S: Final = 3600


def render_framework_errors(app: Starlette) -> None:
    """What is raised before a route is found (404, 405) is rendered like the rest."""
    app.add_exception_handler(HTTPException, render)


def _misrouted(request: Request, error: RouteNotFound) -> GatewayError:
    """`MethodNotAllowed` where the table has other methods for the path: a Lambda's own app knows but one of its routes."""
    path = own_path(request)
    rows = [row for row in ENDPOINTS if compile_path(route_of(row))[0].match(path)]
    methods = [method for row in rows for method in row.methods]
    # API Gateway may read a path otherwise, `%2F` say, and send it to a function that has not the route.
    if not methods or request.method in methods:
        return error
    allowed = ", ".join(methods)
    return MethodNotAllowed(f"The route does not take this method. It takes {allowed}.", headers={"Allow": allowed})


def as_gateway_error(error: Exception) -> GatewayError:
    """`error` as one of ours; what nobody foresaw becomes `internal_error`, and says nothing of itself."""
    match error:
        case GatewayError():
            if error.status == GatewayError.status or error.by_release:
                _log_fault(error)
            return error
        case ClientDisconnect():
            return MalformedRequest("The body did not arrive whole.")
        case HTTPException(status_code=404 | 405):
            return RouteNotFound("There is no such route. The routes are listed at /docs.")
        case HTTPException(status_code=status) if status < 500:
            return MalformedRequest("The request cannot be read.")
        case _:
            log_unexpected(error)
            return GatewayError("Something unforeseen happened. The request_id helps to find out what.")


def _log_fault(error: GatewayError) -> None:
    """Once: where it came from, where nobody foresaw that."""
    cause = error.__cause__
    if cause is None or error.by_release or isinstance(cause, GatewayError):
        log_own_fault(error.code)
    else:
        log_unexpected(cause)


def _met(request: Request, raised: Exception) -> GatewayError:
    """`raised` as one of ours; what nobody foresaw tells of the query that the request made, if it was under way."""
    error = as_gateway_error(raised)
    if error is not raised and error.status >= 500:
        error.query_id = state_of(request).query_id
    return error


def _whole_seconds(error: GatewayError) -> int:
    """An hour at most: a provider that asked for more may recover sooner. A budget is exempt: the end of its period is fixed."""
    wait_s = max(1, math.ceil(error.retry_after_s or _DEFAULT_RETRY_AFTER_S))
    return wait_s if isinstance(error, BudgetExceeded) else min(wait_s, LONGEST_RETRY_AFTER_S)


def problem_shown(error: GatewayError, request: Request) -> "Problem":
    """What the caller of `request` reads of `error`."""
    from llm_gateway.domain.queries import QueryProblem
    from llm_gateway.wire.problems import Problem

    if error.errors and (called := state_of(request).called) is not None:
        from llm_gateway.wire.field_names import rename

        rename(error, called)
    return Problem.of(
        QueryProblem.of(error),
        query_id=error.query_id,
        request_id=state_of(request).request_id,
        errors=error.errors,
    )


def render(request: Request, raised: Exception) -> Response:
    """The response for whatever a request met."""
    error = _met(request, raised)
    if isinstance(error, RouteNotFound):
        error = _misrouted(request, error)
        state_of(request).dialect = _dialect_at(request)
    state = state_of(request)
    state.error_code, state.error_status = error.code, error.status
    problem = problem_shown(error, request)
    headers = dict(error.headers)
    if error.overhead_ms is not None:
        headers["X-Gateway-Overhead-Ms"] = str(error.overhead_ms)
    if error.retry_after_s is not None or error.status in (429, 503):
        headers["Retry-After"] = str(_whole_seconds(error))
    dialect = state.dialect
    if dialect is not Dialect.NATIVE:
        return _in_dialect(dialect, error, problem, headers)
    content = problem.model_dump_json(context=served_under(request.scope["root_path"]))
    return Response(content, error.status, headers, PROBLEM)


def rendered_in_stream(
    request: Request, raised: Exception, *, break_off: "Callable[[GatewayError, Problem], bytes] | None" = None
) -> bytes:
    """The last event of a stream that met `raised` after something was sent; `break_off` makes it where it is told."""
    error, state = _met(request, raised), state_of(request)
    state.error_code, state.error_status = error.code, error.status
    problem = problem_shown(error, request)
    if break_off is not None:
        return break_off(error, problem)
    if state.dialect is Dialect.NATIVE:
        from llm_gateway.wire.events import error_event

        return error_event(problem, root_path=request.scope["root_path"])
    from llm_gateway.entrypoints.dialects import speech_of

    return speech_of(state.dialect).broken_off(error, problem)


def _dialect_at(request: Request) -> Dialect:
    from llm_gateway.entrypoints.dialects import spoken_at

    return spoken_at(request)


def _in_dialect(dialect: Dialect, error: GatewayError, problem: "Problem", headers: dict[str, str]) -> Response:
    from llm_gateway.entrypoints.dialects import speech_of

    refusal = speech_of(dialect).refusal(error, problem)
    return JSONResponse(refusal.body, refusal.status, headers | refusal.headers)
