"""The HTTP door: turns the handlers in `functions/` into FastAPI routes, as the endpoint table says."""

import inspect
from collections.abc import Callable, Coroutine, Set
from dataclasses import dataclass
from http import HTTPStatus
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from fastapi import Depends, FastAPI, Header
from fastapi import Query as FromQuery
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Header as HeaderParameter
from fastapi.params import Query as QueryParameter
from fastapi.routing import APIRoute, APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from llm_gateway import bootstrap
from llm_gateway.access import Dialect, Endpoint
from llm_gateway.domain import keys
from llm_gateway.endpoints import BASE_PATH
from llm_gateway.endpoints import endpoint as row_named
from llm_gateway.entrypoints.composition import gateway, gateway_behind
from llm_gateway.entrypoints.guard import guarded
from llm_gateway.entrypoints.observe import Observed
from llm_gateway.entrypoints.prefix import address, route_of
from llm_gateway.entrypoints.problems import render_framework_errors
from llm_gateway.entrypoints.replies import Reply as Reply
from llm_gateway.entrypoints.request_state import state_of
from llm_gateway.errors import PayloadTooLarge, ValidationFailed
from llm_gateway.settings import otlp_endpoint
from llm_gateway.wire.schema import Outgoing, Tagged, served_under

# Of the 6 MB that a Lambda may return, with room for status and headers.
MOST_ANSWER_BYTES: Final = 6 * 1024 * 1024 - 16 * 1024


@dataclass(frozen=True, slots=True)
class Mounted:
    """A handler and its row of the table."""

    row: Endpoint
    handler: Callable[..., Any]


def endpoint(handler: Callable[..., Any]) -> Mounted:
    """Declares `handler` to be the endpoint of its own name. Raises KeyError where the table has no such row."""
    return Mounted(row_named(handler.__name__), handler)


def app_of(*mounted: Mounted, gateway: Callable[[], bootstrap.Gateway] = gateway, described: bool = False) -> FastAPI:
    """An app with these endpoints. It publishes no schema of its own: `get_openapi` serves the whole one.

    `described` adds the routes' answers, for the process that writes that schema. Serving starts sooner without them.
    """
    app = FastAPI(title="LLM gateway", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.gateway = gateway
    for one in mounted:
        _mount(app, one, described=described)
    render_framework_errors(app)
    if otlp_endpoint():
        from llm_gateway.entrypoints.traced import Traced

        app.add_middleware(Traced)
    app.add_middleware(Observed)
    return app


def _mount(app: FastAPI, mounted: Mounted, *, described: bool) -> None:
    row, handler = mounted.row, mounted.handler
    known, headers = set[str](), set[str]()
    # Monitors and browsers add parameters of their own to what is public.
    strict = [Depends(_leaving_nothing_unread(known, headers))] if row.permission else None
    path = route_of(row)
    router = APIRouter(route_class=guarded(row), dependencies=strict)
    answering = _answering(handler, status=row.status)
    if "HEAD" in row.methods:
        router.add_api_route(
            path, answering, methods=["HEAD"], name=row.name, response_model=None, include_in_schema=False
        )
    router.add_api_route(
        path,
        answering,
        methods=[row.method],
        name=row.name,
        status_code=row.status,
        # Their bodies are the vendors', who publish them.
        include_in_schema=row.dialect is Dialect.NATIVE,
        **_description(mounted) if described else {"response_model": None},
    )
    for route in router.routes:
        known.update(_parameters_of(route, QueryParameter))
        headers.update(_parameters_of(route, HeaderParameter))
    app.include_router(router)


def _description(mounted: Mounted) -> dict[str, Any]:
    """What the document tells of a route beside what it takes."""
    from llm_gateway.wire.problems import Problem

    row, handler = mounted.row, mounted.handler
    return {
        "response_model": _schema(handler),
        "response_class": _response_class(handler),
        "responses": {"default": {"model": Problem}} if row.permission or "{" in row.path else None,
        "summary": row.name.replace("_", " ").capitalize(),
        "description": inspect.getdoc(handler),
    }


def _parameters_of(route: BaseRoute, kind: type[QueryParameter | HeaderParameter]) -> set[str]:
    fields = get_flat_params(route.dependant) if isinstance(route, APIRoute) else []
    return {field.alias for field in fields if isinstance(field.field_info, kind)}


def _answering(handler: Callable[..., Any], *, status: int) -> Callable[..., Response]:
    """`handler` with its return value made a response, once: FastAPI need not look at it again."""

    def answer(*args: Any, asked: Request, **kwargs: Any) -> Response:
        returned = handler(*args, **kwargs)
        reply = returned if isinstance(returned, Reply) else Reply(returned)
        return _response(reply, status=reply.status or status, asked=asked)

    signature = inspect.signature(handler, eval_str=True)
    asked = inspect.Parameter("asked", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    parameters = [*signature.parameters.values(), asked]
    answer.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return answer


def _response(reply: Reply[Any], *, status: int, asked: Request) -> Response:
    match reply.body:
        case Response():
            return reply.body
        case Outgoing():
            content = reply.body.model_dump_json(by_alias=True, context=served_under(asked.scope["root_path"]))
            _check_length(content, reply.body, asked)
            return Response(content, status, _headers(reply.body, status, asked) | reply.headers, "application/json")
        case None:
            return Response(status_code=status, headers=reply.headers)
        case _:
            return JSONResponse(reply.body, status, reply.headers)


def _check_length(content: str, body: Outgoing, asked: Request) -> None:
    """Raises `PayloadTooLarge` for what Lambda cannot return at once: everywhere, so that a move to Lambda breaks nothing."""
    # Lambda's answer is JSON once more, around this one.
    length = len(content.encode()) + content.count('"') + content.count("\\")
    if length <= MOST_ANSWER_BYTES:
        return
    query_id = getattr(body, "id", "{query_id}")
    too_large = PayloadTooLarge(
        f"The answer is stored, but longer than the {MOST_ANSWER_BYTES} bytes that can be sent at once: "
        f"read it as a stream at {address(asked, f'{BASE_PATH}/query/{query_id}/stream')}."
    )
    too_large.query_id = query_id
    raise too_large


def _headers(body: Outgoing, status: int, asked: Request) -> dict[str, str]:
    """What a resource says of itself: its revision, and where it is once it was made."""
    if not isinstance(body, Tagged):
        return {}
    made = {"Location": address(asked, body.own_path())} if status == HTTPStatus.CREATED else {}
    return {"ETag": body.etag()} | made


def _schema(handler: Callable[..., Any]) -> Any:
    returns = get_type_hints(handler).get("return")
    (schema,) = get_args(returns) if get_origin(returns) is Reply else (returns,)
    bodiless = inspect.isclass(schema) and issubclass(schema, Response | NoneType)
    return None if bodiless else schema


def _response_class(handler: Callable[..., Any]) -> type[Response]:
    """For the document alone: which media type it tells."""
    returns = get_type_hints(handler).get("return")
    if inspect.isclass(returns) and issubclass(returns, Response) and returns.media_type is not None:
        return returns
    return JSONResponse


# Dependencies are coroutines though they wait for nothing: FastAPI would send each plain function to a thread.


async def _gateway(request: Request) -> bootstrap.Gateway:
    return gateway_behind(request)


async def _caller(request: Request) -> keys.Caller:
    caller = state_of(request).caller
    if caller is None:
        raise LookupError("a public endpoint has no caller")
    return caller


def _leaving_nothing_unread(known: Set[str], headers: Set[str]) -> Callable[[Request], Coroutine[Any, Any, None]]:
    """Raises `ValidationFailed` for a parameter, a header's second line or a body that the route has no use for, so that none
    silently does nothing."""

    async def check(request: Request) -> None:
        given = [name for name, _ in request.query_params.multi_items()]
        for name in given:
            if name not in known:
                raise ValidationFailed.of(name or "query", "is not a known parameter of this route")
            # Such a name is that of a list.
            if given.count(name) > 1 and not name.endswith("[]"):
                raise ValidationFailed.of(name, "must be there once")
        for name in headers:
            if len(set(request.headers.getlist(name))) > 1:
                raise ValidationFailed.of(name.title(), "must be there once, or each time with the same value")
        if request.scope["route"].body_field is None and (await request.body()).strip() not in (b"", b"{}"):
            raise ValidationFailed.of("body", "must be empty: this route takes none")

    return check


async def _expected_revision(if_match: Annotated[str | None, Header()] = None) -> int | None:
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
