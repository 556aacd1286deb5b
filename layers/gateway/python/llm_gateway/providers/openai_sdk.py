"""OpenAI's SDK as the wires of its APIs share it: the client, the headers, and what its failures mean."""

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

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
from llm_gateway.providers.posting import Posting, without_environment
from llm_gateway.providers.untrusted import text_or_none
from llm_gateway.providers.upstream import Upstream

if TYPE_CHECKING:
    import httpx2
    import openai

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

_TYPES: Final[Mapping[str, FaultType]] = {
    "authentication_error": ProviderAuthFailed,
    "invalid_request_error": ProviderRejected,
    "not_found_error": ProviderRefused,
    "permission_error": ProviderRefused,
    "rate_limit_error": ProviderRateLimited,
    "server_error": ProviderFailed,
}


def fault_table(
    clock: Clock,
    *,
    secret: str | None = None,
    codes: Mapping[str, FaultType],
    beginnings: Mapping[str, FaultType],
) -> FaultTable:
    """The rows that OpenAI's APIs have in common, with an API's own `codes` and `beginnings`."""
    import openai

    return FaultTable(
        codes={**_CODES, **codes},
        types=_TYPES,
        beginnings=beginnings,
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


def headers(upstream: Upstream) -> dict[str, Any]:
    """Raises `ProviderAuthFailed` for a credential that no header can carry."""
    from openai import omit

    # The SDK would add what the environment says of OpenAI's accounts, to whichever server it calls.
    sent: dict[str, Any] = {"OpenAI-Organization": omit, "OpenAI-Project": omit}
    if upstream.checked_api_key() is None:
        sent["Authorization"] = omit
    return sent


def posting(upstream: Upstream, *, owner: object) -> Posting:
    """Its connections are closed when its `owner` is gone."""
    from llm_gateway.providers.function_url import signature_for
    from llm_gateway.providers.transport import http_client

    signed = upstream.is_own and upstream.api_key is None
    http = http_client(
        owner=owner,
        private_allowed=upstream.private_addresses_allowed,
        auth=signature_for(upstream.base_url) if signed else None,
    )
    return Posting(partial(client, upstream), http=http)


def client(upstream: Upstream, http: "httpx2.Client") -> "openai.OpenAI":
    import openai

    # A key that is not None keeps the SDK from sending the environment's.
    made = openai.OpenAI(
        api_key=upstream.api_key or "none", base_url=upstream.base_url, max_retries=0, http_client=http
    )
    # `OPENAI_ADMIN_KEY`: the SDK would send it wherever it finds no other.
    made.admin_api_key = None
    return without_environment(made)


def _failure(error: Mapping[str, Any]) -> Failure:
    """Some servers give an HTTP status for the error's code."""
    code = error.get("code")
    return Failure(
        status=code if type(code) is int and 300 <= code < 600 else None,
        code=text_or_none(code),
        type=text_or_none(error.get("type")),
        param=text_or_none(error.get("param")),
    )
