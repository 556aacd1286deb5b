"""Every way to fail that can be reached, as a client meets it."""

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from llm_gateway import errors
from llm_gateway.domain import faults
from llm_gateway.domain.chat import ChatAnswer, FinishReason, Usage
from llm_gateway.domain.keys import Role
from llm_gateway.endpoints import ENDPOINTS

from tests.entrypoints.conftest import PROVIDER, PROVIDERS, QUERY, QUESTION, Api, Lines
from tests.entrypoints.contract import CODES, code_in

WORDS = "SECRET-WORDS of somebody else"


def _all_below(kind: type[errors.GatewayError]) -> list[type[errors.GatewayError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _all_below(child))]


# What no response has: a query's attempts tell of them.
_IN_ATTEMPTS_ONLY = {"circuit_open", "provider_disabled", "cancelled"}
# Not in the contract's table: the answer to a caller that waits for a query which another cancels.
_BEYOND_THE_CONTRACT = {"query_cancelled"}


@pytest.mark.parametrize("kind", _all_below(errors.GatewayError), ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_that_the_contract_knows(kind: type[errors.GatewayError]) -> None:
    if kind in (errors.GatewayError, faults.ProviderFault) or "code" in vars(kind) or not kind.__subclasses__():
        assert kind.code in CODES.get(kind.status, set()) | _IN_ATTEMPTS_ONLY | _BEYOND_THE_CONTRACT
    assert kind.title
    assert 400 <= kind.status <= 504


# Routes


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/nope",
        "/api/v1/llm",
        "/api/v2/llm/providers",
        "/health/",
        f"{PROVIDERS}/",
        f"{PROVIDERS}/a/b",
        f"{PROVIDERS}/a%2Fb",
        "//health",
        "/v1/models/",
    ],
)
@pytest.mark.parametrize("role", [None, Role.CALLER])
def test_an_unknown_route(api: Api, path: str, role: Role | None) -> None:
    # A full address: a client would take what follows two slashes for a host.
    api.refused("GET", f"http://testserver{path}", role=role, status=404, code="route_not_found")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", sorted({row.path for row in ENDPOINTS}))
def test_allow_lists_a_routes_methods(api: Api, path: str, method: str) -> None:
    sent = re.sub(r"\{\w+\}", "x", path)
    # `/query/stream` is also a query's address.
    rows = [row for row in ENDPOINTS if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", row.path), sent)]
    methods = {method for row in rows for method in row.methods}
    if method in methods:
        return
    response = api.call(method, sent, role=None)
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == methods
    assert method == "HEAD" or code_in(response.json()) == "method_not_allowed"


@pytest.mark.parametrize("code", ["rate_limited", "quality_gate_failed"])
def test_a_problems_type_is_a_page(api: Api, code: str) -> None:
    page = api.call("GET", f"/errors/{code}", role=None)
    assert page.status_code == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert code in page.text
    problem = api.refused("GET", "/errors/nothing", role=None, status=404, code="route_not_found")
    assert api.call("GET", problem["type"], role=None).status_code == 200


# Queries


def _ask(api: Api, **changes: Any) -> Any:
    return api.call("POST", QUERY, QUESTION | changes, role=Role.CALLER)


def _answer(**changes: Any) -> ChatAnswer:
    said: dict[str, Any] = {"text": "x", "finish_reason": FinishReason.STOP, "model": "small", "usage": Usage()}
    return ChatAnswer(**(said | changes))


_FAULTS: list[tuple[Callable[[], Exception], int, str]] = [
    (lambda: faults.ProviderUnreachable("It is away."), 502, "provider_error"),
    (lambda: faults.ProviderFailed("It failed."), 502, "provider_error"),
    (lambda: faults.ProviderRefused("It refused."), 502, "provider_error"),
    (lambda: faults.ProviderAuthFailed("Its key is wrong."), 502, "provider_auth_failed"),
    (lambda: faults.ProviderResponseInvalid("It said nothing."), 502, "provider_response_invalid"),
    (lambda: faults.ProviderRateLimited("It is busy.", retry_after_s=7.2), 429, "provider_rate_limited"),
    (lambda: faults.ProviderTimeout("It took too long."), 504, "provider_timeout"),
    (lambda: faults.ProviderRejected("It did not take that."), 422, "validation_failed"),
    (lambda: RuntimeError(WORDS), 500, "internal_error"),
    (lambda: KeyError(WORDS), 500, "internal_error"),
    (lambda: RecursionError(WORDS), 500, "internal_error"),
]


@pytest.mark.parametrize(("fault", "status", "code"), _FAULTS)
def test_the_only_candidates_fault_is_the_answer(
    api: Api, fault: Callable[[], Exception], status: int, code: str
) -> None:
    api.register()
    api.gateway.outside.models.script.append(fault())
    response = _ask(api)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code)
    assert WORDS not in response.text
    if status == 429:
        assert response.headers["Retry-After"] == "8"
    assert problem.get("provider") == (None if status == 500 else "local")
    (attempt,) = problem["attempts"]
    told = {"provider", "model", "outcome", "error_code", "detail", "upstream_status", "latency_ms", "cost_usd"}
    assert attempt.keys() == told
    assert attempt["detail"]
    assert response.headers["X-Gateway-Query-Id"] == problem["query_id"]
    assert int(response.headers["X-Gateway-Overhead-Ms"]) >= 0
    assert (attempt["outcome"], attempt["error_code"]) == ("error", code)
    stored = api.call("GET", f"{QUERY}/{problem['query_id']}/status", role=Role.CALLER).json()
    assert stored["status"] == "failed"
    assert stored["error"]["code"] == code
    assert stored["error"]["detail"] == problem["detail"]
    assert stored["error"]["query_id"] == problem["query_id"]
    assert api.call("GET", f"{QUERY}/{problem['query_id']}/result", role=Role.CALLER).json() == stored


def test_several_candidates_fail_as_one(api: Api) -> None:
    api.register()
    api.register(id="second", name="Second")
    api.gateway.outside.models.script += [
        faults.ProviderFailed("It failed."),
        faults.ProviderTimeout("It took too long."),
    ]
    response = _ask(api)
    assert (response.status_code, response.json()["code"]) == (503, "no_provider_available")
    assert [attempt["outcome"] for attempt in response.json()["attempts"]] == ["error", "error"]


def test_an_unforeseen_fault_leaves_its_place_in_the_log_but_not_its_words(api: Api, lines: Lines) -> None:
    api.register()
    api.gateway.outside.models.script.append(RuntimeError(WORDS))
    request_id = _ask(api).headers["X-Request-Id"]
    (line,) = lines.named("unexpected_error")
    assert line["error_type"] == "RuntimeError"
    assert line["where"][-1].endswith(" complete")
    assert WORDS not in "".join(lines.written)
    (request,) = [line for line in lines.named("request") if line["request_id"] == request_id]
    assert (request["status"], request["error_code"], request["endpoint"]) == (500, "internal_error", "run_query")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "Hello"}]}),
        ("/v1/responses", {"input": "Hello"}),
        ("/v1/messages", {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 5}),
    ],
)
def test_a_vendors_sdk_is_told_not_to_repeat_what_nobody_foresaw(
    api: Api, lines: Lines, path: str, body: dict[str, Any]
) -> None:
    api.register()
    api.gateway.outside.models.script.append(RuntimeError(WORDS))
    response = api.call("POST", path, {"model": PROVIDER["default_model"], **body})
    assert (response.status_code, code_in(response.json())) == (500, "internal_error")
    assert response.headers["x-should-retry"] == "false"
    assert WORDS not in response.text
    (line,) = lines.named("unexpected_error")
    assert line["error_type"] == "RuntimeError"
    assert lines.named("own_fault") == []


def test_the_answer_has_not_the_asked_form(api: Api) -> None:
    api.register()
    api.gateway.outside.models.script += [_answer(text="no json"), _answer(text="still none")]
    response = _ask(api, output={"type": "json"})
    assert (response.status_code, response.json()["code"]) == (502, "response_validation_failed")
    assert len(response.json()["attempts"]) == 2


def test_nobody_is_there_to_ask(api: Api) -> None:
    response = _ask(api)
    assert (response.status_code, response.json()["code"]) == (503, "no_provider_available")
    api.register(enabled=False)
    response = _ask(api)
    assert (response.status_code, response.json()["code"]) == (503, "no_provider_available")


@pytest.mark.parametrize("named", [{"provider": "nobody"}, {"fallback": ["nobody/small"]}])
def test_a_named_provider_must_be_there(api: Api, named: dict[str, Any]) -> None:
    api.register()
    problem = api.refused("POST", QUERY, QUESTION | named, status=404, code="provider_not_found")
    assert "nobody" in problem["detail"]
    assert api.gateway.outside.models.asked == []


def test_a_model_that_nobody_lists(api: Api) -> None:
    api.register()
    problem = api.refused("POST", QUERY, QUESTION | {"model": "unheard-of"}, status=422, code="validation_failed")
    assert problem["errors"][0]["field"] == "model"


def test_a_parameter_that_the_named_model_cannot_take(api: Api) -> None:
    api.register(models=[{"name": "small", "capabilities": []}])
    asked = QUESTION | {"provider": "local", "parameters": {"temperature": 0.5, "seed": 4}}
    problem = api.refused("POST", QUERY, asked, status=422, code="unsupported_parameter")
    assert {fault["field"] for fault in problem["errors"]} == {"parameters.temperature", "parameters.seed"}


def test_messages_that_alone_overflow(api: Api) -> None:
    api.register(models=[{"name": "small", "context_window": 20}])
    asked = {"messages": [{"role": "user", "content": "word " * 100}]}
    problem = api.refused("POST", QUERY, asked, status=422, code="context_window_exceeded")
    assert problem["errors"][0]["field"] == "messages"


def test_the_querys_own_time_is_up(api: Api) -> None:
    api.register(priority=1)
    api.register(id="second", name="Second")

    class Slow(faults.ProviderFailed):
        def __init__(self) -> None:
            super().__init__("It failed slowly.")
            time.sleep(1)

    def slowly() -> Exception:
        return Slow()

    api.gateway.outside.models.script.append(slowly)
    response = _ask(api, timeout_s=1)
    assert (response.status_code, response.json()["code"]) == (504, "deadline_exceeded")


# Retry-After is true


def test_after_retry_after_the_limit_lets_a_call_pass(api: Api) -> None:
    api.register(limits={"requests_per_minute": 10, "burst": 2})
    assert [_ask(api).status_code for _ in range(2)] == [200, 200]
    refused = _ask(api)
    assert (refused.status_code, refused.json()["code"]) == (429, "provider_rate_limited")
    wait_s = int(refused.headers["Retry-After"])
    api.gateway.outside.clock.move(seconds=wait_s - 1.5)
    assert _ask(api).status_code == 429
    api.gateway.outside.clock.move(seconds=1.5)
    assert _ask(api).status_code == 200


def test_after_retry_after_the_circuit_lets_a_call_pass(api: Api) -> None:
    api.register(circuit={"failure_threshold": 1, "cooldown_s": 30})
    api.gateway.outside.models.script.append(faults.ProviderFailed("It failed."))
    assert _ask(api).status_code == 502
    refused = _ask(api)
    assert (refused.status_code, refused.json()["code"]) == (503, "no_provider_available")
    assert 28 <= int(refused.headers["Retry-After"]) <= 30
    api.gateway.outside.clock.move(seconds=int(refused.headers["Retry-After"]))
    assert _ask(api).status_code == 200


# What the gateway stands on


@pytest.mark.parametrize(
    ("method", "path", "body"), [("GET", PROVIDERS, None), ("POST", QUERY, QUESTION), ("POST", PROVIDERS, PROVIDER)]
)
def test_the_door_stays_shut_while_keys_cannot_be_read(api: Api, method: str, path: str, body: Any) -> None:
    secret = api.secret(Role.ADMIN)
    api.gateway.outside.key_store.fault = errors.DependencyUnavailable(
        "The store of API keys cannot be reached.", retry_after_s=2
    )
    response = api.call(method, path, body, role=None, headers={"X-Api-Key": secret})
    assert (response.status_code, response.json()["code"]) == (503, "dependency_unavailable")
    assert response.headers["Retry-After"] == "2"
    assert api.gateway.outside.provider_store.all() == ()


def test_a_store_that_fails_in_an_unforeseen_way_opens_no_door(api: Api) -> None:
    secret = api.secret(Role.ADMIN)
    api.gateway.outside.key_store.fault = ValueError(WORDS)
    response = api.call("GET", PROVIDERS, role=None, headers={"X-Api-Key": secret})
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert WORDS not in response.text


@pytest.mark.parametrize(("asked_s", "told"), [(0.2, "1"), (12.3, "13"), (3600, "3600"), (1e300, "3600")])
def test_it_is_told_in_whole_seconds_and_an_hour_at_most(api: Api, asked_s: float, told: str) -> None:
    api.register()
    api.gateway.outside.models.script.append(faults.ProviderRateLimited("Full.", retry_after_s=asked_s))
    response = _ask(api, timeout_s=1)
    assert (response.status_code, response.headers["Retry-After"]) == (429, told)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer nobody's"}])
def test_an_unknown_route_among_openais_is_told_in_openais_words(api: Api, headers: dict[str, str]) -> None:
    response = api.client.get("/v1/fine_tuning/jobs", headers=headers)
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "route_not_found"
    assert response.headers["Content-Type"] == "application/json"
