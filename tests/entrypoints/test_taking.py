"""What a handler takes of a request is worked out when it is mounted: what would not be done is refused there."""

from collections.abc import AsyncIterator, Callable, Iterator
from enum import StrEnum
from functools import partial, wraps
from typing import Annotated, Any, Literal

import fastapi
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant, get_flat_params, request_params_to_args
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from llm_gateway.endpoints import ENDPOINTS, endpoint
from llm_gateway.entrypoints.declared import HEADER, PATH, QUERY, Depends, FromHeader, FromQuery
from llm_gateway.entrypoints.fastapi_app import fastapi_of, in_fastapis_words
from llm_gateway.entrypoints.http import Mounted, app_of, taken_by
from llm_gateway.entrypoints.read_request import ReadRequest
from llm_gateway.entrypoints.taking import Taken
from llm_gateway.entrypoints.validation import validation_failed
from llm_gateway.errors import ValidationFailed
from llm_gateway.wire.schema import Incoming, Moment
from pydantic import Field
from starlette.background import BackgroundTasks
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.websockets import WebSocket

from functions.__main__ import every_endpoint


async def _awaited() -> int:
    return 1


def _gone_through() -> Iterator[int]:
    yield 1


async def _awaited_and_gone_through() -> AsyncIterator[int]:
    yield 1


@wraps(_awaited)
def _around(*args: Any, **kwargs: Any) -> Any:
    return _awaited(*args, **kwargs)


class _Called:
    async def __call__(self) -> int:
        return 1


class _GoneThrough:
    def __call__(self) -> Iterator[int]:
        yield 1


NOT_PLAIN = [
    _awaited,
    _gone_through,
    _awaited_and_gone_through,
    _around,
    partial(_awaited),
    _Called(),
    _GoneThrough(),
]


def mount(handler: Callable[..., Any]) -> TestClient:
    return TestClient(app_of(Mounted(endpoint("get_health"), handler)))


@pytest.mark.parametrize("call", NOT_PLAIN)
def test_a_handler_that_somebody_would_have_to_await_is_refused(call: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="plain function"):
        mount(call)


@pytest.mark.parametrize("call", NOT_PLAIN)
def test_so_is_one_that_depends_on_such(call: Callable[..., Any]) -> None:
    def handler(one: Annotated[int, Depends(call)]) -> dict[str, int]:
        return {"one": one}

    with pytest.raises(ValueError, match="plain function"):
        mount(handler)


class _Body(Incoming):
    one: int = 1


class _OtherBody(Incoming):
    two: int = 2


def _with_a_body(body: _Body) -> None: ...
def _with_response(one: Response) -> None: ...
def _with_connection(one: HTTPConnection) -> None: ...
def _with_websocket(one: WebSocket) -> None: ...
def _with_fastapis_cookie(one: Annotated[str, fastapi.Cookie()]) -> None: ...
def _with_fastapis_dependency(one: Annotated[int, fastapi.Depends(lambda: 1)]) -> None: ...
def _from_two_places(one: Annotated[str, FromHeader(), FromQuery()]) -> None: ...
def _with_tasks(one: BackgroundTasks) -> None: ...
def _with_fastapis_default(one: int = fastapi.Query(1, ge=1)) -> None: ...
def _with_a_mark_for_a_default(one: int = FromQuery(ge=1)) -> None: ...  # type: ignore[assignment]
def _with_a_dependency_for_a_default(one: int = Depends(lambda: 1)) -> None: ...  # type: ignore[assignment]
def _with_a_set(one: Annotated[set[str], FromQuery()]) -> None: ...
def _with_a_tuple(one: tuple[int, ...] = ()) -> None: ...
def _with_a_list_from_anywhere(one: list[str] | None = None) -> None: ...
def _with_any_body(one: _Body | _OtherBody) -> None: ...
def _with_two_bodies(one: _Body, two: _OtherBody) -> None: ...
def _with_a_second_body(two: _OtherBody, one: Annotated[None, Depends(_with_a_body)]) -> None: ...
def _without_a_type(one) -> None: ...  # type: ignore[no-untyped-def]
def _of_any_number(*ones: int) -> None: ...
def _without_a_name(one: int, /) -> None: ...


@pytest.mark.parametrize(
    ("handler", "why"),
    [
        (_with_response, "no request is read for one"),
        (_with_connection, "no request is read for one"),
        (_with_websocket, "no request is read for one"),
        (_without_a_type, "no request is read for one"),
        (_with_fastapis_cookie, "in FastAPI's words"),
        (_with_fastapis_dependency, "in FastAPI's words"),
        (_from_two_places, "from several places"),
        (_with_tasks, "no request is read for one"),
        (_with_fastapis_default, "belongs into its annotation"),
        (_with_a_mark_for_a_default, "belongs into its annotation"),
        (_with_a_dependency_for_a_default, "belongs into its annotation"),
        (_with_a_set, "is a list"),
        (_with_a_tuple, "is a list"),
        (_with_a_list_from_anywhere, "says that it is from the query"),
        (_with_any_body, "in several ways"),
        (_with_two_bodies, "in several ways"),
        (_with_a_second_body, "in several ways"),
        (_of_any_number, "given by its name"),
        (_without_a_name, "given by its name"),
    ],
)
def test_what_no_request_is_read_for_is_refused_by_name(handler: Callable[..., Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        mount(handler)


def test_classes_and_objects_that_are_called_are_plain() -> None:
    class Wanted:
        def __init__(self, q: str = "a") -> None:
            self.q = q

    class Doubled:
        def __call__(self, wanted: Annotated[Wanted, Depends(Wanted)]) -> str:
            return 2 * wanted.q

    def handler(doubled: Annotated[str, Depends(Doubled())]) -> dict[str, str]:
        return {"doubled": doubled}

    assert mount(handler).get("/health", params={"q": "b"}).json() == {"doubled": "bb"}


def test_what_several_depend_on_is_called_once() -> None:
    calls = []

    def first(request: Request) -> int:
        calls.append(request.method)
        return len(calls)

    def second(one: Annotated[int, Depends(first)]) -> int:
        return one

    def handler(one: Annotated[int, Depends(first)], two: Annotated[int, Depends(second)]) -> dict[str, int]:
        return {"one": one, "two": two}

    assert mount(handler).get("/health").json() == {"one": 1, "two": 1}
    assert calls == ["GET"]


def test_a_text_is_taken_as_it_is_and_what_has_rules_is_held_to_them() -> None:
    def handler(
        any_text: Annotated[str | None, FromHeader()] = None,
        short: Annotated[str | None, FromHeader(max_length=3)] = None,
        named: Annotated[str | None, FromHeader(alias="X-Named")] = None,
        with_default: Annotated[str | None, FromHeader()] = "a default",
        number: Annotated[int | None, FromQuery()] = None,
        q: str | None = None,
    ) -> dict[str, Any]:
        return {**locals()}

    left_out = dict.fromkeys(("any_text", "short", "named", "number", "q")) | {"with_default": "a default"}
    client = mount(handler)
    assert client.get("/health").json() == left_out
    headers = {"Any-Text": "x" * 999, "Short": "abc", "x-named": "n", "With-Default": ""}
    told = client.get("/health?number=5&q=first&q=last", headers=headers).json()
    assert told == {
        "any_text": "x" * 999,
        "short": "abc",
        "named": "n",
        "with_default": "",
        "number": 5,
        "q": "last",
    }
    refused = client.get("/health?number=five", headers={"Short": "abcd"})
    assert refused.status_code == 422
    assert {error["field"] for error in refused.json()["errors"]} == {"short", "number"}


def test_a_text_that_is_required_is_asked_for() -> None:
    def handler(needed: Annotated[str | None, FromHeader()]) -> dict[str, Any]:
        return {"needed": needed}

    assert mount(handler).get("/health").status_code == 422
    assert mount(handler).get("/health", headers={"Needed": "yes"}).json() == {"needed": "yes"}


# FastAPI has the last word on what a declaration means.


def _dependants() -> dict[str, Dependant]:
    """What FastAPI made of each endpoint that it was shown."""
    routes = [route for route in fastapi_of(*every_endpoint()).routes if isinstance(route, APIRoute)]
    return {route.name: route.dependant for route in routes}


def test_what_each_endpoint_takes_is_what_fastapi_finds_that_it_takes() -> None:
    dependants = _dependants()
    assert dependants.keys() == {row.name for row in ENDPOINTS}
    for mounted in every_endpoint():
        dependant, taken = dependants[mounted.row.name], taken_by(mounted)
        for kind in (QUERY, HEADER, PATH):
            its = [field.alias for field in get_flat_params(dependant) if field.field_info.in_.value == kind]  # type: ignore[attr-defined]
            assert taken.names(kind) == set(its), (mounted.row.name, kind)
        bodies = {(body.name, body.field_info.is_required()) for body in _bodies(dependant)}
        assert bodies == ({(taken.body.name, taken.body.is_required)} if taken.body else set()), mounted.row.name


def _bodies(dependant: Dependant) -> list[Any]:
    return [*dependant.body_params, *(body for each in dependant.dependencies for body in _bodies(each))]


_Few = Annotated[list[str], Field(max_length=2)]


class _Mood(StrEnum):
    GOOD = "good"


def _of_every_kind(
    text: str,
    number: Annotated[int | None, FromQuery(ge=1, le=100)] = None,
    share: Annotated[float, FromQuery(ge=0, le=20)] = 0,
    flag: bool = False,
    mood: _Mood | None = None,
    choice: Literal["hour", "day"] | None = None,
    since: Annotated[Moment | None, FromQuery(alias="from")] = None,
    words: Annotated[str | None, FromQuery(min_length=1, max_length=3)] = None,
    some: Annotated[list[str] | None, FromQuery(max_length=3)] = None,
    others: Annotated[list[int] | None, FromQuery(alias="others[]")] = None,
    few: Annotated[_Few | None, FromQuery()] = None,
) -> dict[str, Any]:
    return {**locals()}


_NAMES = (
    "text",
    "number",
    "share",
    "flag",
    "mood",
    "choice",
    "from",
    "words",
    "some",
    "others[]",
    "few",
    "any",
    "more",
)
_VALUES = (
    "",
    "a",
    "0",
    "1",
    "101",
    "-1",
    "1e3",
    "nan",
    "true",
    "on",
    "good",
    "day",
    "2027-01-31T00:00:00Z",
    "äöü",
    "long",
)


@given(st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_VALUES)), max_size=8))
def test_parameters_are_read_as_fastapi_reads_them(sent: list[tuple[str, str]]) -> None:
    source = QueryParams(sent)
    values, faults = request_params_to_args(_FIELDS, source)
    if faults:
        with pytest.raises(ValidationFailed) as refused:
            _TAKEN.answer(_request(source))
        assert refused.value.errors == validation_failed(faults).errors
    else:
        # By their text, in which no number is equal to itself.
        found = _TAKEN.answer(_request(source))
        assert repr(found) == repr({name: values[name] for name in found})


_FIELDS = get_flat_params(get_dependant(path="/", call=in_fastapis_words(_of_every_kind)))
_TAKEN = Taken(_of_every_kind)


def _request(source: QueryParams) -> ReadRequest:
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": str(source).encode()}
    return ReadRequest(scope, receive=_nothing)


async def _nothing() -> Any:
    raise NotImplementedError
