"""What the published contract promises of every response, written down apart from the code."""

import re
from typing import Any, Final

from httpx2 import Response

# Which code comes with which status.
CODES: Final = {
    400: {"malformed_request"},
    401: {"unauthenticated", "signature_invalid", "signature_expired", "signature_replayed"},
    403: {"forbidden", "model_not_allowed", "pii_blocked"},
    404: {
        "route_not_found",
        "provider_not_found",
        "prompt_not_found",
        "prompt_version_not_found",
        "label_not_found",
        "test_run_not_found",
        "query_not_found",
        "key_not_found",
        "erasure_not_found",
    },
    405: {"method_not_allowed"},
    409: {
        "already_exists",
        "idempotency_conflict",
        "query_in_progress",
        "query_cancelled",
        "last_admin",
        "prompt_in_use",
    },
    410: {"query_expired"},
    412: {"revision_conflict"},
    413: {"payload_too_large"},
    415: {"unsupported_media_type"},
    422: {
        "validation_failed",
        "template_invalid",
        "template_variables_invalid",
        "context_window_exceeded",
        "unsupported_parameter",
        "unpriced_model",
        "quality_gate_failed",
    },
    429: {"rate_limited", "budget_exceeded", "provider_rate_limited"},
    500: {"internal_error", "answer_withheld", "answer_lost"},
    502: {"provider_error", "provider_auth_failed", "provider_response_invalid", "response_validation_failed"},
    503: {"no_provider_available", "dependency_unavailable"},
    504: {"provider_timeout", "deadline_exceeded"},
}
_MEMBERS: Final = {
    "type",
    "title",
    "status",
    "detail",
    "code",
    "request_id",
    "errors",
    "query_id",
    "provider",
    "attempts",
}
_ALWAYS: Final = {"type", "title", "status", "detail", "code", "request_id"}
_REQUEST_ID: Final = re.compile(r"req_[0-9A-HJKMNP-TV-Z]{26}")
_INNARDS: Final = re.compile(r"Traceback|\.py\b|/site-packages/|/work/|/var/task|/opt/python|File \"|0x[0-9a-f]{8}")
TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def check(response: Response) -> None:
    """Fails where `response` breaks a promise that holds for all of them."""
    assert _REQUEST_ID.fullmatch(response.headers["X-Request-Id"])
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    if response.status_code >= 400:
        check_problem(response)
    else:
        assert "Retry-After" not in response.headers or response.status_code == 202


_ANTHROPICS: Final = "/v1/messages"
# What the vendors' clients read in the place of the gateway's own codes.
_IN_OPENAIS_WORDS: Final = {
    "unauthenticated": "invalid_api_key",
    "context_window_exceeded": "context_length_exceeded",
    "rate_limited": "rate_limit_exceeded",
    "budget_exceeded": "insufficient_quota",
    "provider_not_found": "model_not_found",
}
_IN_THE_GATEWAYS: Final = {theirs: ours for ours, theirs in _IN_OPENAIS_WORDS.items()}


def code_in(body: dict[str, Any]) -> str:
    """The gateway's own code for the error, in whatever dialect it is told."""
    if body.get("type") == "error":
        return str(body["gateway"]["code"])
    code: str = body["error"]["code"] if "error" in body else body["code"]
    return _IN_THE_GATEWAYS.get(code, code)


def told_in(body: dict[str, Any]) -> str:
    """What the error says, in whatever dialect."""
    told: str = body["error"]["message"] if "error" in body else body["detail"]
    return told


def status_at(path: str, status: int) -> int:
    """The status of what the gateway itself answers with `status`."""
    if path.startswith(_ANTHROPICS) and status == 503:
        return 529
    return 400 if status == 422 and path.startswith("/v1/") else status


def check_openais(response: Response) -> None:
    assert response.headers["Content-Type"] == "application/json"
    assert not _INNARDS.search(response.text), response.text
    if response.request.method != "HEAD":
        told = response.json()
        assert told.keys() == {"error"}
        assert told["error"].keys() == {"message", "type", "param", "code"}
        assert told["error"]["message"]


def check_anthropics(response: Response) -> None:
    assert response.headers["Content-Type"] == "application/json"
    assert not _INNARDS.search(response.text), response.text
    if response.request.method != "HEAD":
        told = response.json()
        assert told.keys() == {"type", "error", "request_id", "gateway"}
        assert told["type"] == "error"
        assert told["error"].keys() == {"type", "message"}
        assert told["error"]["message"]
        assert told["request_id"] == response.headers["request-id"]


def check_problem(response: Response) -> None:
    status, headers = response.status_code, response.headers
    if response.request.url.path.startswith(_ANTHROPICS):
        check_anthropics(response)
        return
    if response.request.url.path.startswith("/v1/"):
        check_openais(response)
        return
    assert headers["Content-Type"] == "application/problem+json"
    if response.request.method != "HEAD":
        _check_members(response.json(), status=status, request_id=headers["X-Request-Id"])
        assert not _INNARDS.search(response.text), response.text
    assert ("WWW-Authenticate" in headers) == (status == 401)
    assert ("Allow" in headers) == (status == 405)
    if status in (429, 503):
        assert re.fullmatch(r"[1-9]\d*", headers["Retry-After"])


def _check_members(problem: dict[str, Any], *, status: int, request_id: str) -> None:
    assert problem.keys() >= _ALWAYS
    assert problem.keys() <= _MEMBERS
    assert problem["status"] == status
    assert problem["code"] in CODES[status]
    assert problem["type"] == f"/errors/{problem['code']}"
    assert problem["request_id"] == request_id
    for fault in problem.get("errors", []):
        assert fault.keys() == {"field", "message"}
        assert fault["field"]
        assert fault["message"]
