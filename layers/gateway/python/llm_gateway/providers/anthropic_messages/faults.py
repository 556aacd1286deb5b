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
from llm_gateway.ports.system import Clock
from llm_gateway.providers.faults import Failure, FaultTable, FaultType, transport_rows
from llm_gateway.providers.retry_after import retry_after_s

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

_EVENT_TYPES: Final[Mapping[str, FaultType]] = {
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


def fault_table(clock: Clock) -> FaultTable:
    import anthropic

    def failure_of(error: Exception) -> Failure:
        if not isinstance(error, anthropic.APIStatusError):
            return Failure()
        return Failure(
            status=error.status_code,
            code=error.error_code,
            retry_after_s=retry_after_s(error.response.headers, now=clock.now()),
        )

    return FaultTable(
        codes=_CODES,
        types=_EVENT_TYPES,
        exceptions={
            **transport_rows(),
            anthropic.APITimeoutError: ProviderTimeout,
            anthropic.APIConnectionError: ProviderUnreachable,
            anthropic.APIResponseValidationError: ProviderResponseInvalid,
            anthropic.AnthropicError: ProviderFailed,
        },
        failure_of=failure_of,
    )


def failure_of_event(error: Mapping[str, Any]) -> Failure:
    details = error.get("details")
    code = details.get("error_code") if isinstance(details, dict) else None
    return Failure(code=code if isinstance(code, str) else None, type=error.get("type"))
