"""Everything that can go wrong, as a caller will read it.

    GatewayError                         500 internal_error
    ├── AnswerWithheld  AnswerLost       500
    ├── MalformedRequest                 400
    ├── Unauthenticated                  401
    │   ├── SignatureInvalid  SignatureExpired  SignatureReplayed
    ├── Forbidden                        403
    │   ├── ModelNotAllowed  PiiBlocked
    ├── NotFound                         404
    │   ├── RouteNotFound  ErrorPageNotFound  ProviderNotFound  QueryNotFound  KeyNotFound
    │   ├── PromptNotFound  PromptVersionNotFound  LabelNotFound  RunNotFound  ErasureNotFound
    ├── MethodNotAllowed                 405
    ├── Conflict                         409
    │   ├── AlreadyExists  IdempotencyConflict  QueryInProgress  QueryCancelled  LastAdmin
    │   ├── PromptInUse
    ├── QueryExpired                     410
    ├── RevisionConflict                 412
    ├── PayloadTooLarge                  413
    ├── UnsupportedMediaType             415
    ├── Unprocessable                    422
    │   ├── ValidationFailed (ModelNotListed)  ContextWindowExceeded  UnsupportedParameter  UnpricedModel
    │   ├── TemplateInvalid  TemplateVariablesInvalid  QualityGateFailed
    ├── TooManyRequests                  429
    │   ├── RateLimited  BudgetExceeded
    ├── Unavailable                      503
    │   ├── NoProviderAvailable  DependencyUnavailable
    ├── DeadlineExceeded                 504
    ├── domain.queries.StoredProblem     as it was answered the first time
    └── domain.faults.ProviderFault      one candidate's failure: another may still answer

Status, code and title live on the class; only the HTTP edge renders them, as RFC 9457 problems.
"""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, Self

from llm_gateway.values import dataclass

_MOST_LISTED: Final = 20


def problem_type(code: str) -> str:
    """The API's own path of its page about `code`; a client finds it behind what comes before every path of the API."""
    return f"/errors/{code}"


def listed(names: Iterable[str]) -> str:
    """`names` for a sentence, sorted: the first 20 of them, and how many more there are."""
    known = sorted(names)
    more = f" and {len(known) - _MOST_LISTED} more" if len(known) > _MOST_LISTED else ""
    return ", ".join(known[:_MOST_LISTED]) + more


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field; `field` is a dotted path into the request's body, or a header's or parameter's name.

    `is_unknown`: there is no such field."""

    field: str
    message: str
    is_unknown: bool = False


class GatewayError(Exception):
    """The root. `detail` is shown to callers: it never carries a credential, a path or a provider's own words.

    Where a provider's own error led to this one, `provider_message` is that error's message, redacted, of at most 500
    characters, and `upstream_status` the provider's HTTP status. `by_release`: something that this release was not given led to
    it, a grant or a table, and no retry helps.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "The gateway failed"
    provider_message: str | None = None
    upstream_status: int | None = None
    by_release: bool = False

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
        self.provider: str | None = None
        self.overhead_ms: int | None = None
        self.attempts: tuple[Any, ...] = ()


def error_class(code: str, status: int) -> str:
    """Whose part an error is, in one of eight words: few enough to count errors by."""
    if code in _CLASSES:
        return _CLASSES[code]
    if code.startswith("provider_") and code != "provider_not_found":
        return "provider"
    if status >= 500:
        return "gateway"
    return "access" if status in (401, 403) else "caller"


_CLASSES: Final = {
    "rate_limited": "limit",
    "budget_exceeded": "budget",
    "no_provider_available": "provider",
    "response_validation_failed": "provider",
    "circuit_open": "provider",
    "deadline_exceeded": "time",
    "dependency_unavailable": "dependency",
}


class MalformedRequest(GatewayError):
    status, code, title = 400, "malformed_request", "The request cannot be read"


class Unauthenticated(GatewayError):
    status, code, title = 401, "unauthenticated", "No valid credentials"

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"WWW-Authenticate": 'Bearer realm="llm-gateway"'})


class SignatureInvalid(Unauthenticated):
    """One detail for every reason: which part failed would help a forger."""

    code, title = "signature_invalid", "The signature does not verify"

    def __init__(self) -> None:
        super().__init__(
            "The signature does not verify. It must cover exactly the method, the path, the query, the digest of a body, and"
            " Idempotency-Key and If-Match where they are sent, with the signing secret of an active key."
        )


class SignatureExpired(Unauthenticated):
    code, title = "signature_expired", "The signature was made at another time"


class SignatureReplayed(Unauthenticated):
    code, title = "signature_replayed", "The signature was used before"


class Forbidden(GatewayError):
    status, code, title = 403, "forbidden", "Not allowed"


class ModelNotAllowed(Forbidden):
    code, title = "model_not_allowed", "The key may not ask for that"


class PiiBlocked(Forbidden):
    """Names kinds and fields, and never what was found."""

    code, title = "pii_blocked", "Personal data may not pass"


class NotFound(GatewayError):
    status, title = 404, "Not found"


class RouteNotFound(NotFound):
    code = "route_not_found"


class ErrorPageNotFound(NotFound):
    code = "route_not_found"


class ProviderNotFound(NotFound):
    code = "provider_not_found"

    def __init__(self, provider_id: str, *, known: Sequence[str] = ()) -> None:
        """`known` are the ids that there are, where the caller may list providers."""
        there_are = f" There are: {listed(known)}." if known else ""
        super().__init__(f"There is no provider {provider_id!r}.{there_are}")


class QueryNotFound(NotFound):
    code = "query_not_found"

    def __init__(self, query_id: str) -> None:
        super().__init__(f"There is no query {query_id!r}.")


class KeyNotFound(NotFound):
    code = "key_not_found"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"There is no key {key_id!r}.")


class PromptNotFound(NotFound):
    code = "prompt_not_found"

    def __init__(self, prompt_id: str) -> None:
        super().__init__(f"There is no prompt {prompt_id!r}.")


class PromptVersionNotFound(NotFound):
    code = "prompt_version_not_found"

    def __init__(self, prompt_id: str, number: int) -> None:
        super().__init__(f"The prompt {prompt_id!r} has no version {number}.")


class LabelNotFound(NotFound):
    code = "label_not_found"

    def __init__(self, prompt_id: str, label: str) -> None:
        super().__init__(f"The prompt {prompt_id!r} has no label {label!r}.")


class RunNotFound(NotFound):
    code = "test_run_not_found"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"The prompt has no test run {run_id!r}.")


class ErasureNotFound(NotFound):
    code = "erasure_not_found"

    def __init__(self, erasure_id: str) -> None:
        super().__init__(f"There is no erasure {erasure_id!r}.")


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


class LastAdmin(Conflict):
    code = "last_admin"


class PromptInUse(Conflict):
    """A role that prompts name, or one that ships with the gateway."""

    code = "prompt_in_use"


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

    @classmethod
    def of(cls, field: str, message: str) -> Self:
        """One field is wrong, and `message` says how to mend it."""
        return cls(f"{field}: {message}", errors=[FieldError(field, message)])


class ValidationFailed(Unprocessable):
    code = "validation_failed"


class ModelNotListed(ValidationFailed):
    """Nobody that may be asked has the model."""


class ContextWindowExceeded(Unprocessable):
    code = "context_window_exceeded"


class UnsupportedParameter(Unprocessable):
    code = "unsupported_parameter"


class UnpricedModel(Unprocessable):
    code = "unpriced_model"


class TemplateInvalid(Unprocessable):
    """A prompt's template, where it is saved."""

    code = "template_invalid"


class TemplateVariablesInvalid(Unprocessable):
    """What a template is to be filled with."""

    code = "template_variables_invalid"


class QualityGateFailed(Unprocessable):
    code = "quality_gate_failed"


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


class AnswerWithheld(GatewayError):
    """A provider answered, and what may be kept of the answer under the query's policies cannot be told."""

    code, title = "answer_withheld", "The answer is withheld"

    def __init__(self) -> None:
        super().__init__(
            "A provider answered, but personal data could not be looked for in the answer: nothing of it was kept, and it is"
            " not paid for again. What it cost is counted."
        )


class AnswerLost(GatewayError):
    """A provider answered, or was paid for an attempt to, and what came of it cannot be given."""

    code, title = "answer_lost", "The answer is lost"

    def __init__(self) -> None:
        super().__init__(
            "A provider was asked, and what came of it could not be stored. It is not asked and paid a second time: send the"
            " query again, if it is worth that."
        )


class NotDone(Exception):
    """A queue's message was not dealt with to its end and must be delivered again. Nobody but the queue reads it."""
