"""The HTTP door: turns the handlers in `functions/` into routes, as the endpoint table says."""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Route, compile_path

from llm_gateway import bootstrap
from llm_gateway.access import Endpoint
from llm_gateway.domain import keys
from llm_gateway.endpoints import endpoint as row_named
from llm_gateway.entrypoints.composition import gateway, gateway_behind
from llm_gateway.entrypoints.declared import Depends, FromHeader, FromQuery
from llm_gateway.entrypoints.guard import Guard
from llm_gateway.entrypoints.observe import Observed
from llm_gateway.entrypoints.prefix import route_of
from llm_gateway.entrypoints.problems import render_framework_errors
from llm_gateway.entrypoints.replies import Reply as Reply
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.entrypoints.routes import KnownRoutes
from llm_gateway.entrypoints.taking import Taken
from llm_gateway.errors import ValidationFailed
from llm_gateway.settings import cors_origins, otlp_endpoint
from llm_gateway.values import dataclass


@dataclass(frozen=True, slots=True)
class Mounted:
    """A handler and its row of the table."""

    row: Endpoint
    handler: Callable[..., Any]


def endpoint(handler: Callable[..., Any]) -> Mounted:
    """Declares `handler` to be the endpoint of its own name. Raises KeyError where the table has no such row."""
    return Mounted(row_named(handler.__name__), handler)


def app_of(*mounted: Mounted, gateway: Callable[[], bootstrap.Gateway] = gateway) -> Starlette:
    """An app with these endpoints, as a function on Lambda serves them: on Starlette, which is what FastAPI stands on."""
    app = Starlette(routes=[GuardedRoute(one.row, guard_of(one)) for one in mounted])
    app.router.redirect_slashes = False
    return furnished(app, gateway)


A = TypeVar("A", bound=Starlette)


def furnished(app: A, gateway: Callable[[], bootstrap.Gateway] = gateway) -> A:
    """`app`, whose routes are there, with all that is around them."""
    app.state.gateway = gateway
    render_framework_errors(app)
    if otlp_endpoint():
        from llm_gateway.entrypoints.request_spans import Traced

        app.add_middleware(Traced)
    app.add_middleware(Observed)
    if origins := cors_origins():
        from llm_gateway.entrypoints.other_origins import let_in

        let_in(app, origins)
    # The innermost.
    app.user_middleware.append(Middleware(KnownRoutes, routes=app.routes))
    return app


def guard_of(mounted: Mounted) -> Guard:
    """What answers on the handler's route. Raises ValueError where no request can be read as the handler wants it."""
    return Guard(mounted.row, taken_by(mounted))


def taken_by(mounted: Mounted) -> Taken:
    """What the handler takes of a request to its route. Raises ValueError where no request can be read so."""
    return Taken(mounted.handler, path=frozenset(compile_path(route_of(mounted.row))[2]))


class GuardedRoute(Route):
    """Of the row's methods alone: Starlette's own has HEAD beside every GET."""

    def __init__(self, row: Endpoint, guard: Guard) -> None:
        super().__init__(route_of(row), guard, methods=row.methods, name=row.name)
        self.methods = set(row.methods)


def _gateway(request: Request) -> bootstrap.Gateway:
    return gateway_behind(request)


def _caller(request: Request) -> keys.Caller:
    caller = state_of(request).caller
    if caller is None:
        raise LookupError("a public endpoint has no caller")
    return caller


def _expected_revision(if_match: Annotated[str | None, FromHeader()] = None) -> int | None:
    """The revision that `If-Match` names; one that no resource has (0) where it names none, `*` where any will do."""
    if if_match is None or if_match.strip() == "*":
        return None
    if "," in if_match:
        raise ValidationFailed.of("If-Match", "must name one revision, the one that was read, or be *")
    tag = if_match.strip().strip('"')
    return int(tag) if tag.isdecimal() and len(tag) < 19 else 0


Gateway = Annotated[bootstrap.Gateway, Depends(_gateway)]
Caller = Annotated[keys.Caller, Depends(_caller)]
IfMatch = Annotated[int | None, Depends(_expected_revision)]
Limit = Annotated[int, FromQuery(ge=1, le=100)]
Cursor = Annotated[str | None, FromQuery()]
Wait = Annotated[float, FromQuery(ge=0, le=20)]
