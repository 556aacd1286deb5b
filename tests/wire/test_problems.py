"""Problems as callers read them: what happened, and nothing that does not apply."""

from decimal import Decimal

from llm_gateway.domain.faults import ProviderFailed
from llm_gateway.domain.queries import Attempt, AttemptOutcome, QueryProblem, StoredProblem
from llm_gateway.errors import RouteNotFound, ValidationFailed
from llm_gateway.wire.problems import Problem

ATTEMPT = Attempt(
    provider="a",
    model="m",
    outcome=AttemptOutcome.ERROR,
    error_code="x",
    detail="It failed: Out of owls.",
    upstream_status=500,
    latency_ms=5,
    cost_usd=Decimal("0.1"),
)


def test_a_problem_says_only_what_applies() -> None:
    problem = Problem.of(QueryProblem.of(RouteNotFound("There is none.")), query_id=None, request_id="req_1")
    assert problem.model_dump() == {
        "type": "/errors/route_not_found",
        "title": "Not found",
        "status": 404,
        "detail": "There is none.",
        "code": "route_not_found",
        "request_id": "req_1",
    }


def test_a_problem_says_all_that_applies() -> None:
    fault = ProviderFailed("It failed.", provider_message="Out of owls.", upstream_status=500)
    fault.provider, fault.attempts = "a", (ATTEMPT,)
    shown = Problem.of(QueryProblem.of(fault), query_id="qry_1").model_dump()
    assert (shown["query_id"], shown["provider"], shown["provider_message"]) == ("qry_1", "a", "Out of owls.")
    (attempt,) = shown["attempts"]
    assert attempt == {
        "provider": "a",
        "model": "m",
        "outcome": "error",
        "error_code": "x",
        "detail": "It failed: Out of owls.",
        "upstream_status": 500,
        "latency_ms": 5,
        "cost_usd": "0.1",
    }


def test_each_field_has_its_own_line() -> None:
    error = ValidationFailed.of("messages[0]", "is required")
    shown = Problem.of(QueryProblem.of(error), query_id=None, errors=error.errors).model_dump()
    assert shown["errors"] == [{"field": "messages[0]", "message": "is required"}]


def test_a_stored_problem_reads_as_it_did() -> None:
    fault = ProviderFailed("It failed.", provider_message="Out of owls.", upstream_status=500)
    fault.provider, fault.attempts = "a", (ATTEMPT,)
    kept = QueryProblem.of(fault)
    assert QueryProblem.of(StoredProblem(kept, query_id="qry_1")) == kept
