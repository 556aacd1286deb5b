"""What can go wrong with one candidate: another may still answer.

ProviderFault                    one candidate's failure: another may still answer
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
"""

from typing import ClassVar, Final

from llm_gateway.domain.chat import ChatAnswer, Usage
from llm_gateway.errors import GatewayError

LONGEST_DETAIL: Final = 700
_FIRST_BACKOFF_S: Final = 0.25
_LONGEST_BACKOFF_S: Final = 8


def told(error: GatewayError) -> str:
    """What happened, as an attempt tells it: the detail, with the provider's own words where it had any."""
    said = error.provider_message
    detail = f"{error.detail.rstrip('.')}: {said}" if said else error.detail
    return detail if len(detail) <= LONGEST_DETAIL else detail[: LONGEST_DETAIL - 1] + "…"


class ProviderFault(GatewayError):
    """One call to one provider failed. `usage` is what the provider bills for the call all the same, where that is known.

    `complete` says that the provider gave its whole answer, and is paid for it: the same question again would cost the
    same again.
    """

    retryable: ClassVar[bool] = False
    falls_over: ClassVar[bool] = True

    def __init__(
        self,
        detail: str,
        *,
        retry_after_s: float | None = None,
        usage: Usage | None = None,
        complete: bool = False,
        provider_message: str | None = None,
        upstream_status: int | None = None,
    ) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)
        self.usage = usage
        self.complete = complete
        self.provider_message = provider_message
        self.upstream_status = upstream_status

    def wait_s(self, tries: int, draw: float) -> float:
        """How long to wait before the call is tried again, after so many `tries`: exponential with full jitter, by a `draw` from
        [0, 1). The time that the provider asks for is the floor."""
        backoff_s = min(_FIRST_BACKOFF_S * 2.0 ** (tries - 1), _LONGEST_BACKOFF_S) * draw
        return max(self.retry_after_s or 0, backoff_s)


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

    def __init__(self, detail: str, *, answer: ChatAnswer, complaint: str) -> None:
        super().__init__(detail, usage=answer.usage, complete=True)
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
    """`limit` names the timeout of the call that struck (`first_token_s` or `total_s`), `limit_s` is its value.

    A `total_s` may have been shortened to the query's own time. The fault's text says so where the query is known.
    """

    status, code, title = 504, "provider_timeout", "The provider took too long"

    limit: str | None = None
    limit_s: float | None = None

    def struck_by(self, limit: str, limit_s: float) -> None:
        self.limit, self.limit_s = limit, limit_s
        self.detail = f"The provider did not answer within {limit_s:.4g} s ({limit})."


class CallCancelled(ProviderFault):
    """The caller no longer wants the answer, so the call was broken off."""

    status, code, title, falls_over = 499, "cancelled", "The query was cancelled", False


class ProviderRejected(ProviderFault):
    """The provider answered 400, 413 or 422: the request itself is at fault."""

    status, code, title, falls_over = 422, "validation_failed", "The provider rejected the request", False
