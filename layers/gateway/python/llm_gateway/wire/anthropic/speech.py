"""Errors and limits in Anthropic's words, so that its SDK raises its own exceptions and waits as it would for Anthropic."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.wire.dialects import Refusal
from llm_gateway.wire.retrying import advice
from llm_gateway.wire.schema import whole_seconds

if TYPE_CHECKING:
    from llm_gateway.domain.accounts import Room
    from llm_gateway.errors import GatewayError
    from llm_gateway.wire.problems import Problem

_OVERLOADED: Final = 529
# Of every status that the gateway answers with; see https://platform.claude.com/docs/en/api/errors.
_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    _OVERLOADED: "overloaded_error",
}


def refusal(error: "GatewayError", problem: "Problem") -> Refusal:
    """`{"type": "error", "error": {"type", "message"}, "request_id"}`, and whether the SDK should try again."""
    status = _status(error, problem)
    return Refusal(status=status, body=_body(status, problem), headers=advice(error, problem))


def broken_off(error: "GatewayError", problem: "Problem") -> bytes:
    """`event: error`. The SDK raises an `APIStatusError` of it."""
    told = json.dumps(_body(_status(error, problem), problem), ensure_ascii=False)
    return f"event: error\ndata: {told}\n\n".encode("utf-8", "replace")


def headers(*, request_id: str, room: "Room | None") -> dict[str, str]:
    """The request's id, which the SDK reads from here, and the limits as Anthropic tells them."""
    told = {"request-id": request_id}
    for name, left in (("requests", room.requests), ("tokens", room.tokens)) if room else ():
        if left is not None:
            # Rounded up: a client that waits so long does not come too early.
            reset = datetime.now(UTC) + timedelta(seconds=left.reset_s, milliseconds=999)
            told[f"anthropic-ratelimit-{name}-limit"] = str(left.limit)
            told[f"anthropic-ratelimit-{name}-remaining"] = str(left.remaining)
            told[f"anthropic-ratelimit-{name}-reset"] = whole_seconds(reset)
    return told


def _status(error: "GatewayError", problem: "Problem") -> int:
    from llm_gateway.errors import ModelNotListed

    if isinstance(error, ModelNotListed):
        return 404
    if problem.status == 503:
        return _OVERLOADED
    return 400 if problem.status == 422 else problem.status


def _body(status: int, problem: "Problem") -> dict[str, Any]:
    kind = _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    told = {"type": kind, "message": _message(problem)}
    gateway = {"code": problem.code, "query_id": problem.query_id, "attempts": problem.attempts}
    return {
        "type": "error",
        "error": told,
        "request_id": problem.request_id,
        "gateway": {name: value for name, value in gateway.items() if value is not None},
    }


def _message(problem: "Problem") -> str:
    said, detail = problem.provider_message, problem.detail
    return detail if not said or said in detail else f"{detail} {said}"
