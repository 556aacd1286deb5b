"""What a vendor's failure means to the gateway: tables by error code, exception type and HTTP status, never by a message's words.

A fault's detail is the gateway's own: a vendor's may hold the credential, the prompt or an address.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Final

from llm_gateway.domain.chat import Usage
from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderFault,
    ProviderNotConnected,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
    ProviderResponseInvalid,
    ProviderTimeout,
    ProviderUnreachable,
)
from llm_gateway.errors import ContextWindowExceeded, FieldError, GatewayError, UnsupportedParameter


class ContentFiltered(ProviderFault):
    """The provider's content filter stopped the prompt. Never leaves an adapter, which makes an answer of it."""


FaultType = type[ProviderFault] | type[ContextWindowExceeded] | type[UnsupportedParameter]

# Statuses that do not mean what the rest of their class does.
STATUSES: Final[Mapping[int, FaultType]] = {
    400: ProviderRejected,
    401: ProviderAuthFailed,
    408: ProviderFailed,
    409: ProviderFailed,
    413: ProviderRejected,
    422: ProviderRejected,
    429: ProviderRateLimited,
    499: ProviderFailed,
}

_DETAILS: Final[Mapping[FaultType, str]] = {
    ContentFiltered: "The provider's content filter stopped the prompt.",
    ContextWindowExceeded: "The request and its answer do not fit the model's context window.",
    ProviderAuthFailed: "The provider does not accept the configured credentials.",
    ProviderFailed: "The provider failed to answer.",
    ProviderRateLimited: "The provider is at its limit.",
    ProviderRefused: "The provider refuses the account, the model or the address it is asked for.",
    ProviderRejected: "The provider rejects the request as it is.",
    ProviderResponseInvalid: "The provider's answer cannot be read.",
    ProviderTimeout: "The provider did not answer in time.",
    ProviderNotConnected: "No connection to the provider could be made.",
    ProviderUnreachable: "The connection to the provider broke.",
    UnsupportedParameter: "The model does not take a parameter of the request.",
}

# What providers call a parameter, and what a client of the gateway calls it.
_FIELDS: Final[Mapping[str, str]] = {
    "temperature": "parameters.temperature",
    "top_p": "parameters.top_p",
    "seed": "parameters.seed",
    "stop": "parameters.stop",
    "max_tokens": "parameters.max_output_tokens",
    "max_completion_tokens": "parameters.max_output_tokens",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "response_format": "output",
}
# OpenAI writes `messages[0].name`, others `messages.0.name`.
_MESSAGE: Final = re.compile(
    r"messages(?:\.?\[(\d{1,5})\]|\.(\d{1,5}))(?:\.(name|role|content|tool_calls))?(?:[.\[].*)?"
)


def status_fault(status: int) -> FaultType:
    """3xx and the other 4xx speak of the address, the account or the model, which another candidate does not share."""
    return STATUSES.get(status, ProviderFailed if status >= 500 else ProviderRefused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is known of a failed call: as an exception or an error event told it."""

    status: int | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    retry_after_s: float | None = None


@cache
def transport_rows() -> Mapping[type[Exception], FaultType]:
    """What breaks below a vendor's SDK, and reaches the caller as it is wherever the SDK does not wrap it."""
    import httpx2

    return {
        httpx2.ConnectError: ProviderNotConnected,
        httpx2.ConnectTimeout: ProviderNotConnected,
        httpx2.PoolTimeout: ProviderNotConnected,
        httpx2.TimeoutException: ProviderTimeout,
        httpx2.TransportError: ProviderUnreachable,
        httpx2.StreamError: ProviderUnreachable,
        OSError: ProviderUnreachable,
        httpx2.SSEError: ProviderResponseInvalid,
        httpx2.DecodingError: ProviderResponseInvalid,
        json.JSONDecodeError: ProviderResponseInvalid,
        UnicodeError: ProviderResponseInvalid,
        RecursionError: ProviderResponseInvalid,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultTable:
    """One vendor's rows: by error code, then by HTTP status, then by exception; an error event after a 200 has only its type.

    `preceding` is how many messages the adapter put before the client's: a vendor counts them too.
    """

    codes: Mapping[str, FaultType]
    types: Mapping[str, FaultType]
    exceptions: Mapping[type[Exception], FaultType]
    failure_of: Callable[[Exception], Failure]
    preceding: int = 0

    def of_event(self, failure: Failure) -> GatewayError:
        kind = self._by_code_or_status(failure) or self.types.get(failure.type or "", ProviderFailed)
        return self._fault(kind, failure)

    def of_exception(self, error: Exception) -> GatewayError | None:
        """None for an exception that is not in the table: a mistake of the gateway's own."""
        failure = self.failure_of(error)
        kind = self._by_code_or_status(failure) or self._row_of(error.__cause__) or self._row_of(error)
        return self._fault(kind, failure) if kind else None

    def _fault(self, kind: FaultType, failure: Failure) -> GatewayError:
        detail = _DETAILS[kind] if failure.status is None else f"{_DETAILS[kind]} It answered {failure.status}."
        if issubclass(kind, ProviderFault):
            return kind(detail, retry_after_s=failure.retry_after_s)
        field = self._field(failure.param or "") if kind is UnsupportedParameter else None
        return kind(detail, errors=[FieldError(field, "this model does not take it")] if field else ())

    def _field(self, param: str) -> str | None:
        """What a client of the gateway calls `param`, which is a vendor's text: of an unknown one nothing is told."""
        found = _MESSAGE.fullmatch(param)
        if found is None:
            return _FIELDS.get(param)
        number = int(found[1] or found[2]) - self.preceding
        part = f".{found[3]}" if found[3] else ""
        return "system" if number < 0 else f"messages[{number}]{part}"

    def _row_of(self, error: BaseException | None) -> FaultType | None:
        """By the nearest of its types. An SDK's own exception says less than the cause that it wraps."""
        return next((self.exceptions[kind] for kind in type(error).__mro__ if kind in self.exceptions), None)

    def _by_code_or_status(self, failure: Failure) -> FaultType | None:
        if failure.code is not None and failure.code in self.codes:
            return self.codes[failure.code]
        return None if failure.status is None else status_fault(failure.status)

    @contextmanager
    def raised(self, usage: Callable[[], Usage | None] = lambda: None) -> Iterator[None]:
        """Turns what fails inside into a fault; one after partial output carries what `usage` says was generated."""
        try:
            yield
        except GatewayError as error:
            _bill(error, usage())
            raise
        except Exception as error:
            fault = self.of_exception(error)
            if fault is None:
                raise
            # Vendors put the answer's body into the message, and tracebacks print messages.
            error.args = ()
            _bill(fault, usage())
            raise fault from error


def _bill(error: GatewayError, usage: Usage | None) -> None:
    if isinstance(error, ProviderFault) and error.usage is None:
        error.usage = usage
