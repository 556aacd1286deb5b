"""The endpoints declared to FastAPI: for the server of one's own, and for the API's document. A function on Lambda does without.

FastAPI finds a declaration that cannot be read while it mounts it, and describes what it mounts. What answers is the same guard.
"""

import inspect
from collections.abc import Callable
from functools import cache, partial
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from fastapi import Depends, FastAPI, Header, Path, Query
from fastapi.routing import APIRoute
from starlette.responses import JSONResponse, Response

from llm_gateway import bootstrap
from llm_gateway.access import Dialect
from llm_gateway.entrypoints import declared
from llm_gateway.entrypoints.composition import gateway
from llm_gateway.entrypoints.guard import Guard
from llm_gateway.entrypoints.http import Mounted, furnished, guard_of
from llm_gateway.entrypoints.prefix import route_of
from llm_gateway.entrypoints.replies import Reply

_PARAMETERS: Final = {declared.QUERY: Query, declared.HEADER: Header, declared.PATH: Path}


def fastapi_of(
    *mounted: Mounted, gateway: Callable[[], bootstrap.Gateway] = gateway, described: bool = False
) -> FastAPI:
    """An app with these endpoints. It publishes no schema of its own: `get_openapi` serves the whole one.

    `described` adds the routes' answers, for the process that writes that schema. Serving starts sooner without them.
    """
    app = FastAPI(title="LLM gateway", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for one in mounted:
        _mount(app, one, described=described)
    return furnished(app, gateway)


def _mount(app: FastAPI, mounted: Mounted, *, described: bool) -> None:
    row = mounted.row
    add = partial(
        app.router.add_api_route,
        route_of(row),
        in_fastapis_words(mounted.handler),
        name=row.name,
        route_class_override=_answered_by(guard_of(mounted)),
    )
    if "HEAD" in row.methods:
        add(methods=["HEAD"], response_model=None, include_in_schema=False)
    add(
        methods=[row.method],
        status_code=row.status,
        # Their bodies are the vendors', who publish them.
        include_in_schema=row.dialect is Dialect.NATIVE,
        **_description(mounted) if described else {"response_model": None},
    )


def _answered_by(guard: Guard) -> type[APIRoute]:
    class GuardedRoute(APIRoute):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            # In the place of FastAPI's own, however the route is found.
            self.app = guard

    return GuardedRoute


@cache
def in_fastapis_words(call: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose signature tells FastAPI what `call`'s own tells the gateway. It is read, and never called."""

    def read(**_: Any) -> None:
        """Its signature is all of it."""

    signature = inspect.signature(call, eval_str=True)
    parameters = [each.replace(annotation=_translated(each.annotation)) for each in signature.parameters.values()]
    read.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return read


def _translated(annotation: Any) -> Any:
    if get_origin(annotation) is not Annotated:
        return annotation
    base, *marks = get_args(annotation)
    return Annotated[base, *(_in_its_words(mark) for mark in marks)]


def _in_its_words(mark: Any) -> Any:
    match mark:
        case declared.Depends(call):
            return Depends(in_fastapis_words(call))
        case declared.Parameter(kind, alias, rules):
            return _PARAMETERS[kind](alias=alias, **dict(rules))
        case _:
            return mark


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
