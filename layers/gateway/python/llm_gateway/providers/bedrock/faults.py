"""What failures of Bedrock mean: its exceptions by their names, in an answer's header or in mid-stream."""

from collections.abc import Mapping
from typing import Any, Final

from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
)
from llm_gateway.errors import ContextWindowExceeded
from llm_gateway.ports.system import Clock
from llm_gateway.providers.faults import Failure, FaultTable, FaultType, error_in, transport_rows
from llm_gateway.providers.untrusted import text_or_none

_ERROR_TYPE: Final = "x-amzn-errortype"

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and API_runtime_ConverseStreamOutput.html, and
# the errors that every service of AWS has: https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
_CODES: Final[Mapping[str, FaultType]] = {
    "AccessDeniedException": ProviderRefused,
    "ExpiredTokenException": ProviderAuthFailed,
    "IncompleteSignature": ProviderAuthFailed,
    "InternalFailure": ProviderFailed,
    "InternalServerException": ProviderFailed,
    "InvalidClientTokenId": ProviderAuthFailed,
    "InvalidSignatureException": ProviderAuthFailed,
    "MissingAuthenticationTokenException": ProviderAuthFailed,
    # 424: the model failed, not the request.
    "ModelErrorException": ProviderFailed,
    # A 429, of a model of the account's own that is being loaded.
    "ModelNotReadyException": ProviderFailed,
    "ModelStreamErrorException": ProviderFailed,
    "ModelTimeoutException": ProviderFailed,
    "OptInRequired": ProviderRefused,
    "RequestExpired": ProviderAuthFailed,
    "ResourceNotFoundException": ProviderRefused,
    "ServiceQuotaExceededException": ProviderRefused,
    "ServiceUnavailable": ProviderFailed,
    "ServiceUnavailableException": ProviderFailed,
    "ThrottlingException": ProviderRateLimited,
    "UnrecognizedClientException": ProviderAuthFailed,
}

_TYPES: Final[Mapping[str, FaultType]] = {"ValidationException": ProviderRejected}

# A ValidationException has no code: the beginnings of its message as the user guide's troubleshooting page and AWS's own samples
# have them (https://github.com/aws-samples/bedrock-chat/issues/95), and what the hosted vendors say behind the first sentence.
_BY_MODEL: Final = "The model returned the following errors: "
_TOO_LONG: Final = (
    *("Input is too long for requested model", "prompt is too long:"),
    *("input length and `max_tokens` exceed context limit:", "Input Tokens Exceeded"),
)
_BEGINNINGS: Final[Mapping[str, FaultType]] = {
    **{start + words: ContextWindowExceeded for words in _TOO_LONG for start in ("", _BY_MODEL)},
    # The model, its name or where it is asked: another candidate may take the request.
    "Invocation of model ID": ProviderRefused,
    "Operation not allowed": ProviderRefused,
    "The provided model identifier is invalid": ProviderRefused,
    "This model doesn't support": ProviderRefused,
}


class BedrockError(Exception):
    """An answer that is no 200; `response` is as it came."""

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.response = response


def fault_table(clock: Clock) -> FaultTable:
    return FaultTable(
        codes=_CODES,
        types=_TYPES,
        beginnings=_BEGINNINGS,
        exceptions=transport_rows(),
        status_error=BedrockError,
        read=_failure,
        error_in=_error_in,
        clock=clock,
    )


def named_error(name: str, told: object) -> dict[str, Any]:
    """An exception of AWS as `FaultTable` takes it.

    `ThrottlingException` may come as `throttlingException`, with a namespace before it or an address after it.
    """
    bare = name.partition(":")[0].rpartition("#")[2].strip()
    body = told if isinstance(told, dict) else {}
    return {"type": bare[:1].upper() + bare[1:], "message": body.get("message") or body.get("Message")}


def _error_in(response: Any, body: object) -> object:
    """By the name that AWS gives it; what has none is somebody else's answer."""
    name = response.headers.get(_ERROR_TYPE) or (text_or_none(body.get("__type")) if isinstance(body, dict) else None)
    return named_error(name, body) if name else error_in(body)


def _failure(error: Mapping[str, Any]) -> Failure:
    return Failure(type=text_or_none(error.get("type")))
