"""What API Gateway answers by itself, before or instead of a function, in the form of every other problem of the API.

Where the fault is the server's, the status stays API Gateway's own: it counts an answer whose status was changed as the caller's
error, and then no alarm on server errors would ring. Such a problem has no `status` of its own; its `code` says what happened.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from aws_cdk import aws_apigateway as apigateway
from llm_gateway import errors
from llm_gateway.errors import GatewayError, problem_type

from infra.other_origins import readable_for


@dataclass(frozen=True, slots=True)
class _Said:
    """The error that an answer is, its detail, and when a retry may succeed.

    `may_be_paid`: a function was asked, and nobody knows how far it came. A vendor's SDK would ask, and pay, twice more.
    """

    error: type[GatewayError]
    detail: str
    retry_after_s: int | None = None
    may_be_paid: bool = False

    @property
    def by_server(self) -> bool:
        """Whether the fault is the server's."""
        return self.error.status >= HTTPStatus.INTERNAL_SERVER_ERROR


# By the gateway response's type. Everything else is one of its two families, which come last.
_PROBLEMS: Final = {
    "MISSING_AUTHENTICATION_TOKEN": _Said(errors.RouteNotFound, "There is no such route."),
    "RESOURCE_NOT_FOUND": _Said(errors.RouteNotFound, "There is no such route."),
    "REQUEST_TOO_LARGE": _Said(errors.PayloadTooLarge, "A body may have up to 4 MB."),
    "THROTTLED": _Said(errors.RateLimited, "The API as a whole gets more than it takes.", 1),
    "WAF_FILTERED": _Said(errors.RateLimited, "This address sends more than the API takes.", 60),
    "INTEGRATION_FAILURE": _Said(errors.DependencyUnavailable, "The function did not answer.", 1),
    "INTEGRATION_TIMEOUT": _Said(
        errors.DeadlineExceeded, "There was no answer in the time that API Gateway waits.", may_be_paid=True
    ),
    "DEFAULT_4XX": _Said(errors.MalformedRequest, "API Gateway refused it."),
    "DEFAULT_5XX": _Said(GatewayError, "The function ended without an answer.", may_be_paid=True),
}


def render_as_problems(api: apigateway.RestApi, *, origins: Sequence[str] = ()) -> None:
    """Make every answer that API Gateway composes by itself a problem. A page may read it whose origin is the only one: such an
    answer cannot be told apart by who asks."""
    for response_type, said in _PROBLEMS.items():
        headers = {
            "Content-Type": "'application/problem+json'",
            "X-Content-Type-Options": "'nosniff'",
            "X-Request-Id": "context.requestId",
        }
        if len(origins) == 1:
            headers |= readable_for(origins[0])
        if said.may_be_paid:
            headers["X-Should-Retry"] = "'false'"
        if said.retry_after_s is not None:
            headers["Retry-After"] = f"'{said.retry_after_s}'"
        api.add_gateway_response(
            response_type,
            type=apigateway.ResponseType.of(response_type),
            status_code=None if said.by_server else str(said.error.status),
            response_headers=headers,
            templates={"application/json": json.dumps(_problem(said))},
        )


def _problem(said: _Said) -> dict[str, object]:
    return {
        # The page that the API itself serves, as an address on the same host.
        "type": f"/$context.stage{problem_type(said.error.code)}",
        "title": said.error.title,
        **({} if said.by_server else {"status": said.error.status}),
        "detail": said.detail,
        "code": said.error.code,
        "request_id": "$context.requestId",
    }
