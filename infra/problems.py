"""What API Gateway answers by itself, before or instead of a function, in the form of every other problem of the API."""

import json

from aws_cdk import aws_apigateway as apigateway

# Gateway response: status, code, title, detail, and when a retry may succeed. Everything else is one of its two families.
_PROBLEMS = {
    "MISSING_AUTHENTICATION_TOKEN": (404, "route_not_found", "Not found", "There is no such route.", None),
    "RESOURCE_NOT_FOUND": (404, "route_not_found", "Not found", "There is no such route.", None),
    "REQUEST_TOO_LARGE": (413, "payload_too_large", "The payload is too large", "A body may have up to 4 MB.", None),
    "THROTTLED": (429, "rate_limited", "Too many requests", "The API as a whole gets more than it takes.", 1),
    "WAF_FILTERED": (429, "rate_limited", "Too many requests", "This address sends more than the API takes.", 60),
    "INTEGRATION_FAILURE": (503, "dependency_unavailable", "Unavailable for now", "The function did not answer.", 1),
    "INTEGRATION_TIMEOUT": (
        504,
        "deadline_exceeded",
        "The query's own time is up",
        "There was no answer in the time that API Gateway waits.",
        None,
    ),
    "DEFAULT_4XX": (400, "malformed_request", "The request cannot be read", "API Gateway refused it.", None),
    "DEFAULT_5XX": (500, "internal_error", "The gateway failed", "The function ended without an answer.", None),
}


def render_as_problems(api: apigateway.RestApi) -> None:
    """Make every answer that API Gateway composes by itself a problem."""
    for response_type, (status, code, title, detail, retry_after_s) in _PROBLEMS.items():
        problem = {
            "type": f"https://llm-gateway.dev/errors/{code}",
            "title": title,
            "status": status,
            "detail": detail,
            "code": code,
            "request_id": "$context.requestId",
        }
        headers = {"Content-Type": "'application/problem+json'", "X-Request-Id": "context.requestId"}
        if retry_after_s is not None:
            headers["Retry-After"] = f"'{retry_after_s}'"
        api.add_gateway_response(
            response_type,
            type=apigateway.ResponseType.of(response_type),
            status_code=str(status),
            response_headers=headers,
            templates={"application/json": json.dumps(problem)},
        )
