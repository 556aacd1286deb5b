"""Which route a request leads to, found in one step where Starlette tries one after the other."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from llm_gateway.entrypoints.prefix import own_path_in

Found = tuple[Route, Mapping[str, str]]
"""A route, and the parameters that are in the path."""


class KnownRoutes:
    """ASGI middleware, the innermost: hands a request to its route. One that leads to none goes on to Starlette."""

    def __init__(self, app: ASGIApp, *, routes: Iterable[BaseRoute]) -> None:
        self.app = app
        self._by_method: dict[str, list[Route]] = defaultdict(list)
        for route in routes:
            if isinstance(route, Route):
                for method in route.methods or ():
                    self._by_method[method].append(route)
        self._plain = {
            (method, route.path): self._first(method, route.path)
            for method, its in self._by_method.items()
            for route in its
            if not route.param_convertors
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self.found(scope["method"], own_path_in(scope)) if scope["type"] == "http" else None
        if found is None:
            await self.app(scope, receive, send)
            return
        scope["route"], scope["path_params"] = found
        await found[0].app(scope, receive, send)

    def found(self, method: str, path: str) -> Found | None:
        """The first route that the request fits, as Starlette has it."""
        return self._plain.get((method, path)) or self._first(method, path)

    def _first(self, method: str, path: str) -> Found | None:
        for route in self._by_method.get(method, ()):
            match = route.path_regex.match(path)
            if match is not None:
                return route, match.groupdict()
        return None
