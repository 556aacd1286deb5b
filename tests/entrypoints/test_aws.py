"""Behind API Gateway: addresses in answers begin where the client's did, and a header's lines arrive one by one."""

import asyncio
import json
import re
import threading
import time
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from llm_gateway.access import Endpoint
from llm_gateway.domain.keys import Role
from llm_gateway.endpoints import ENDPOINTS
from llm_gateway.entrypoints import composition
from llm_gateway.entrypoints.aws import BehindWebAdapter, handler_of
from mangum import Mangum
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.adapters.watched import Watched
from tests.entrypoints.conftest import PROVIDER, PROVIDERS, QUERY, QUESTION, Api, Lines
from tests.entrypoints.contract import code_in
from tests.entrypoints.paths import with_a_slash_too_many

_CONTEXT = SimpleNamespace(aws_request_id="1", function_name="f", get_remaining_time_in_millis=lambda: 29_000)
# What a client put before the API's own path, by how it called; and what API Gateway then gives as path.
ROOTS = {"/dev": "", "": "", "/llm": "/llm", "/a/b": "/a/b", "/api": "/api", "/llm/dev": "/llm/dev"}


def event(api: Api, method: str, path: str, body: Any = None, *, root: str, **changes: Any) -> dict[str, Any]:
    """A REST API's, for a route of its own."""
    headers = {"X-Api-Key": api.secret(Role.ADMIN), "Content-Type": "application/json"}
    return {
        "resource": path,
        "path": ROOTS[root] + path,
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "pathParameters": None,
        "requestContext": {"path": root + path, "resourcePath": path, "stage": "dev", "identity": {}},
        "body": json.dumps(body) if body else None,
        "isBase64Encoded": False,
        **changes,
    }


@pytest.fixture
def function(app: Starlette) -> Mangum:
    """Every endpoint as one function."""
    return handler_of(app)


@pytest.fixture
def adapted(app: Starlette) -> TestClient:
    """Every endpoint as the web adapter calls it."""
    return TestClient(BehindWebAdapter(app), base_url="http://127.0.0.1:8080")


@pytest.mark.parametrize("root", ROOTS)
def test_addresses_begin_where_the_client_began(api: Api, function: Mangum, root: str) -> None:
    made = function(event(api, "POST", PROVIDERS, PROVIDER, root=root), _CONTEXT)
    assert (made["statusCode"], made["headers"]["location"]) == (201, f"{root}{PROVIDERS}/local"), made["body"]
    later = function(event(api, "POST", QUERY, QUESTION | {"mode": "async"}, root=root), _CONTEXT)
    accepted = json.loads(later["body"])
    assert later["headers"]["location"] == accepted["status_url"] == f"{root}{QUERY}/{accepted['id']}/status"
    assert accepted["result_url"] == f"{root}{QUERY}/{accepted['id']}/result"


@pytest.mark.parametrize("root", ROOTS)
def test_what_no_route_has_is_told_from_a_wrong_method(api: Api, function: Mangum, root: str) -> None:
    for path, status in (("/nope", 404), ("/nope/at/all", 404), (PROVIDERS, 405), (f"{PROVIDERS}/local", 405)):
        missed = event(api, "PATCH", path, root=root, resource="/{proxy+}", pathParameters={"proxy": path[1:]})
        answer = function(missed, _CONTEXT)
        assert answer["statusCode"] == status
    bare = event(api, "GET", "/", root=root)
    assert function(bare, _CONTEXT)["statusCode"] == 404


@pytest.mark.parametrize("root", ROOTS)
@pytest.mark.parametrize(
    "path", ["/health/", "/api/v1/llm/query/", "/api/v1/llm//query", "//", "/api/v1/llm/query//", "/a//b/"]
)
def test_an_empty_step_of_a_path_is_a_step(api: Api, function: Mangum, root: str, path: str) -> None:
    for proxy in (path[1:], path[1:].removesuffix("/"), _without_empty_steps(path)):
        missed = event(api, "GET", path, root=root, resource="/{proxy+}", pathParameters={"proxy": proxy})
        answer = function(missed, _CONTEXT)
        problem = json.loads(answer["body"])
        assert (answer["statusCode"], problem["type"]) == (404, f"{root}/errors/route_not_found")
        assert answer["headers"]["content-type"] == "application/problem+json"


def _without_empty_steps(path: str) -> str:
    return "/".join(filter(None, path.split("/")))


def _resources(row: Endpoint, sent: str) -> list[dict[str, Any]]:
    """By which a request may arrive: the one for unknown paths, or the row's own where empty steps are passed over."""
    own = row.path.removesuffix("}") + "+}" if row.rest else row.path
    names = dict.fromkeys(re.findall(r"\{(\w+)\}", row.path), "nobody")
    return [
        {"resource": "/{proxy+}", "pathParameters": {"proxy": sent[1:]}},
        {"resource": "/{proxy+}", "pathParameters": {"proxy": _without_empty_steps(sent)}},
        {"resource": own, "pathParameters": names or None},
    ]


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.name)
def test_a_slash_too_many_is_told_as_the_local_server_tells_it(
    api: Api, function: Mangum, adapted: TestClient, row: Endpoint
) -> None:
    """In the form of the same dialect, whether or not API Gateway passes over empty steps."""
    for sent, root in product(with_a_slash_too_many(row), ROOTS):
        local = api.refused(row.method, f"http://testserver{sent}", status=404, code="route_not_found")
        for resource in _resources(row, sent):
            answer = function(event(api, row.method, sent, root=root, **resource), _CONTEXT)
            assert (answer["statusCode"], _told(json.loads(answer["body"]))) == (404, _told(local, root))
        context = {"path": root + sent, "resourcePath": row.path, "stage": "dev"}
        headers = {"x-amzn-request-context": json.dumps(context)}
        answer = adapted.request(row.method, f"http://127.0.0.1:8080{ROOTS[root]}{sent}", headers=headers)
        assert (answer.status_code, _told(answer.json())) == (404, _told(local, root))


def _told(problem: dict[str, Any], root: str = "") -> tuple[Any, ...]:
    """What tells the form of `problem`, and its code; the type of one of the gateway's own as under `root`."""
    kind = problem.get("type")
    return sorted(problem), f"{root}{kind}" if "detail" in problem else kind, code_in(problem)


def test_a_key_is_the_same_one_under_each_address(api: Api, function: Mangum) -> None:
    """A client that moves from the stage's address to a domain's repeats nothing that it did."""
    answers = []
    for root in ("/dev", "/llm"):
        asked = event(api, "POST", PROVIDERS, PROVIDER, root=root)
        asked["multiValueHeaders"]["Idempotency-Key"] = ["once"]
        answers.append(function(asked, _CONTEXT))
    assert [answer["statusCode"] for answer in answers] == [201, 201]
    assert answers[1]["headers"]["idempotent-replayed"] == "true"
    assert answers[1]["headers"]["location"] == f"/llm{PROVIDERS}/local"


def test_a_headers_lines_arrive_one_by_one(api: Api, function: Mangum) -> None:
    asked = event(api, "POST", PROVIDERS, PROVIDER, root="/dev")
    asked["multiValueHeaders"]["Idempotency-Key"] = ["one", "two"]
    answer = function(asked, _CONTEXT)
    assert (answer["statusCode"], json.loads(answer["body"])["errors"][0]["field"]) == (422, "Idempotency-Key")
    asked["multiValueHeaders"] |= {"Idempotency-Key": ["one"], "X-Api-Key": [api.secret(Role.ADMIN), "other"]}
    assert function(asked, _CONTEXT)["statusCode"] == 401


@pytest.mark.parametrize("root", ROOTS)
def test_the_web_adapters_requests_are_told_the_same(api: Api, adapted: TestClient, root: str) -> None:
    context = {"path": root + PROVIDERS, "resourcePath": PROVIDERS, "stage": "dev"}
    headers = {"X-Api-Key": api.secret(Role.ADMIN), "x-amzn-request-context": json.dumps(context)}
    made = adapted.post(ROOTS[root] + PROVIDERS, json=PROVIDER, headers=headers)
    assert (made.status_code, made.headers["location"]) == (201, f"{root}{PROVIDERS}/local"), made.text


@pytest.mark.parametrize("context", ["", "{", "[]", "5", "{}", '{"path": 5, "resourcePath": "/x"}', '{"path": "/x"}'])
def test_another_context_tells_nothing(api: Api, adapted: TestClient, context: str) -> None:
    headers = {"X-Api-Key": api.secret(Role.ADMIN), "x-amzn-request-context": context}
    made = adapted.post(PROVIDERS, json=PROVIDER, headers=headers)
    assert (made.status_code, made.headers["location"]) == (201, f"{PROVIDERS}/local")


def test_elsewhere_a_client_cannot_say_where_the_api_is(api: Api) -> None:
    headers = {"x-amzn-request-context": json.dumps({"path": f"/x{PROVIDERS}", "resourcePath": PROVIDERS})}
    assert api.call("POST", PROVIDERS, PROVIDER, headers=headers).headers["location"] == f"{PROVIDERS}/local"


@pytest.mark.parametrize("lease_s", ["60", "soon"])
def test_the_web_adapters_app_reads_its_settings_at_the_start(
    app: Starlette, monkeypatch: pytest.MonkeyPatch, lease_s: str
) -> None:
    monkeypatch.setenv("LEASE_S", lease_s)
    composition.gateway.cache_clear()
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async def receive() -> Any:
        return {"type": "lifespan.shutdown" if told else "lifespan.startup"}

    asyncio.run(BehindWebAdapter(app)({"type": "lifespan"}, receive, send))
    composition.gateway.cache_clear()
    if lease_s == "60":
        assert [message["type"] for message in told] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    else:
        message = "LEASE_S must be a whole number from 1 to 900, not 'soon'"
        assert told == [{"type": "lifespan.startup.failed", "message": message}]


def asked_before(api: Api, wait_s: Any) -> dict[str, Any]:
    """A query that reached API Gateway so long ago."""
    asked = event(api, "POST", QUERY, QUESTION | {"timeout_s": 10}, root="/dev")
    asked["requestContext"]["requestTimeEpoch"] = (
        wait_s if isinstance(wait_s, str) else int((time.time() - wait_s) * 1000)
    )
    return asked


@pytest.mark.parametrize("wait_s", [11, 3600])
def test_the_time_that_a_start_took_is_the_querys_too(api: Api, function: Mangum, wait_s: float) -> None:
    """API Gateway waits no longer for it: what came later would be paid for and lost."""
    api.register()
    answer = function(asked_before(api, wait_s), _CONTEXT)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (504, "deadline_exceeded")
    assert api.gateway.outside.models.asked == []


@pytest.mark.parametrize("wait_s", [0, 5, -3600, "soon"])
def test_what_came_in_time_is_answered(api: Api, function: Mangum, wait_s: float) -> None:
    """A clock that is ahead, and what is no time, tell nothing."""
    api.register()
    assert function(asked_before(api, wait_s), _CONTEXT)["statusCode"] == 200


def test_behind_the_web_adapter_the_start_counts_too(api: Api, adapted: TestClient) -> None:
    api.register()
    context = {"path": f"/dev{QUERY}", "resourcePath": QUERY, "requestTimeEpoch": int((time.time() - 11) * 1000)}
    headers = {"X-Api-Key": api.secret(Role.ADMIN), "x-amzn-request-context": json.dumps(context)}
    answer = adapted.post(QUERY, json=QUESTION | {"timeout_s": 10}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline_exceeded")


def test_the_log_tells_what_api_gateway_calls_a_request(
    api: Api, function: Mangum, adapted: TestClient, lines: Lines
) -> None:
    """Its own log has no id of ours, and a caller may know no other."""
    api.register()
    lines.written.clear()
    asked = event(api, "POST", QUERY, QUESTION, root="/dev")
    asked["requestContext"]["requestId"] = "6f5902ac-a9fa-4d51-8d2e-3d4c0a7b9c11"
    function(asked, _CONTEXT)
    context = {"path": f"/dev{QUERY}", "resourcePath": QUERY, "requestId": "d7a31f0e-1111-4222-8333-944445555666"}
    headers = {"X-Api-Key": api.secret(Role.ADMIN), "x-amzn-request-context": json.dumps(context)}
    adapted.post(QUERY, json=QUESTION, headers=headers)
    told = [line["api_request_id"] for line in lines.named("request")]
    assert told == [asked["requestContext"]["requestId"], context["requestId"]]


@pytest.mark.parametrize("root", ROOTS)
def test_a_query_tells_where_it_can_be_found(api: Api, function: Mangum, root: str) -> None:
    api.register()
    answered = function(event(api, "POST", QUERY, QUESTION, root=root), _CONTEXT)
    query_id = json.loads(answered["body"])["id"]
    assert answered["headers"]["x-gateway-query-id"] == query_id
    assert answered["headers"]["location"] == f"{root}{QUERY}/{query_id}/status"


@pytest.mark.parametrize("sent", ["local/small", "local%2Fsmall"])
@pytest.mark.parametrize("decoded", [True, False])
@pytest.mark.parametrize("root", ROOTS)
def test_a_name_may_have_slashes(api: Api, function: Mangum, root: str, sent: str, decoded: bool) -> None:
    api.register()
    given = sent.replace("%2F", "/") if decoded else sent
    resource = {"resource": "/v1/models/{model+}", "pathParameters": {"model": given}}
    asked = event(api, "GET", f"/v1/models/{given}", root=root, **resource)
    asked["requestContext"]["path"] = f"{root}/v1/models/{sent}"
    answer = function(asked, _CONTEXT)
    assert answer["statusCode"] == 200, answer["body"]
    assert json.loads(answer["body"])["id"] == "local/small"


@pytest.mark.parametrize("streams", [False, True])
def test_a_client_of_openai_is_answered_where_nothing_streams(api: Api, function: Mangum, streams: bool) -> None:
    api.register()
    asked = {"model": "small", "messages": QUESTION["messages"], "stream": streams}
    answer = function(event(api, "POST", "/v1/chat/completions", asked, root="/dev"), _CONTEXT)
    assert answer["statusCode"] == 200, answer["body"]
    assert answer["isBase64Encoded"] is False
    if streams:
        assert answer["body"].endswith("data: [DONE]\n\n")
    else:
        assert json.loads(answer["body"])["choices"][0]["message"]["content"] == "Hello!"
        assert answer["headers"]["x-gateway-provider"] == "local"


def test_a_client_of_openai_is_refused_in_its_own_words(api: Api, function: Mangum) -> None:
    unknown = event(api, "GET", "/v1/fine_tuning/jobs", root="/dev", resource="/{proxy+}")
    unknown["pathParameters"] = {"proxy": "v1/fine_tuning/jobs"}
    answer = function(unknown, _CONTEXT)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (404, "route_not_found")


def test_a_lambda_answers_in_the_thread_that_it_is_called_in(api: Api, function: Mangum) -> None:
    """It serves one request at a time: another thread would cost each of them time."""
    store = Watched(api.gateway.outside.key_store)
    api.gateway.outside.key_store = store  # type: ignore[assignment]
    in_thread: list[threading.Thread] = []
    store.first["find"] = lambda: in_thread.append(threading.current_thread())
    assert function(event(api, "GET", PROVIDERS, root="/dev"), _CONTEXT)["statusCode"] == 200
    assert in_thread == [threading.current_thread()]
