"""Errors and limits, as OpenAI's own clients read them."""

import json

import pytest
from llm_gateway.domain.accounts import Left, Room
from llm_gateway.domain.faults import ProviderRateLimited
from llm_gateway.domain.queries import Attempt, AttemptOutcome, QueryProblem
from llm_gateway.errors import (
    AnswerLost,
    AnswerWithheld,
    BudgetExceeded,
    ContextWindowExceeded,
    FieldError,
    GatewayError,
    ModelNotListed,
    NoProviderAvailable,
    ProviderNotFound,
    QueryInProgress,
    RateLimited,
    SignatureExpired,
    Unauthenticated,
    UnsupportedParameter,
    ValidationFailed,
)
from llm_gateway.wire.openai import speech
from llm_gateway.wire.problems import Problem


def _problem(error: GatewayError) -> Problem:
    return Problem.of(QueryProblem.of(error), query_id=None)


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "param"),
    [
        (Unauthenticated("No key."), 401, "invalid_request_error", "invalid_api_key", None),
        (SignatureExpired("Old."), 401, "invalid_request_error", "invalid_api_key", None),
        (ProviderNotFound("x"), 404, "invalid_request_error", "model_not_found", "model"),
        (ModelNotListed.of("model", "nobody"), 404, "invalid_request_error", "model_not_found", "model"),
        (ValidationFailed.of("n", "must be 1"), 400, "invalid_request_error", "validation_failed", "n"),
        (UnsupportedParameter.of("seed", "no"), 400, "invalid_request_error", "unsupported_parameter", "seed"),
        (ContextWindowExceeded("Long."), 400, "invalid_request_error", "context_length_exceeded", None),
        (RateLimited("Slowly."), 429, "requests", "rate_limit_exceeded", None),
        (ProviderRateLimited("Slowly."), 429, "requests", "rate_limit_exceeded", None),
        (BudgetExceeded("Spent."), 429, "insufficient_quota", "insufficient_quota", None),
        (NoProviderAvailable("Nobody."), 503, "server_error", "no_provider_available", None),
        (GatewayError("What?"), 500, "server_error", "internal_error", None),
    ],
)
def test_an_error_has_openais_words(error: GatewayError, status: int, kind: str, code: str, param: str | None) -> None:
    refusal = speech.refusal(error, _problem(error))
    assert refusal.status == status
    assert refusal.body == {"error": {"message": error.detail, "type": kind, "param": param, "code": code}}


def test_what_is_unknown_is_named_before_what_is_wrong() -> None:
    faults = [FieldError("n", "must be 1"), FieldError("colour", "is not a known field", is_unknown=True)]
    error = ValidationFailed("Two faults.", errors=faults)
    told = speech.refusal(error, _problem(error)).body["error"]
    assert (told["code"], told["param"]) == ("unknown_parameter", "colour")


def test_a_providers_own_message_is_told_once() -> None:
    error = NoProviderAvailable("Nobody.")
    error.provider_message = "The engine is cold."
    assert speech.refusal(error, _problem(error)).body["error"]["message"] == "Nobody. The engine is cold."
    again = NoProviderAvailable("Nobody: The engine is cold.")
    again.provider_message = "The engine is cold."
    assert speech.refusal(again, _problem(again)).body["error"]["message"] == "Nobody: The engine is cold."


@pytest.mark.parametrize(
    ("error", "is_tried", "advice"),
    [
        (NoProviderAvailable("Nobody."), True, "false"),
        (NoProviderAvailable("Nobody."), False, None),
        (RateLimited("Slowly."), False, None),
        (BudgetExceeded("Spent."), False, "false"),
        (QueryInProgress("Wait."), False, None),
        (ValidationFailed.of("n", "must be 1"), True, None),
        (AnswerLost(), False, "false"),
        (AnswerWithheld(), False, "false"),
        (GatewayError("What?"), True, "false"),
        (GatewayError("What?"), False, None),
    ],
)
def test_a_client_retries_only_what_was_not_retried(error: GatewayError, is_tried: bool, advice: str | None) -> None:
    if is_tried:
        error.attempts = (Attempt(provider="a", model="b", outcome=AttemptOutcome.ERROR),)
    assert speech.refusal(error, _problem(error)).headers.get("x-should-retry") == advice


def test_a_client_does_not_retry_a_query_of_which_nobody_knows_how_far_it_came() -> None:
    error = GatewayError("What?")
    error.query_id = "qry_1"
    problem = Problem.of(QueryProblem.of(error), query_id=error.query_id)
    assert speech.refusal(error, problem).headers["x-should-retry"] == "false"


def test_a_stream_breaks_off_with_the_same_error() -> None:
    error = NoProviderAvailable("Nobody.")
    event = speech.broken_off(error, _problem(error)).decode()
    assert event.startswith("data: ")
    assert event.endswith("\n\n")
    assert json.loads(event.removeprefix("data: ")) == speech.refusal(error, _problem(error)).body


def test_limits_have_openais_names() -> None:
    assert speech.headers(request_id="req_1", room=None) == {"x-request-id": "req_1"}
    requests, tokens = Left(limit=60, remaining=59, reset_s=0.2), Left(limit=9_000, remaining=8_100, reset_s=5.1)
    told = speech.headers(request_id="req_1", room=Room(requests=requests, tokens=tokens))
    assert told["x-ratelimit-limit-requests"] == "60"
    assert told["x-ratelimit-remaining-requests"] == "59"
    assert told["x-ratelimit-reset-requests"] == "1s"
    assert told["x-ratelimit-limit-tokens"] == "9000"
    assert told["x-ratelimit-remaining-tokens"] == "8100"
    assert told["x-ratelimit-reset-tokens"] == "6s"
    of_one = speech.headers(request_id="req_1", room=Room(requests=None, tokens=tokens))
    assert [name for name in of_one if name.endswith("requests")] == []
