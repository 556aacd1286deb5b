"""Errors and limits in Anthropic's words."""

import json
from typing import Any

import pytest
from llm_gateway import errors
from llm_gateway.domain.accounts import Left, Room
from llm_gateway.domain.queries import QueryProblem
from llm_gateway.errors import GatewayError
from llm_gateway.wire.anthropic.speech import broken_off, headers, refusal
from llm_gateway.wire.dialects import Refusal
from llm_gateway.wire.problems import Problem


def _problem(error: GatewayError) -> Problem:
    return Problem.of(QueryProblem.of(error), query_id=error.query_id, request_id="req_1", errors=error.errors)


def _refused(error: GatewayError) -> Refusal:
    return refusal(error, _problem(error))


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (errors.MalformedRequest("x"), 400, "invalid_request_error"),
        (errors.Unauthenticated("x"), 401, "authentication_error"),
        (errors.SignatureInvalid(), 401, "authentication_error"),
        (errors.ModelNotAllowed("x"), 403, "permission_error"),
        (errors.ProviderNotFound("x"), 404, "not_found_error"),
        (errors.ModelNotListed.of("model", "x"), 404, "not_found_error"),
        (errors.MethodNotAllowed("x"), 405, "invalid_request_error"),
        (errors.IdempotencyConflict("x"), 409, "conflict_error"),
        (errors.PayloadTooLarge("x"), 413, "request_too_large"),
        (errors.UnsupportedMediaType("x"), 415, "invalid_request_error"),
        (errors.ValidationFailed("x"), 400, "invalid_request_error"),
        (errors.ContextWindowExceeded("x"), 400, "invalid_request_error"),
        (errors.RateLimited("x"), 429, "rate_limit_error"),
        (errors.BudgetExceeded("x"), 429, "rate_limit_error"),
        (errors.GatewayError("x"), 500, "api_error"),
        (errors.NoProviderAvailable("x"), 529, "overloaded_error"),
        (errors.DeadlineExceeded("x"), 504, "timeout_error"),
    ],
)
def test_statuses_and_types(error: GatewayError, status: int, kind: str) -> None:
    told = _refused(error)
    assert (told.status, told.body["error"]["type"]) == (status, kind)
    assert (told.body["type"], told.body["request_id"]) == ("error", "req_1")
    assert told.body["gateway"]["code"] == error.code


def of_a_query(error: GatewayError) -> GatewayError:
    error.query_id = "qry_1"
    return error


@pytest.mark.parametrize(
    ("error", "attempts", "advice"),
    [
        (errors.NoProviderAvailable("x"), (), {}),
        (errors.BudgetExceeded("x"), (), {"x-should-retry": "false"}),
        (errors.RateLimited("x"), (), {}),
        (errors.ValidationFailed("x"), (), {}),
        (errors.IdempotencyConflict("x"), (), {"x-should-retry": "false"}),
        (errors.QueryInProgress("x"), (), {}),
        (errors.AnswerLost(), (), {"x-should-retry": "false"}),
        (errors.AnswerWithheld(), (), {"x-should-retry": "false"}),
        (errors.GatewayError("x"), (), {}),
        (of_a_query(errors.GatewayError("x")), (), {"x-should-retry": "false"}),
        (of_a_query(errors.DependencyUnavailable("x")), (), {}),
    ],
)
def test_whether_to_try_again(error: GatewayError, attempts: Any, advice: dict[str, str]) -> None:
    error.attempts = attempts
    assert _refused(error).headers == advice


def test_a_providers_own_words_are_told_once() -> None:
    error = errors.ValidationFailed("The provider refused the request.")
    error.provider_message = "No such tool."
    assert _refused(error).body["error"]["message"] == "The provider refused the request. No such tool."
    error = errors.ValidationFailed("It said: No such tool.")
    error.provider_message = "No such tool."
    assert _refused(error).body["error"]["message"] == "It said: No such tool."


def test_what_breaks_off_is_an_event() -> None:
    error = errors.GatewayError("x")
    name, data, *rest = broken_off(error, _problem(error)).decode().split("\n")
    assert (name, rest) == ("event: error", ["", ""])
    assert json.loads(data.removeprefix("data: "))["error"] == {"type": "api_error", "message": "x"}


def test_limits() -> None:
    requests, tokens = Left(limit=60, remaining=3, reset_s=2.5), Left(limit=9_000, remaining=8_100, reset_s=6)
    told = headers(request_id="req_1", room=Room(requests=requests, tokens=tokens))
    assert told["request-id"] == "req_1"
    assert told["anthropic-ratelimit-requests-limit"] == "60"
    assert told["anthropic-ratelimit-requests-remaining"] == "3"
    assert told["anthropic-ratelimit-requests-reset"].endswith("Z")
    assert told["anthropic-ratelimit-tokens-limit"] == "9000"
    assert told["anthropic-ratelimit-tokens-remaining"] == "8100"
    assert told["anthropic-ratelimit-tokens-reset"].endswith("Z")
    assert headers(request_id="req_1", room=None) == {"request-id": "req_1"}
    assert {
        name.split("-")[2]
        for name in headers(request_id="", room=Room(requests=None, tokens=tokens))
        if "limit" in name
    } == {"tokens"}
