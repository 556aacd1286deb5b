"""Streams over HTTP: events in their order, problems before the first, and going on where a client stopped."""

import json
from dataclasses import dataclass
from typing import Any

import pytest
from httpx2 import Response
from llm_gateway.domain import faults
from llm_gateway.domain.keys import Role

from tests.entrypoints.conftest import QUERY, QUESTION, Api

STREAM = f"{QUERY}/stream"


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    id: str
    data: Any


def _events(response: Response) -> list[Event]:
    assert response.status_code == 200, response.text
    assert response.headers["Content-Type"].startswith("text/event-stream")
    assert "Content-Length" not in response.headers
    events = []
    for block in response.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            events.append(Event(lines["event"], lines["id"], json.loads(lines["data"])))
    return events


def _ask(api: Api, **changes: Any) -> Response:
    return api.call("POST", STREAM, QUESTION | changes, role=Role.CALLER)


def _resume(api: Api, query_id: str, last: str | None, *, role: Role = Role.CALLER) -> Response:
    headers = {} if last is None else {"Last-Event-ID": last}
    return api.call("GET", f"{QUERY}/{query_id}/stream", role=role, headers=headers)


def test_events_come_in_their_order(api: Api) -> None:
    api.register()
    query, delta, done = _events(_ask(api))
    assert [event.name for event in (query, delta, done)] == ["query", "delta", "done"]
    assert query.data == {"id": done.data["id"], "provider": "local", "model": "small"}
    assert delta.data == {"text": "Hello!"}
    assert done.data["output"]["text"] == "Hello!"
    assert len({event.id for event in (query, delta, done)}) == 3


def test_a_stream_is_stored_like_any_other_query(api: Api) -> None:
    api.register()
    done = _events(_ask(api))[-1].data
    assert api.call("GET", f"{QUERY}/{done['id']}/result", role=Role.CALLER).json() == done
    assert api.call("GET", f"{QUERY}/{done['id']}/status", role=Role.CALLER).json()["status"] == "succeeded"


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (faults.ProviderFailed("It failed."), 502, "provider_error"),
        (faults.ProviderTimeout("It took too long."), 504, "provider_timeout"),
        (RuntimeError("SECRET-WORDS"), 500, "internal_error"),
    ],
)
def test_what_fails_before_the_first_event_is_an_ordinary_problem(
    api: Api, fault: Exception, status: int, code: str
) -> None:
    api.register()
    api.gateway.outside.models.script.append(fault)
    response = _ask(api)
    assert (response.status_code, response.json()["code"]) == (status, code)
    assert "SECRET-WORDS" not in response.text


def test_a_stream_names_its_query_in_its_head(api: Api) -> None:
    api.register()
    response = _ask(api)
    query_id = _events(response)[0].data["id"]
    assert response.headers["X-Gateway-Query-Id"] == query_id
    assert response.headers["Location"] == f"{QUERY}/{query_id}/status"
    assert _resume(api, query_id, None).headers["X-Gateway-Query-Id"] == query_id


def test_a_problem_of_a_query_that_was_to_stream_names_it_too(api: Api) -> None:
    api.register()
    api.gateway.outside.models.script.append(faults.ProviderFailed("It failed."))
    response = _ask(api)
    assert response.headers["X-Gateway-Query-Id"] == response.json()["query_id"]
    assert int(response.headers["X-Gateway-Overhead-Ms"]) >= 0


def test_what_was_not_let_in_has_no_id(api: Api) -> None:
    assert "X-Gateway-Query-Id" not in _ask(api).headers


def test_nothing_is_streamed_of_what_cannot_be_asked(api: Api) -> None:
    api.refused("POST", STREAM, QUESTION, status=503, code="no_provider_available")
    api.register()
    api.refused("POST", STREAM, QUESTION | {"nonsense": 1}, status=422, code="validation_failed")
    api.refused("POST", STREAM, QUESTION | {"provider": "nobody"}, status=404, code="provider_not_found")
    assert api.gateway.outside.models.asked == []


@pytest.mark.parametrize(("read", "rest"), [(0, "Hello!"), (1, "ello!"), (5, "!"), (6, None), (99, None)])
def test_a_client_goes_on_where_it_stopped(api: Api, read: int, rest: str | None) -> None:
    api.register()
    whole = _events(_ask(api))
    events = _events(_resume(api, whole[0].data["id"], str(read)))
    assert [event.data for event in events if event.name == "delta"] == ([{"text": rest}] if rest else [])
    assert events[-1] == whole[-1]


def test_the_opening_comes_once(api: Api) -> None:
    api.register()
    whole = _events(_ask(api))
    assert [event.name for event in whole] == ["query", "delta", "done"]
    assert _events(_resume(api, whole[0].data["id"], whole[0].id)) == whole[1:]


def test_a_client_that_has_read_nothing_gets_the_whole(api: Api) -> None:
    api.register()
    whole = _events(_ask(api))
    assert _events(_resume(api, whole[0].data["id"], None)) == whole
    assert [event.name for event in _events(_resume(api, whole[0].data["id"], whole[-1].id))] == ["done"]
    assert len(api.gateway.outside.models.asked) == 1


@pytest.mark.parametrize("last", ["x", "", "-1", "1.", "1.x", "9" * 5000, "²"])
def test_an_event_id_that_no_stream_has_is_malformed(api: Api, last: str) -> None:
    api.register()
    query_id = _events(_ask(api))[0].data["id"]
    headers = {"Last-Event-ID": last.encode("latin-1")}
    api.refused("GET", f"{QUERY}/{query_id}/stream", headers=headers, status=400, code="malformed_request")


def test_somebody_elses_stream_is_not_found(api: Api) -> None:
    api.register()
    query_id = _events(api.call("POST", STREAM, QUESTION, role=Role.ADMIN))[0].data["id"]
    assert _resume(api, query_id, None, role=Role.CALLER).json()["code"] == "query_not_found"
    theirs = _events(_ask(api))[0].data["id"]
    assert _events(_resume(api, theirs, None, role=Role.ADMIN))[0].data["id"] == theirs


def test_a_failed_stream_tells_its_problem_again(api: Api) -> None:
    api.register()
    api.gateway.outside.models.script.append(faults.ProviderFailed("It failed."))
    problem = _ask(api).json()
    again = _resume(api, problem["query_id"], None)
    assert (again.status_code, again.json()["code"]) == (502, "provider_error")
