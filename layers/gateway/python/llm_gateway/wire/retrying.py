"""What the vendors' SDKs are told of trying again: by themselves they repeat what failed twice, without an idempotency key."""

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from llm_gateway.errors import GatewayError
    from llm_gateway.wire.problems import Problem

# Asking again is of no use before the budget's period is over, or while the key has another request's answer. An answer that was
# lost or withheld would be paid for once more.
_NEVER_AGAIN: Final = ("budget_exceeded", "idempotency_conflict", "answer_lost", "answer_withheld")
_RETRIED_BY_CLIENTS: Final = (408, 409, 429)


def advice(error: "GatewayError", problem: "Problem") -> dict[str, str]:
    """`x-should-retry: false` where the gateway has tried its providers already, or where no retry could succeed."""
    retried = problem.status in _RETRIED_BY_CLIENTS or problem.status >= 500
    is_vain = bool(error.attempts) or problem.code in _NEVER_AGAIN or _may_be_paid(problem)
    return {"x-should-retry": "false"} if retried and is_vain else {}


def _may_be_paid(problem: "Problem") -> bool:
    """Whether a query failed that was under way, and nobody knows how far: a provider may have answered it."""
    return problem.code == "internal_error" and problem.query_id is not None
