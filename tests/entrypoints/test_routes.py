"""The route that a request is handed to is the one that FastAPI would find, and it always has its guard."""

from collections.abc import Iterator, Mapping

import pytest
from fastapi import FastAPI
from llm_gateway.endpoints import ENDPOINTS
from llm_gateway.entrypoints.fastapi_app import fastapi_of
from llm_gateway.entrypoints.guard import Guard
from llm_gateway.entrypoints.http import app_of
from llm_gateway.entrypoints.routes import Found, KnownRoutes
from starlette.applications import Starlette
from starlette.routing import Match, Route

from functions.__main__ import every_endpoint

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@pytest.fixture(scope="module")
def app() -> Starlette:
    return app_of(*every_endpoint())


@pytest.fixture(scope="module")
def declared_to_fastapi() -> FastAPI:
    return fastapi_of(*every_endpoint())


def paths() -> Iterator[str]:
    """Of every row: with a value for each parameter, another row's fixed step among them; with a step too many, and cut."""
    steps = {step for row in ENDPOINTS for step in row.path.split("/") if step and "{" not in step}
    for row in ENDPOINTS:
        for value in ("x", "a b", *sorted(steps)):
            filled = "/".join(value if "{" in step else step for step in row.path.split("/"))
            yield from (filled, f"{filled}/more", f"{filled}/", f"{filled}\n", filled[1:], filled.rpartition("/")[0])


def found_by_fastapi(app: FastAPI, method: str, path: str) -> Found | None:
    scope = {"type": "http", "method": method, "path": path, "root_path": ""}
    for route in app.routes:
        assert isinstance(route, Route)
        match, found = route.matches(scope)
        if match is Match.FULL:
            return route, found["path_params"]
    return None


def test_a_request_has_the_route_that_fastapi_would_find(app: Starlette, declared_to_fastapi: FastAPI) -> None:
    asked = [(method, path) for path in dict.fromkeys(paths()) for method in METHODS]
    by_fastapi = [_told(found_by_fastapi(declared_to_fastapi, *each)) for each in asked]
    for each in (app, declared_to_fastapi):
        routes = KnownRoutes(each, routes=each.routes)
        assert [_told(routes.found(*one)) for one in asked] == by_fastapi
    assert {found[0] for found in filter(None, by_fastapi)} == {row.name for row in ENDPOINTS}


def _told(found: Found | None) -> tuple[str, str, Mapping[str, str]] | None:
    return (found[0].name, found[0].path, found[1]) if found else None


def test_every_route_has_a_guard_however_it_is_found(app: Starlette, declared_to_fastapi: FastAPI) -> None:
    for routes in (app.routes, declared_to_fastapi.routes):
        assert len(routes) >= len(ENDPOINTS)
        assert all(isinstance(route, Route) and isinstance(route.app, Guard) for route in routes)
