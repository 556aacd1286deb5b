"""What failures of servers that speak Chat Completions mean."""

from collections.abc import Mapping
from typing import Any, Final

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
from llm_gateway.providers.untrusted import text_or_none

_CODES: Final[Mapping[str, FaultType]] = {
    "account_deactivated": ProviderRefused,
    "billing_hard_limit_reached": ProviderRefused,
    "billing_not_active": ProviderRefused,
    "content_filter": ContentFiltered,
    "content_policy_violation": ContentFiltered,
    "context_length_exceeded": ContextWindowExceeded,
    # llama.cpp's, a type: https://github.com/ggml-org/llama.cpp/pull/15780
    "exceed_context_size_error": ContextWindowExceeded,
    # A 429 that no waiting ends.
    "insufficient_quota": ProviderRefused,
    "invalid_api_key": ProviderAuthFailed,
    "model_not_found": ProviderRefused,
    "rate_limit_exceeded": ProviderRateLimited,
    "unsupported_parameter": UnsupportedParameter,
    "unsupported_value": UnsupportedParameter,
}

_TYPES: Final[Mapping[str, FaultType]] = {
    "authentication_error": ProviderAuthFailed,
    "invalid_request_error": ProviderRejected,
    "not_found_error": ProviderRefused,
    "permission_error": ProviderRefused,
    "rate_limit_error": ProviderRateLimited,
    "server_error": ProviderFailed,
}

# Of servers that give neither a code nor a type for it.
_BEGINNINGS: Final[Mapping[str, FaultType]] = {
    # vLLM, `vllm/entrypoints/openai`, and others after it.
    "This model's maximum context length is": ContextWindowExceeded,
}


def fault_table(clock: Clock, *, secret: str | None = None) -> FaultTable:
    import openai

    return FaultTable(
        codes=_CODES,
        types=_TYPES,
        beginnings=_BEGINNINGS,
        exceptions={
            **transport_rows(),
            openai.APITimeoutError: ProviderTimeout,
            openai.APIConnectionError: ProviderUnreachable,
            openai.APIResponseValidationError: ProviderResponseInvalid,
            openai.OpenAIError: ProviderFailed,
        },
        status_error=openai.APIStatusError,
        read=_failure,
        clock=clock,
        secret=secret,
    )


def _failure(error: Mapping[str, Any]) -> Failure:
    """Some servers give an HTTP status for the error's code."""
    code = error.get("code")
    return Failure(
        status=code if type(code) is int and 300 <= code < 600 else None,
        code=text_or_none(code),
        type=text_or_none(error.get("type")),
        param=text_or_none(error.get("param")),
    )
