"""What failures of Anthropic's API mean."""

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
from llm_gateway.errors import ContextWindowExceeded
from llm_gateway.ports.system import Clock
from llm_gateway.providers.faults import Failure, FaultTable, FaultType, transport_rows
from llm_gateway.providers.untrusted import text_or_none

# Where the status alone would mislead: limits that no waiting lifts, and 400s that are the account's fault.
_CODES: Final[Mapping[str, FaultType]] = {
    "cmek_key_disabled": ProviderRefused,
    "cmek_key_network_blocked": ProviderRefused,
    "contract_spend_limit_reached": ProviderRefused,
    "enforced_spend_limit_reached": ProviderRefused,
    "organization_on_hold": ProviderRefused,
    "organization_type_not_supported": ProviderRefused,
    "parent_organization_required": ProviderRefused,
    "request_body_timeout": ProviderFailed,
    "workspace_policy_violation": ProviderRefused,
}

_TYPES: Final[Mapping[str, FaultType]] = {
    "api_error": ProviderFailed,
    "authentication_error": ProviderAuthFailed,
    "billing_error": ProviderRefused,
    "invalid_request_error": ProviderRejected,
    "not_found_error": ProviderRefused,
    "overloaded_error": ProviderFailed,
    "permission_error": ProviderRefused,
    "rate_limit_error": ProviderRateLimited,
    "timeout_error": ProviderFailed,
}

# The API has neither a code nor a type for it: https://platform.claude.com/docs/en/build-with-claude/context-windows
_BEGINNINGS: Final[Mapping[str, FaultType]] = {
    "prompt is too long:": ContextWindowExceeded,
    "input length and `max_tokens` exceed context limit:": ContextWindowExceeded,
}


def fault_table(clock: Clock, *, secret: str | None = None) -> FaultTable:
    import anthropic

    return FaultTable(
        codes=_CODES,
        types=_TYPES,
        beginnings=_BEGINNINGS,
        exceptions={
            **transport_rows(),
            anthropic.APITimeoutError: ProviderTimeout,
            anthropic.APIConnectionError: ProviderUnreachable,
            anthropic.APIResponseValidationError: ProviderResponseInvalid,
            anthropic.AnthropicError: ProviderFailed,
        },
        status_error=anthropic.APIStatusError,
        read=_failure,
        clock=clock,
        secret=secret,
    )


def _failure(error: Mapping[str, Any]) -> Failure:
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    return Failure(code=text_or_none(code), type=text_or_none(error.get("type")))
