"""Queries over HTTP: the answer's shape, what is refused, and who may read what came of them."""

import json
import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from llm_gateway.domain.chat import ChatAnswer, FinishReason, ToolCall, Usage
from llm_gateway.domain.keys import Role
from llm_gateway.domain.queries import Query, QueryStatus

from tests.adapters.ids import FakeIds
from tests.entrypoints.conftest import CREDENTIAL, QUERY, QUESTION, Api
from tests.entrypoints.contract import TIMESTAMP

NOTHING_MORE = {"reasoning": None, "annotations": None, "logprobs": None}
_QUERY_ID = re.compile(r"qry_[0-9A-HJKMNP-TV-Z]{26}")


def _ask(api: Api, *, role: Role = Role.CALLER, **changes: Any) -> dict[str, Any]:
    response = api.call("POST", QUERY, QUESTION | changes, role=role)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_an_answer_has_the_shape_that_the_contract_shows(api: Api) -> None:
    api.register()
    response = api.call("POST", QUERY, QUESTION | {"metadata": {"customer": "42"}}, role=Role.CALLER)
    answer = response.json()
    assert _QUERY_ID.fullmatch(answer["id"])
    assert TIMESTAMP.fullmatch(answer["created_at"])
    assert TIMESTAMP.fullmatch(answer["completed_at"])
    latency = answer["latency_ms"]
    assert latency["total"] == latency["provider"] + latency["waiting"] + latency["overhead"]
    assert response.headers["X-Gateway-Overhead-Ms"] == str(latency["overhead"])
    assert response.headers["X-Gateway-Query-Id"] == answer["id"]
    assert latency["overhead"] >= 0
    varying = {"id", "created_at", "completed_at", "latency_ms", "attempts"}
    assert {name: value for name, value in answer.items() if name not in varying} == {
        "status": "succeeded",
        "output": {"text": "Hello!", "json": None, "tool_calls": [], **NOTHING_MORE},
        "finish_reason": "stop",
        "provider": "local",
        "model": "small",
        "usage": {
            "input_tokens": 10,
            "output_tokens": 1,
            "cached_input_tokens": 0,
            "cache_write_tokens": 0,
            "reasoning_tokens": 0,
            "estimated": False,
        },
        "cost_usd": "0.000011",
        "cache": answer["cache"],
        "prompt": None,
        "roles": [],
        "context": None,
        "warnings": [],
        "metadata": {"customer": "42"},
    }
    assert answer["cache"]["hit"] is False
    (attempt,) = answer["attempts"]
    assert attempt["latency_ms"] >= 0
    assert {name: value for name, value in attempt.items() if name != "latency_ms"} == {
        "provider": "local",
        "model": "small",
        "outcome": "ok",
        "error_code": None,
        "detail": None,
        "upstream_status": None,
        "cost_usd": "0.000011",
    }
    assert api.call("GET", f"{QUERY}/{answer['id']}/result", role=Role.CALLER).json() == answer


def test_the_provider_is_asked_with_its_own_key(api: Api) -> None:
    api.register()
    _ask(api)
    (asked,) = api.gateway.outside.models.asked
    assert asked.credentials is not None
    assert asked.credentials.api_key == CREDENTIAL
    assert api.secret(Role.CALLER) not in repr(asked)


def test_tools_that_are_called(api: Api) -> None:
    api.register(models=[{"name": "small", "capabilities": ["tools"]}])
    api.gateway.outside.models.script.append(
        ChatAnswer(
            text=None,
            finish_reason=FinishReason.TOOL_CALLS,
            model="small-2026",
            usage=Usage(),
            tool_calls=(ToolCall(id="call_1", name="weather", arguments='{"city": "Bern"}'),),
        )
    )
    answer = _ask(api, tools=[{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}])
    called = [{"id": "call_1", "name": "weather", "arguments": '{"city": "Bern"}'}]
    assert answer["output"] == {"text": None, "json": None, "tool_calls": called, **NOTHING_MORE}
    assert answer["finish_reason"] == "tool_calls"
    assert answer["model"] == "small-2026"


def test_json_that_was_asked_for(api: Api) -> None:
    api.register()
    api.gateway.outside.models.script.append('{"name": "Ada", "age": 36}')
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    answer = _ask(api, output={"type": "json_schema", "schema": schema})
    assert answer["output"]["json"] == {"name": "Ada", "age": 36}


def test_the_status_of_what_succeeded(api: Api) -> None:
    api.register()
    answer = _ask(api)
    status = api.call("GET", f"{QUERY}/{answer['id']}/status", role=Role.CALLER).json()
    assert TIMESTAMP.fullmatch(status.pop("started_at"))
    assert status == {
        "id": answer["id"],
        "status": "succeeded",
        "attempts": 1,
        "created_at": answer["created_at"],
        "completed_at": answer["completed_at"],
        "error": None,
    }


# Who sees what


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("what", ["status", "result"])
def test_whose_queries_a_role_sees(api: Api, role: Role, what: str) -> None:
    api.register()
    _, somebody = api.gateway.new_key(Role.CALLER)
    made = api.call("POST", QUERY, QUESTION, role=None, headers={"X-Api-Key": somebody}).json()
    response = api.call("GET", f"{QUERY}/{made['id']}/{what}", role=role)
    sees = {"status": {Role.ADMIN, Role.AUDITOR}, "result": {Role.ADMIN}}[what]
    may_not = {"status": {Role.OPERATOR}, "result": {Role.OPERATOR, Role.AUDITOR}}[what]
    if role in may_not:
        assert response.status_code == 403
    elif role in sees:
        assert response.json()["id"] == made["id"]
        assert (made["output"]["text"] in response.text) == (what == "result")
    else:
        assert (response.status_code, response.json()["code"]) == (404, "query_not_found")


def test_somebody_elses_query_looks_like_none(api: Api) -> None:
    api.register()
    made = _ask(api, role=Role.ADMIN)["id"]
    other = "qry_" + FakeIds(api.gateway.outside.clock).ulid()
    for what in ("status", "result"):
        theirs = api.refused("GET", f"{QUERY}/{made}/{what}", role=Role.CALLER, status=404, code="query_not_found")
        nobodys = api.refused("GET", f"{QUERY}/{other}/{what}", role=Role.CALLER, status=404, code="query_not_found")
        same = {"request_id": "", "detail": ""}
        assert theirs | same == nobodys | same
        assert theirs["detail"] == nobodys["detail"].replace(other, made)


@pytest.mark.parametrize(
    "query_id",
    [
        "x",
        "qry_",
        "qry_x",
        "QRY_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "qry_81ARZ3NDEKTSV4RRFFQ69G5FAV",
        "key_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "%00",
        "a" * 3000,
    ],
)
def test_an_id_that_none_ever_had(api: Api, query_id: str) -> None:
    for what in ("status", "result"):
        api.refused("GET", f"{QUERY}/{query_id}/{what}", status=404, code="query_not_found")


def test_what_is_past_its_time_is_gone(api: Api) -> None:
    api.register()
    made = _ask(api)["id"]
    other = "qry_" + FakeIds(api.gateway.outside.clock).ulid()
    api.gateway.outside.clock.move(days=29)
    assert api.call("GET", f"{QUERY}/{made}/status", role=Role.CALLER).status_code == 200
    api.refused("GET", f"{QUERY}/{other}/status", role=Role.CALLER, status=404, code="query_not_found")
    api.gateway.outside.clock.move(days=1, seconds=2)
    for query_id in (made, other, "qry_01ARZ3NDEKTSV4RRFFQ69G5FAV"):
        for what in ("status", "result"):
            api.refused("GET", f"{QUERY}/{query_id}/{what}", role=Role.CALLER, status=410, code="query_expired")


def test_the_result_of_what_is_not_over(api: Api) -> None:
    key, secret = api.gateway.new_key(Role.CALLER)
    api.register()
    done = _ask(api)["id"]
    finished = api.gateway.outside.query_store.get(done)
    assert finished is not None
    now = api.gateway.outside.clock.now()
    running = Query(
        id="qry_" + FakeIds(api.gateway.outside.clock).ulid(),
        owner=key.id,
        mode="sync",
        status=QueryStatus.RUNNING,
        request=finished.request,
        created_at=now,
        expires_at=now + timedelta(days=30),
    )
    api.gateway.outside.query_store.add(running)
    response = api.call("GET", f"{QUERY}/{running.id}/result", role=None, headers={"X-Api-Key": secret})
    assert response.status_code == 202
    assert int(response.headers["Retry-After"]) >= 1
    assert response.json()["status"] == "running"
    assert response.json() == api.call("GET", f"{QUERY}/{running.id}/status").json()


# Fields


def _message(**fields: Any) -> dict[str, Any]:
    return {"messages": [fields]}


_PART = {"type": "text", "text": "x"}
_TOOL = {"function": {"name": "f"}}
_WRONG: list[tuple[str, dict[str, Any]]] = [
    ("temprature", {"temprature": 1}),
    ("Messages", {"Messages": []}),
    ("messages ", {"messages ": []}),
    ("context.strategy", {"context": {"strategy": "best"}}),
    ("prompt.id", {"prompt": {"id": "No Slug"}}),
    ("prompt.id", {"prompt": {}}),
    ("prompt.version", {"prompt": {"id": "greeting", "version": 0}}),
    ("prompt.label", {"prompt": {"id": "greeting", "version": 1, "label": "production"}}),
    ("prompt.sticky_key", {"prompt": {"id": "greeting", "sticky_key": ""}}),
    ("prompt.variables", {"prompt": {"id": "greeting", "variables": []}}),
    ("system.roles[0]", {"system": {"text": "x", "roles": ["Analyst"]}}),
    ("system.roles[0]", {"system": {"roles": ["analyst@"]}}),
    ("system.roles", {"system": {"roles": ["analyst"] * 21}}),
    ("system.base", {"system": {"base": "yes"}}),
    ("system.variables", {"system": {"variables": "x"}}),
    ("parameters.max_tokens", {"parameters": {"max_tokens": 5}}),
    ("messages", {"messages": []}),
    ("messages", {"messages": None}),
    ("messages", {"messages": "hello"}),
    ("messages[0]", {"messages": [5]}),
    ("messages[0].role", _message(role="king", content="x")),
    ("messages[0].role", _message(content="x")),
    ("messages[0].content", _message(role="user")),
    ("messages[0].content", _message(role="user", content=5)),
    ("messages[0].content", _message(role="user", content=None)),
    ("messages[0].content", _message(role="user", content=[])),
    ("messages[0].contents", _message(role="user", content="x", contents="y")),
    ("messages[0].content[0].type", _message(role="user", content=[{"type": "audio"}])),
    ("messages[0].content[0].text", _message(role="user", content=[{"type": "text"}])),
    ("messages[0].content[1].user", _message(role="user", content=[_PART, _PART | {"user": 1}])),
    ("messages[0].user", _message(role="user", content="x", user=1)),
    (
        "messages[0].content[0].image_url.url",
        _message(role="user", content=[{"type": "image_url", "image_url": {"url": "http://x/y.png"}}]),
    ),
    (
        "messages[0].content[0].image_url.url",
        _message(role="user", content=[{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}]),
    ),
    ("messages[0].tool_call_id", _message(role="tool", content="x")),
    ("messages[0].tool_call_id", _message(role="tool", content="x", tool_call_id="")),
    ("messages[0]", _message(role="assistant")),
    (
        "messages[0].tool_calls[0].function.name",
        _message(role="assistant", tool_calls=[{"id": "1", "function": {"name": "a b", "arguments": "{}"}}]),
    ),
    (
        "messages[0].tool_calls[0].function.arguments",
        _message(role="assistant", tool_calls=[{"id": "1", "function": {"name": "a", "arguments": {}}}]),
    ),
    ("system", {"system": "be brief"}),
    ("model", {"model": ""}),
    ("model", {"model": 5}),
    ("model", {"model": "local/"}),
    ("model", {"model": "local/", "provider": "local"}),
    ("provider", {"provider": "x" * 64}),
    ("fallback", {"fallback": "local"}),
    ("fallback[0]", {"fallback": [""]}),
    ("fallback[1]", {"fallback": ["local", "local/"]}),
    ("fallback", {"fallback": ["x"] * 21}),
    ("parameters.temperature", {"parameters": {"temperature": "0.5"}}),
    ("parameters.temperature", {"parameters": {"temperature": True}}),
    ("parameters.temperature", {"parameters": {"temperature": 2.1}}),
    ("parameters.top_p", {"parameters": {"top_p": 0}}),
    ("parameters.max_output_tokens", {"parameters": {"max_output_tokens": "5"}}),
    ("parameters.max_output_tokens", {"parameters": {"max_output_tokens": 0}}),
    ("parameters.max_output_tokens", {"parameters": {"max_output_tokens": 1.0}}),
    ("parameters.max_output_tokens", {"parameters": {"max_output_tokens": 10**400}}),
    ("parameters.seed", {"parameters": {"seed": 2**63}}),
    ("parameters.seed", {"parameters": {"seed": False}}),
    ("parameters.stop", {"parameters": {"stop": "x"}}),
    ("parameters.stop", {"parameters": {"stop": ["a"] * 5}}),
    ("parameters.stop[0]", {"parameters": {"stop": [""]}}),
    ("tools[0].function.name", {"tools": [{"function": {"name": "a b"}}]}),
    ("tools[0].function.strict", {"tools": [{"function": {"name": "a", "strict": 1}}]}),
    ("tools[0].type", {"tools": [{"type": "retrieval", "function": {"name": "a"}}]}),
    ("tools", {"tools": [_TOOL, _TOOL]}),
    ("tool_choice", {"tool_choice": "sometimes"}),
    ("tool_choice", {"tool_choice": 5}),
    ("tool_choice", {"tool_choice": "required"}),
    ("tool_choice", {"tool_choice": {"function": {"name": "f"}}}),
    ("tool_choice", {"tool_choice": {"function": {"name": "g"}}, "tools": [_TOOL]}),
    ("tool_choice.function.name", {"tool_choice": {"function": {"name": ""}}}),
    ("output.type", {"output": {"type": "yaml"}}),
    ("output.schema", {"output": {"type": "json_schema"}}),
    ("output.schema", {"output": {"type": "json_schema", "schema": None}}),
    ("output.schema", {"output": {"type": "json_schema", "schema": []}}),
    ("output.schema", {"output": {"type": "json", "schema": {}}}),
    ("output.schema", {"output": {"type": "json_schema", "schema": {"type": "nonsense"}}}),
    ("cache", {"cache": "maybe"}),
    ("cache", {"cache": True}),
    ("mode", {"mode": "later"}),
    ("timeout_s", {"timeout_s": 0.5}),
    ("timeout_s", {"timeout_s": "25"}),
    ("timeout_s", {"timeout_s": True}),
    ("timeout_s", {"timeout_s": 28.5}),
    ("timeout_s", {"timeout_s": 841}),
    ("timeout_s", {"timeout_s": 10**400}),
    ("metadata", {"metadata": []}),
    ("metadata", {"metadata": {"a": "x" * 16_384}}),
]


@pytest.mark.parametrize(("field", "changes"), _WRONG)
def test_a_wrong_field_is_named_and_nobody_is_asked(api: Api, field: str, changes: dict[str, Any]) -> None:
    api.register()
    problem = api.refused("POST", QUERY, QUESTION | changes, status=422, code="validation_failed")
    assert [fault["field"] for fault in problem["errors"]] == [field]
    assert api.gateway.outside.models.asked == []
    assert "query_id" not in problem


def test_a_sync_query_waits_no_longer_than_api_gateway(api: Api) -> None:
    api.register()
    assert _ask(api, timeout_s=28)["status"] == "succeeded"
    problem = api.refused("POST", QUERY, QUESTION | {"timeout_s": 28.5}, status=422, code="validation_failed")
    assert "timeout_s" in problem["detail"]


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"temperature": 0, "max_output_tokens": 1, "top_p": 1, "stop": ["x"], "seed": -(2**63)}},
        {
            "messages": [
                {"role": "developer", "content": "x"},
                {"role": "user", "content": [{"type": "text", "text": "y"}]},
            ]
        },
        {
            "messages": [
                {"role": "user", "content": "x"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "1", "function": {"name": "a", "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "1", "content": "y"},
            ]
        },
        {
            "messages": [
                {"role": "assistant", "content": "x", "tool_calls": None, "refusal": None},
                {"role": "user", "content": "y"},
            ]
        },
        {"tools": [{"function": {"name": "f"}}], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"parameters": {"temperature": None, "max_output_tokens": None, "top_p": None, "stop": None, "seed": None}},
        {"system": {"text": "Be brief."}},
        {"model": "local/any-model"},
        {"model": "any/model", "provider": "local"},
        {"fallback": []},
        {"prompt": None, "context": None, "system": None, "model": None, "provider": None, "timeout_s": None},
        {"cache": "bypass", "mode": "sync", "tool_choice": "auto", "tools": [], "output": {"type": "text"}},
    ],
)
def test_what_the_contract_shows_is_taken(api: Api, changes: dict[str, Any]) -> None:
    api.register(models=[{"name": "any-model"}])
    assert _ask(api, **changes)["output"]["text"] == "Hello!"


def test_money_is_text_and_exact(api: Api) -> None:
    api.register()
    api.gateway.outside.models.script.append(
        ChatAnswer(text="x", finish_reason=FinishReason.STOP, model="m", usage=Usage(input_tokens=1, output_tokens=2))
    )
    cost = _ask(api)["cost_usd"]
    assert isinstance(cost, str)
    assert Decimal(cost) == Decimal("0.000003")
    assert re.fullmatch(r"\d+\.\d+", cost)


@pytest.mark.parametrize("text", ["x" * 6_300_000, '"' * 3_200_000], ids=["long", "longer once it is JSON in JSON"])
def test_an_answer_that_lambda_cannot_return_is_kept_and_read_as_a_stream(api: Api, text: str) -> None:
    api.register()
    api.gateway.outside.models.script.append(text)

    response = api.call("POST", QUERY, QUESTION, role=Role.CALLER)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (413, "payload_too_large")
    stream = f"{QUERY}/{problem['query_id']}/stream"
    assert stream in problem["detail"]

    assert api.call("GET", f"{QUERY}/{problem['query_id']}/result", role=Role.CALLER).status_code == 413
    events = api.call("GET", stream, role=Role.CALLER).text
    (delta,) = (event for event in events.split("\n\n") if event.startswith("event: delta"))
    assert json.loads(delta.partition("data: ")[2]) == {"text": text}
    assert "event: done" in events


def test_an_answer_that_just_fits_is_sent_whole(api: Api) -> None:
    api.register()
    api.gateway.outside.models.script.append("x" * 6_200_000)

    assert len(_ask(api)["output"]["text"]) == 6_200_000
