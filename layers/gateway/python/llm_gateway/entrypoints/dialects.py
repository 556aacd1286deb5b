"""Whose words a request is answered in: the dialect of its row. A dialect's own module is imported when it is first spoken."""

from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from starlette.requests import Request

from llm_gateway.access import Dialect, Endpoint
from llm_gateway.endpoints import DROP_IN_PATH, ENDPOINTS
from llm_gateway.entrypoints.prefix import own_path

if TYPE_CHECKING:
    from llm_gateway.wire.dialects import Speech

_SAID_BY_ANTHROPICS_CLIENTS: Final = "anthropic-version"
_SPOKEN: Final = frozenset(row.dialect for row in ENDPOINTS)


def spoken(row: Endpoint, request: Request) -> Dialect:
    """The dialect of `row`. Both vendors have the paths to read models at: there a header tells whose client it is."""
    if row.dialect is Dialect.NATIVE or row.method != "GET":
        return row.dialect
    return _of_client(request)


def spoken_at(request: Request) -> Dialect:
    """The dialect in which it is told that a request leads to no route."""
    path = own_path(request)
    if any(path.startswith(row.path) for row in ENDPOINTS if row.dialect is Dialect.ANTHROPIC):
        return Dialect.ANTHROPIC
    return _of_client(request) if path.startswith(f"{DROP_IN_PATH}/") else Dialect.NATIVE


def _of_client(request: Request) -> Dialect:
    is_anthropics = Dialect.ANTHROPIC in _SPOKEN and _SAID_BY_ANTHROPICS_CLIENTS in request.headers
    return Dialect.ANTHROPIC if is_anthropics else Dialect.OPENAI


def speech_of(dialect: Dialect) -> "Speech":
    """How `dialect`, which is not the gateway's own, tells errors and limits."""
    return cast("Speech", import_module(f"llm_gateway.wire.{dialect.value}.speech"))
