"""Where a client finds the API: at its host's root, or under what API Gateway puts before it, a stage or a base path."""

from urllib.parse import unquote

from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import Request
from starlette.types import Scope

from llm_gateway.access import Endpoint


def mount(scope: Scope, *, called: str, path: str, depth: int) -> None:
    """Note in ASGI's words that a client asked for `called`, and that the last `depth` steps of it and of `path` are the
    API's own: behind a custom domain's base path API Gateway gives `path` like `called`, behind a stage without it."""
    root = "/".join(called.split("/")[:-depth]) if depth else called.rstrip("/")
    scope["raw_path"] = called.encode()
    scope["root_path"] = root
    scope["path"] = root + unquote("/" + "/".join(path.split("/")[-depth:] if depth else ()))


def address(request: Request, path: str) -> str:
    """What leads to the API's own `path` from the host that the client called."""
    return f"{request.scope['root_path']}{path}"


class _Rest(PathConvertor):
    """All that follows in a path, but not nothing: API Gateway's `{name+}` stands for one step at least."""

    regex = ".+"


register_url_convertor("rest", _Rest())


def route_of(row: Endpoint) -> str:
    """The row's path as a router takes it."""
    return row.path.removesuffix("}") + ":rest}" if row.rest else row.path


def own_path(request: Request) -> str:
    """The path of the request as the table of endpoints has it."""
    return own_path_in(request.scope)


def own_path_in(scope: Scope) -> str:
    """The same, of the request in `scope`."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
