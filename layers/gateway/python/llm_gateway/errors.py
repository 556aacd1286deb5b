"""Everything that can go wrong, as a caller will read it.

    GatewayError                         500 internal_error
    ├── MalformedRequest                 400
    ├── Unauthenticated                  401
    ├── Forbidden                        403
    ├── NotFound                         404
    │   ├── RouteNotFound  ProviderNotFound  QueryNotFound  KeyNotFound
    ├── MethodNotAllowed                 405
    ├── Conflict                         409
    │   ├── AlreadyExists  IdempotencyConflict  QueryInProgress  QueryCancelled
    ├── QueryExpired                     410
    ├── RevisionConflict                 412
    ├── PayloadTooLarge                  413
    ├── UnsupportedMediaType             415
    ├── Unprocessable                    422
    │   ├── ValidationFailed  ContextWindowExceeded  UnsupportedParameter  UnpricedModel
    ├── TooManyRequests                  429
    │   ├── RateLimited  BudgetExceeded
    ├── Unavailable                      503
    │   ├── NoProviderAvailable  DependencyUnavailable
    ├── DeadlineExceeded                 504
    ├── StoredProblem                    as it was answered the first time
    └── ProviderFault                    one candidate's failure: another may still answer
        ├── ProviderUnreachable          502 provider_error, retryable
        │   ├── ProviderNotConnected     nothing was sent: as an answer it is no_provider_available
        ├── ProviderFailed               502 provider_error, retryable
        ├── ProviderRefused              502 provider_error, not retryable here, another candidate may take it
        ├── ProviderAuthFailed           502
        ├── ProviderResponseInvalid      502
        ├── ResponseValidationFailed     502, carries the answer and what is wrong with it
        ├── ProviderRateLimited          429, retryable
        │   ├── ProviderBusy             all places for concurrent calls are taken
        ├── CircuitOpen                  503, in an attempt only: as an answer it is no_provider_available
        ├── ProviderDisabled             503, likewise
        ├── CallTooLarge                 422 validation_failed, another candidate may take it
        ├── ProviderTimeout              504
        ├── CallCancelled                the caller wants no answer any more; nobody reads it
        └── ProviderRejected             422 validation_failed: the request itself is at fault, nobody else is asked

Status, code and title live on the class; only the HTTP edge renders them, as RFC 9457 problems.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `field` is a dotted path into the request's body, or a header's or parameter's name."""

    field: str
    message: str


class GatewayError(Exception):
    """The root. `detail` is shown to callers: it never carries a credential, a path or a provider's own words."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "The gateway failed"

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after_s: float | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        self.headers = headers or {}
        self.query_id: str | None = None
        self.attempts: tuple[Any, ...] = ()


class MalformedRequest(GatewayError):
    status, code, title = 400, "malformed_request", "The request cannot be read"


class Unauthenticated(GatewayError):
    status, code, title = 401, "unauthenticated", "No valid credentials"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="llm-gateway"'})


class Forbidden(GatewayError):
    status, code, title = 403, "forbidden", "Not allowed"


class NotFound(GatewayError):
    status, title = 404, "Not found"


class RouteNotFound(NotFound):
    code = "route_not_found"


class ProviderNotFound(NotFound):
    code = "provider_not_found"

    def __init__(self, provider_id: str) -> None:
        super().__init__(f"There is no provider {provider_id!r}.")


class QueryNotFound(NotFound):
    code = "query_not_found"

    def __init__(self, query_id: str) -> None:
        super().__init__(f"There is no query {query_id!r}.")


class KeyNotFound(NotFound):
    code = "key_not_found"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no key {key_id!r}.")


class MethodNotAllowed(GatewayError):
    status, code, title = 405, "method_not_allowed", "Method not allowed"


class Conflict(GatewayError):
    status, title = 409, "Conflict"


class AlreadyExists(Conflict):
    code = "already_exists"


class IdempotencyConflict(Conflict):
    code = "idempotency_conflict"


class QueryInProgress(Conflict):
    code = "query_in_progress"


class QueryCancelled(Conflict):
    code = "query_cancelled"


class QueryExpired(GatewayError):
    status, code, title = 410, "query_expired", "The query has expired"


class RevisionConflict(GatewayError):
    status, code, title = 412, "revision_conflict", "The resource has changed meanwhile"


class PayloadTooLarge(GatewayError):
    status, code, title = 413, "payload_too_large", "The payload is too large"


class UnsupportedMediaType(GatewayError):
    status, code, title = 415, "unsupported_media_type", "Unsupported media type"


class Unprocessable(GatewayError):
    status, title = 422, "The request cannot be carried out"


class ValidationFailed(Unprocessable):
    code = "validation_failed"

    @classmethod
    def of(cls, field: str, message: str) -> "ValidationFailed":
        """One field is wrong, and `message` says how to mend it."""
        return cls(f"{field}: {message}", errors=[FieldError(field, message)])


class ContextWindowExceeded(Unprocessable):
    code = "context_window_exceeded"


class UnsupportedParameter(Unprocessable):
    code = "unsupported_parameter"


class UnpricedModel(Unprocessable):
    code = "unpriced_model"


class TooManyRequests(GatewayError):
    status, title = 429, "Too many requests"


class RateLimited(TooManyRequests):
    code = "rate_limited"


class BudgetExceeded(TooManyRequests):
    code = "budget_exceeded"


class Unavailable(GatewayError):
    status, title = 503, "Unavailable for now"


class NoProviderAvailable(Unavailable):
    code = "no_provider_available"


class DependencyUnavailable(Unavailable):
    code = "dependency_unavailable"


class DeadlineExceeded(GatewayError):
    status, code, title = 504, "deadline_exceeded", "The query's own time is up"


class StoredProblem(GatewayError):
    """A problem that a query ended with, given again as it was; `replayed` where an equal request asks for it."""

    def __init__(self, problem: Any, *, query_id: str, replayed: bool = False) -> None:
        super().__init__(problem.detail, headers={"Idempotent-Replayed": "true"} if replayed else None)
        self.status, self.code, self.title = problem.status, problem.code, problem.title  # type: ignore[misc]
        self.query_id = query_id
        self.provider = problem.provider
        self.attempts = problem.attempts


class ProviderFault(GatewayError):
    """One call to one provider failed. `usage` is what the provider bills for the call all the same, where it said so."""

    retryable: ClassVar[bool] = False
    falls_over: ClassVar[bool] = True

    def __init__(self, detail: str, *, retry_after_s: float | None = None, usage: Any = None) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.usage = usage
        self.provider: str | None = None


class ProviderUnreachable(ProviderFault):
    """The connection broke before the answer was whole."""

    status, code, title, retryable = 502, "provider_error", "The provider cannot be reached", True


class ProviderNotConnected(ProviderUnreachable):
    """There never was a connection: the name has no address, nobody listens there, or nobody took the call in time."""


class ProviderFailed(ProviderFault):
    """The provider answered 408, 409 (lock), 5xx or 529."""

    status, code, title, retryable = 502, "provider_error", "The provider failed", True


class ProviderRefused(ProviderFault):
    """The provider answered 403 or 404: the account or the model is at fault, not the request."""

    status, code, title = 502, "provider_error", "The provider refused the call"


class ProviderAuthFailed(ProviderFault):
    status, code, title = 502, "provider_auth_failed", "The provider refused its credentials"


class ProviderResponseInvalid(ProviderFault):
    status, code, title = 502, "provider_response_invalid", "The provider's answer cannot be used"


class ResponseValidationFailed(ProviderFault):
    """The answer does not have the form that was asked for; `complaint` says why, to the model."""

    status, code, title = 502, "response_validation_failed", "The answer does not have the asked form"

    def __init__(self, detail: str, *, answer: Any, complaint: str) -> None:
        super().__init__(detail, usage=answer.usage)
        self.answer = answer
        self.complaint = complaint


class ProviderRateLimited(ProviderFault):
    status, code, title, retryable = 429, "provider_rate_limited", "The provider is at its limit", True


class ProviderBusy(ProviderRateLimited):
    """As many calls are running as may at once. One may end at any time; `retry_after_s` is when one must have ended."""


class CircuitOpen(ProviderFault):
    """The provider failed so often that it is left alone until `retry_after_s` has passed. It was not called."""

    status, code, title = 503, "circuit_open", "The provider is being left alone"


class ProviderDisabled(ProviderFault):
    """An operator has switched the provider off. It was not called."""

    status, code, title = 503, "provider_disabled", "The provider is disabled"


class CallTooLarge(ProviderFault):
    """The call needs more tokens than the provider's limit allows in a minute, so it can never pass. It was not made."""

    status, code, title = 422, "validation_failed", "The call is larger than the provider's limit"


class ProviderTimeout(ProviderFault):
    status, code, title = 504, "provider_timeout", "The provider took too long"


class CallCancelled(ProviderFault):
    """The caller no longer wants the answer, so the call was broken off."""

    status, code, title, falls_over = 499, "cancelled", "The query was cancelled", False


class ProviderRejected(ProviderFault):
    """The provider answered 400, 413 or 422: the request itself is at fault."""

    status, code, title, falls_over = 422, "validation_failed", "The provider rejected the request", False


class NotDone(Exception):
    """A queue's message was not dealt with to its end and must be delivered again. Nobody but the queue reads it."""
