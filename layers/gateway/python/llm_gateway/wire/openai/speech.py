"""Errors and limits in OpenAI's words, so that its SDK raises its own exceptions and waits as it would for OpenAI."""

import json
import math
from typing import TYPE_CHECKING, Any, Final

from llm_gateway.wire.dialects import Refusal
from llm_gateway.wire.retrying import advice

if TYPE_CHECKING:
    from llm_gateway.domain.accounts import Room
    from llm_gateway.errors import GatewayError
    from llm_gateway.wire.problems import Problem

_INVALID: Final = "invalid_request_error"
# Type and code by the gateway's code. Any other keeps its code, with a type by its status.
_WORDS: Final = {
    **dict.fromkeys(
        ("unauthenticated", "signature_invalid", "signature_expired", "signature_replayed"),
        (_INVALID, "invalid_api_key"),
    ),
    "provider_not_found": (_INVALID, "model_not_found"),
    "context_window_exceeded": (_INVALID, "context_length_exceeded"),
    "rate_limited": ("requests", "rate_limit_exceeded"),
    "provider_rate_limited": ("requests", "rate_limit_exceeded"),
    "budget_exceeded": ("insufficient_quota", "insufficient_quota"),
}
_OF_THE_MODEL: Final = ("provider_not_found", "model_not_allowed", "prompt_not_found", "prompt_version_not_found")


def refusal(error: "GatewayError", problem: "Problem") -> Refusal:
    """`{"error": {"message", "type", "param", "code"}}`, and whether the SDK should try again."""
    return Refusal(status=_status(error, problem), body=_body(error, problem), headers=advice(error, problem))


def broken_off(error: "GatewayError", problem: "Problem") -> bytes:
    """An event of the stream's own kind. The SDK raises an `APIError` of it."""
    return b"data: " + json.dumps(_body(error, problem), ensure_ascii=False).encode("utf-8", "replace") + b"\n\n"


def headers(*, request_id: str, room: "Room | None") -> dict[str, str]:
    """The request's id where the SDK looks for it, and the limits as OpenAI tells them."""
    named = {"x-request-id": request_id}
    for name, left in (("requests", room.requests), ("tokens", room.tokens)) if room else ():
        if left is not None:
            named[f"x-ratelimit-limit-{name}"] = str(left.limit)
            named[f"x-ratelimit-remaining-{name}"] = str(left.remaining)
            named[f"x-ratelimit-reset-{name}"] = f"{math.ceil(left.reset_s)}s"
    return named


def _status(error: "GatewayError", problem: "Problem") -> int:
    if _is_of_unlisted_model(error):
        return 404
    return 400 if problem.status == 422 else problem.status


def _body(error: "GatewayError", problem: "Problem") -> dict[str, Any]:
    kind, code = _WORDS.get(problem.code, (_type(problem.status), problem.code))
    if _is_of_unlisted_model(error):
        code = "model_not_found"
    elif any(fault.is_unknown for fault in error.errors):
        code = "unknown_parameter"
    return {"error": {"message": _message(problem), "type": kind, "param": _param(error, problem), "code": code}}


def _is_of_unlisted_model(error: "GatewayError") -> bool:
    from llm_gateway.errors import ModelNotListed

    return isinstance(error, ModelNotListed)


def _type(status: int) -> str:
    return "server_error" if status >= 500 else _INVALID


def _message(problem: "Problem") -> str:
    said, detail = problem.provider_message, problem.detail
    return detail if not said or said in detail else f"{detail} {said}"


def _param(error: "GatewayError", problem: "Problem") -> str | None:
    """The first thing that is unknown, else the first that is wrong."""
    unknown = [fault.field for fault in error.errors if fault.is_unknown]
    fields = unknown or [fault.field for fault in error.errors]
    return fields[0] if fields else "model" if problem.code in _OF_THE_MODEL else None
