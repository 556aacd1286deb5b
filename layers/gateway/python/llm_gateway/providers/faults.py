"""What a vendor's failure means to the gateway: tables by error code, exception type and HTTP status.

A fault's detail is the gateway's own words: a vendor's may hold the credential, the prompt or an address. What a vendor says in
its own error travels beside it, redacted, as `provider_message`.
"""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Final, Literal

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
from llm_gateway.errors import (
    ContextWindowExceeded,
    FieldError,
    GatewayError,
    UnsupportedParameter,
    ValidationFailed,
)
from llm_gateway.ports.system import Clock
from llm_gateway.providers import untrusted
from llm_gateway.providers.bounds import AnswerOutOfBounds
from llm_gateway.providers.causes import explain
from llm_gateway.providers.deadline import Deadline
from llm_gateway.providers.retry_after import retry_after_s


class ContentFiltered(ProviderFault):
    """The provider's content filter stopped the prompt. Never leaves an adapter, which makes an answer of it."""


FaultType = type[ProviderFault] | type[ContextWindowExceeded] | type[UnsupportedParameter]

LONGEST_MESSAGE: Final = 500

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
    "max_output_tokens": "parameters.max_output_tokens",
    "reasoning_effort": "parameters.reasoning_effort",
    "reasoning": "parameters.reasoning_effort",
    "reasoning.effort": "parameters.reasoning_effort",
    "reasoning.summary": "parameters.reasoning_effort",
    "logprobs": "parameters.logprobs",
    "top_logprobs": "parameters.logprobs",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "response_format": "output",
    "text.format": "output",
    "text": "output",
    "instructions": "system",
    "input": "messages",
}
# OpenAI writes `messages[0].name` or `input[0].content`, others `messages.0.name`.
_MESSAGE: Final = re.compile(
    r"(?:messages|input)(?:\.?\[(\d{1,5})\]|\.(\d{1,5}))(?:\.(name|role|content|tool_calls))?(?:[.\[].*)?"
)
# What Python says of a request that no JSON text can carry, or no header.
_UNSENDABLE: Final = (UnicodeError, RecursionError, OverflowError, ValueError)


def status_fault(status: int) -> FaultType:
    """3xx and the other 4xx speak of the address, the account or the model, which another candidate does not share."""
    return STATUSES.get(status, ProviderFailed if status >= 500 else ProviderRefused)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What is known of a failed call: as an exception or an error event told it. `is_json` of a body that was JSON."""

    status: int | None = None
    code: str | None = None
    type: str | None = None
    param: str | None = None
    message: str | None = None
    retry_after_s: float | None = None
    is_json: bool = True


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
        httpx2.DecodingError: ProviderResponseInvalid,
        AnswerOutOfBounds: ProviderResponseInvalid,
        zlib.error: ProviderResponseInvalid,
        json.JSONDecodeError: ProviderResponseInvalid,
        UnicodeError: ProviderResponseInvalid,
        RecursionError: ProviderResponseInvalid,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultTable:
    """One vendor's rows: by error code (or a type that is as telling), by the beginning of a message, by HTTP status, by type,
    by exception.

    `status_error` is the SDK's exception for an HTTP status, `error_in` finds the vendor's error object in such an answer and its
    JSON body, `read` knows where that keeps what. `secret` is the credential, taken out of what the vendor says. `preceding` is
    how many messages the adapter put before the client's: a vendor counts them too. Where a message may be several things to a
    vendor, `places` says which message each of them is of.
    """

    codes: Mapping[str, FaultType]
    types: Mapping[str, FaultType]
    beginnings: Mapping[str, FaultType]
    exceptions: Mapping[type[Exception], FaultType]
    status_error: type[Exception]
    read: Callable[[Mapping[str, Any]], Failure]
    error_in: Callable[[Any, object], object] = lambda _, body: error_in(body)
    clock: Clock
    secret: str | None = field(default=None, repr=False)
    preceding: int = 0
    places: tuple[int, ...] | None = None

    def of_event(self, error: object) -> GatewayError:
        """The fault that an error object tells of, which came after a 200; it may be a text alone."""
        failure = self._failure(error)
        return self._fault(self._told_kind(failure) or self.types.get(failure.type or "", ProviderFailed), failure)

    def of_exception(self, error: Exception, deadline: Deadline | None = None) -> GatewayError | None:
        """None for an exception that is not in the table: a mistake of the gateway's own."""
        if deadline is not None and not deadline.begun and isinstance(error.__cause__ or error, _UNSENDABLE):
            return ValidationFailed.of("messages", "hold something that no JSON text can carry")
        failure = self.failure_of(error)
        kind = self._told_kind(failure) or self._row_of(error.__cause__) or self._row_of(error)
        if kind is None:
            return None
        fault = self._fault(kind, failure)
        if deadline is not None:
            explain(fault, error, deadline)
        return fault

    def failure_of(self, error: Exception) -> Failure:
        if not isinstance(error, self.status_error):
            return Failure()
        response = getattr(error, "response")  # noqa: B009 - of the SDK's class, which is not imported here
        body = _json_of(response)
        told = self._failure(self.error_in(response, body))
        wait_s = retry_after_s(response.headers, now=self.clock.now())
        return replace(told, status=response.status_code, retry_after_s=wait_s, is_json=body is not None)

    def _failure(self, error: object) -> Failure:
        if isinstance(error, dict):
            message, told = error.get("message"), self.read(error)
        else:
            message, told = error, Failure()
        return replace(told, message=self._words(message))

    def _words(self, message: object) -> str | None:
        if isinstance(message, str) and self.secret:
            message = message.replace(self.secret, "[redacted]")
        return untrusted.message(message, longest=LONGEST_MESSAGE)

    def _fault(self, kind: FaultType, failure: Failure) -> GatewayError:
        detail = _DETAILS[kind] if failure.status is None else f"{_DETAILS[kind]} It answered {failure.status}."
        fault: GatewayError
        if issubclass(kind, ProviderFault):
            fault = kind(detail, retry_after_s=failure.retry_after_s)
        else:
            place = self._field(failure.param or "") if kind is UnsupportedParameter else None
            fault = kind(detail, errors=[FieldError(place, "this model does not take it")] if place else ())
        fault.provider_message, fault.upstream_status = failure.message, failure.status
        return fault

    def _field(self, param: str) -> str | None:
        """What a client of the gateway calls `param`, which is a vendor's text: of an unknown one nothing is told."""
        found = _MESSAGE.fullmatch(param)
        if found is None:
            return _FIELDS.get(param)
        number, part = int(found[1] or found[2]), f".{found[3]}" if found[3] else ""
        if self.places is None:
            number -= self.preceding
        elif number < len(self.places):
            number = self.places[number]
        else:
            return "messages"
        return "system" if number < 0 else f"messages[{number}]{part}"

    def _row_of(self, error: BaseException | None) -> FaultType | None:
        """By the nearest of its types. An SDK's own exception says less than the cause that it wraps."""
        return next((self.exceptions[kind] for kind in type(error).__mro__ if kind in self.exceptions), None)

    def _told_kind(self, failure: Failure) -> FaultType | None:
        """What the vendor itself says went wrong; None where it says nothing but a type."""
        for word in (failure.code, failure.type):
            if word is not None and word in self.codes:
                return self.codes[word]
        kind = None if failure.status is None else status_fault(failure.status)
        if (kind or self.types.get(failure.type or "")) is not ProviderRejected:
            return kind
        if not failure.is_json and failure.status == 400:
            # A proxy's page, say: no provider's judgement on the request.
            return ProviderResponseInvalid
        message = failure.message or ""
        return next((meant for words, meant in self.beginnings.items() if message.startswith(words)), kind)

    def raised(
        self, usage: Callable[[], Usage | None] = lambda: None, *, deadline: Deadline | None = None
    ) -> "_Raised":
        """Turns what fails inside into a fault; one after partial output carries what `usage` says was generated."""
        return _Raised(self, usage, deadline)


class _Raised:
    """A class, because every exchange enters three of them, and a generator costs several times as much."""

    __slots__ = ("_deadline", "_faults", "_usage")

    def __init__(self, faults: FaultTable, usage: Callable[[], Usage | None], deadline: Deadline | None) -> None:
        self._faults = faults
        self._usage = usage
        self._deadline = deadline

    def __enter__(self) -> None:
        """Nothing is to be done before."""

    def __exit__(self, _: object, error: BaseException | None, __: object) -> Literal[False]:
        if isinstance(error, GatewayError):
            _bill(error, self._usage())
        elif isinstance(error, Exception):
            fault = self._faults.of_exception(error, self._deadline)
            if fault is not None:
                # Vendors put the answer's body into the message, and tracebacks print messages.
                error.args = ()
                _bill(fault, self._usage())
                raise fault from error
        return False


def _bill(error: GatewayError, usage: Usage | None) -> None:
    if isinstance(error, ProviderFault) and error.usage is None:
        error.usage = usage


def _json_of(response: Any) -> object:
    """The body of an error where it is JSON, else None."""
    try:
        return untrusted.parsed(response.content)
    except Exception:
        # Whatever it is, the status says enough.
        return None


def error_in(body: object) -> object:
    """The error that a body tells of. Some servers give a list of one, and some the error's own members."""
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, dict):
        return None
    error = body.get("error")
    # A message that is not the error's own may be anybody's.
    return error if error is not None else {name: value for name, value in body.items() if name != "message"}
