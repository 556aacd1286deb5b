"""What failures of servers that speak Chat Completions mean."""

from collections.abc import Mapping
from typing import Final

from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.errors import ContextWindowExceeded, UnsupportedParameter
from llm_gateway.ports.system import Clock
from llm_gateway.providers.faults import ContentFiltered, Failure, FaultTable, FaultType, transport_rows
from llm_gateway.providers.retry_after import retry_after_s

_CODES: Final[Mapping[str, FaultType]] = {
    "account_deactivated": ProviderRefused,
    "billing_hard_limit_reached": ProviderRefused,
    "billing_not_active": ProviderRefused,
    "content_filter": ContentFiltered,
    "content_policy_violation": ContentFiltered,
    "context_length_exceeded": ContextWindowExceeded,
    # A 429 that no waiting ends.
    "insufficient_quota": ProviderRefused,
    "invalid_api_key": ProviderAuthFailed,
    "model_not_found": ProviderRefused,
    "rate_limit_exceeded": ProviderRateLimited,
    "unsupported_parameter": UnsupportedParameter,
    "unsupported_value": UnsupportedParameter,
}

_EVENT_TYPES: Final[Mapping[str, FaultType]] = {
    "authentication_error": ProviderAuthFailed,
    "invalid_request_error": ProviderRejected,
    "not_found_error": ProviderRefused,
    "permission_error": ProviderRefused,
    "rate_limit_error": ProviderRateLimited,
    "server_error": ProviderFailed,
}


def fault_table(clock: Clock) -> FaultTable:
    import openai

    def failure_of(error: Exception) -> Failure:
        if not isinstance(error, openai.APIStatusError):
            return Failure()
        return Failure(
            status=error.status_code,
            code=error.code,
            param=error.param,
            retry_after_s=retry_after_s(error.response.headers, now=clock.now()),
        )

    return FaultTable(
        codes=_CODES,
        types=_EVENT_TYPES,
        exceptions={
            **transport_rows(),
            openai.APITimeoutError: ProviderTimeout,
            openai.APIConnectionError: ProviderUnreachable,
            openai.APIResponseValidationError: ProviderResponseInvalid,
            openai.OpenAIError: ProviderFailed,
        },
        failure_of=failure_of,
    )


def failure_of_event(error: object) -> Failure:
    """An error that came as an event of a stream. Some servers give an HTTP status for its code."""
    fields = error if isinstance(error, dict) else {}
    code = fields.get("code")
    if type(code) is int and code >= 300:
        return Failure(status=code)
    return Failure(code=_text(code), type=_text(fields.get("type")), param=_text(fields.get("param")))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
