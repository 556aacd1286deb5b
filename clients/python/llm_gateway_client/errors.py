"""What a call can end with, as a tree; every code of the gateway's has a class of its own.

    GatewayError
    ├── NoAnswer                    nothing usable came back
    │   ├── ConnectionFailed        nobody answers there
    │   ├── TimedOut                no answer in time
    │   ├── AnswerUnreadable        something that is no gateway answered
    │   └── StreamBroken            a stream broke, and could not be resumed
    ├── Unfinished                  waiting was given up; what was waited for goes on
    │   ├── QueryUnfinished         a query
    │   ├── RunUnfinished           a run of a prompt's tests
    │   └── ErasureUnfinished       an erasure
    └── Refused                     the gateway's own answer, a problem (RFC 9457), by its status
        ├── BadRequest              400  MalformedRequest
        ├── Unauthorized            401  Unauthenticated  SignatureInvalid  SignatureExpired  SignatureReplayed
        ├── NotAllowed              403  Forbidden  ModelNotAllowed  PiiBlocked
        ├── NotFound                404  RouteNotFound  ProviderNotFound  PromptNotFound  PromptVersionNotFound
        │                                LabelNotFound  RunNotFound  QueryNotFound  KeyNotFound  ErasureNotFound
        ├── MethodNotAllowed        405
        ├── Conflict                409  AlreadyExists  IdempotencyConflict  QueryInProgress  QueryCancelled  LastAdmin
        │                                PromptInUse
        ├── QueryExpired            410
        ├── RevisionConflict        412
        ├── PayloadTooLarge         413
        ├── UnsupportedMediaType    415
        ├── Unprocessable           422  ValidationFailed  TemplateInvalid  TemplateVariablesInvalid
        │                                ContextWindowExceeded  UnsupportedParameter  UnpricedModel  QualityGateFailed
        ├── TooManyRequests         429  RateLimited  BudgetExceeded  ProviderRateLimited
        └── GatewayFailed           5xx
            ├── InternalError       500
            ├── AnswerWithheld, AnswerLost   500, paid for: not tried again
            ├── ProviderFailed      502  ProviderError  ProviderAuthFailed  ProviderResponseInvalid
            │                            ResponseValidationFailed
            ├── Unavailable         503  NoProviderAvailable  DependencyUnavailable
            └── OutOfTime           504  ProviderTimeout  DeadlineExceeded

A code that is newer than this client is told by the class of its status.
"""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final


class GatewayError(Exception):
    """The root of everything that a call raises."""


class NoAnswer(GatewayError):
    """Nothing usable came back: whether the request was carried out is not known."""


class ConnectionFailed(NoAnswer):
    """Nobody answers at the gateway's address, or the connection broke."""


class TimedOut(NoAnswer):
    """No answer came in time."""


class AnswerUnreadable(NoAnswer):
    """What answers there does not talk like a gateway: a proxy, say. `status` is its HTTP status."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class StreamBroken(NoAnswer):
    """A stream broke and could not be resumed. `query_id` is the query's, where it is known."""

    def __init__(self, message: str, *, query_id: str | None) -> None:
        super().__init__(message)
        self.query_id = query_id


class Unfinished(GatewayError):
    """What was waited for has not ended yet, and goes on."""


class QueryUnfinished(Unfinished):
    """The query has not ended yet, and goes on. `query_id` is its id."""

    def __init__(self, message: str, *, query_id: str) -> None:
        super().__init__(message)
        self.query_id = query_id


class RunUnfinished(Unfinished):
    """The run of a prompt's tests has not ended yet, and goes on. `prompt_id` and `run_id` tell which it is."""

    def __init__(self, message: str, *, prompt_id: str, run_id: str) -> None:
        super().__init__(message)
        self.prompt_id = prompt_id
        self.run_id = run_id


class ErasureUnfinished(Unfinished):
    """The erasure has not ended yet, and goes on. `erasure_id` is its id."""

    def __init__(self, message: str, *, erasure_id: str) -> None:
        super().__init__(message)
        self.erasure_id = erasure_id


class Refused(GatewayError):
    """The gateway's own answer: what went wrong (`detail`), by a `code`, with an HTTP `status`.

    `errors` names fields and what is wrong with each; `provider_message` is what a provider's own error said; `attempts` tells of
    each call to a provider; `retry_after_s` after how many seconds a retry makes sense. `problem` is the whole body.
    """

    code: ClassVar[str] = ""
    statuses: ClassVar[range] = range(400, 600)

    def __init__(self, problem: Mapping[str, Any], *, status: int, retry_after_s: float | None = None) -> None:
        self.problem = dict(problem)
        self.status = status
        self.retry_after_s = retry_after_s
        self.actual_code = _text(problem, "code") or self.code
        self.title = _text(problem, "title") or f"HTTP status {status}"
        self.detail = _text(problem, "detail") or self.title
        self.request_id = _text(problem, "request_id")
        self.query_id = _text(problem, "query_id")
        self.provider = _text(problem, "provider")
        self.provider_message = _text(problem, "provider_message")
        self.errors = tuple((str(each.get("field")), str(each.get("message"))) for each in _listed(problem, "errors"))
        self.attempts = tuple(_listed(problem, "attempts"))
        super().__init__(f"{self.detail} ({self.actual_code or status})")


def refusal(problem: Mapping[str, Any], *, status: int, retry_after_s: float | None = None) -> Refused:
    """The exception of a problem's code, or of its status where no class knows the code."""
    code = problem.get("code")
    kind = _BY_CODE.get(code) if isinstance(code, str) else None
    kind = kind or next((each for each in _BY_STATUS if status in each.statuses), Refused)
    return kind(problem, status=status, retry_after_s=retry_after_s)


def _text(problem: Mapping[str, Any], name: str) -> str | None:
    value = problem.get(name)
    return value if isinstance(value, str) else None


def _listed(problem: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = problem.get(name)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


class BadRequest(Refused):
    statuses = range(400, 401)


class MalformedRequest(BadRequest):
    code = "malformed_request"


class Unauthorized(Refused):
    statuses = range(401, 402)


class Unauthenticated(Unauthorized):
    code = "unauthenticated"


class SignatureInvalid(Unauthorized):
    code = "signature_invalid"


class SignatureExpired(Unauthorized):
    code = "signature_expired"


class SignatureReplayed(Unauthorized):
    code = "signature_replayed"


class NotAllowed(Refused):
    statuses = range(403, 404)


class Forbidden(NotAllowed):
    code = "forbidden"


class ModelNotAllowed(NotAllowed):
    code = "model_not_allowed"


class PiiBlocked(NotAllowed):
    code = "pii_blocked"


class NotFound(Refused):
    statuses = range(404, 405)


class RouteNotFound(NotFound):
    code = "route_not_found"


class ProviderNotFound(NotFound):
    code = "provider_not_found"


class PromptNotFound(NotFound):
    code = "prompt_not_found"


class PromptVersionNotFound(NotFound):
    code = "prompt_version_not_found"


class LabelNotFound(NotFound):
    code = "label_not_found"


class RunNotFound(NotFound):
    code = "test_run_not_found"


class QueryNotFound(NotFound):
    code = "query_not_found"


class KeyNotFound(NotFound):
    code = "key_not_found"


class ErasureNotFound(NotFound):
    code = "erasure_not_found"


class MethodNotAllowed(Refused):
    code, statuses = "method_not_allowed", range(405, 406)


class Conflict(Refused):
    statuses = range(409, 410)


class AlreadyExists(Conflict):
    code = "already_exists"


class IdempotencyConflict(Conflict):
    code = "idempotency_conflict"


class QueryInProgress(Conflict):
    code = "query_in_progress"


class QueryCancelled(Conflict):
    code = "query_cancelled"


class LastAdmin(Conflict):
    code = "last_admin"


class PromptInUse(Conflict):
    code = "prompt_in_use"


class QueryExpired(Refused):
    code, statuses = "query_expired", range(410, 411)


class RevisionConflict(Refused):
    code, statuses = "revision_conflict", range(412, 413)


class PayloadTooLarge(Refused):
    code, statuses = "payload_too_large", range(413, 414)


class UnsupportedMediaType(Refused):
    code, statuses = "unsupported_media_type", range(415, 416)


class Unprocessable(Refused):
    statuses = range(422, 423)


class ValidationFailed(Unprocessable):
    code = "validation_failed"


class TemplateInvalid(Unprocessable):
    code = "template_invalid"


class TemplateVariablesInvalid(Unprocessable):
    code = "template_variables_invalid"


class ContextWindowExceeded(Unprocessable):
    code = "context_window_exceeded"


class UnsupportedParameter(Unprocessable):
    code = "unsupported_parameter"


class UnpricedModel(Unprocessable):
    code = "unpriced_model"


class QualityGateFailed(Unprocessable):
    code = "quality_gate_failed"


class TooManyRequests(Refused):
    statuses = range(429, 430)


class RateLimited(TooManyRequests):
    code = "rate_limited"


class BudgetExceeded(TooManyRequests):
    code = "budget_exceeded"


class ProviderRateLimited(TooManyRequests):
    code = "provider_rate_limited"


class GatewayFailed(Refused):
    statuses = range(500, 600)


class InternalError(GatewayFailed):
    code, statuses = "internal_error", range(500, 501)


class AnswerWithheld(GatewayFailed):
    code = "answer_withheld"


class AnswerLost(GatewayFailed):
    code = "answer_lost"


class ProviderFailed(GatewayFailed):
    statuses = range(502, 503)


class ProviderError(ProviderFailed):
    code = "provider_error"


class ProviderAuthFailed(ProviderFailed):
    code = "provider_auth_failed"


class ProviderResponseInvalid(ProviderFailed):
    code = "provider_response_invalid"


class ResponseValidationFailed(ProviderFailed):
    code = "response_validation_failed"


class Unavailable(GatewayFailed):
    statuses = range(503, 504)


class NoProviderAvailable(Unavailable):
    code = "no_provider_available"


class DependencyUnavailable(Unavailable):
    code = "dependency_unavailable"


class OutOfTime(GatewayFailed):
    statuses = range(504, 505)


class ProviderTimeout(OutOfTime):
    code = "provider_timeout"


class DeadlineExceeded(OutOfTime):
    code = "deadline_exceeded"


def _kinds(root: type[Refused]) -> Iterator[type[Refused]]:
    for kind in root.__subclasses__():
        yield from _kinds(kind)
        yield kind


_BY_CODE: Final = {kind.code: kind for kind in _kinds(Refused) if kind.code}
# A status' own class, of which those of its codes are kinds; the narrower one first.
_BY_STATUS: Final = sorted(
    (kind for kind in _kinds(Refused) if "statuses" in vars(kind)), key=lambda kind: len(kind.statuses)
)
