"""Every exception of a vendor's SDK has a row, or is one that calling a model never raises."""

from collections.abc import Iterator
from dataclasses import replace

import anthropic
import httpx2
import openai
import pytest
from llm_gateway.domain.faults import (
    ProviderAuthFailed,
    ProviderFailed,
    ProviderRateLimited,
    ProviderRefused,
    ProviderRejected,
)
from llm_gateway.instruments.system import SystemClock
from llm_gateway.providers.anthropic_messages import faults as messages_faults
from llm_gateway.providers.chat_completions import faults as chat_completions_faults

TABLES = {
    openai.OpenAIError: chat_completions_faults.fault_table(SystemClock()),
    anthropic.AnthropicError: messages_faults.fault_table(SystemClock()),
}
# Of features that the gateway does not use: parsed models, web sockets, other ways to authenticate, tools of the SDK's own.
UNUSED = {
    "APIRemovedInV1",
    "APIWebhookValidationError",
    "ContentFilterFinishReasonError",
    "CredentialsError",
    "IdentityTokenFileError",
    "LengthFinishReasonError",
    "MissingDependencyError",
    "MutuallyExclusiveAuthError",
    "RetryableError",
    "StreamAlreadyConsumed",
    "SubjectTokenProviderError",
    "ToolsetClosedError",
    "ToolsetConfigError",
    "ToolsetContractError",
    "ToolsetUsageError",
    "ToolsetsFixedError",
    "WebSocketConnectionClosedError",
    "WebSocketQueueFullError",
    "WorkloadIdentityError",
    "_AmbiguousModuleClientUsageError",
}


def descendants(kind: type[Exception]) -> Iterator[type[Exception]]:
    for child in kind.__subclasses__():
        yield child
        yield from descendants(child)


def exceptions_of(root: type[Exception]) -> list[type[Exception]]:
    return sorted(set(descendants(root)), key=lambda kind: kind.__name__)


CASES = [(root, kind) for root in TABLES for kind in exceptions_of(root) if kind.__name__ not in UNUSED]


def response(status: int, body: object = None) -> httpx2.Response:
    return httpx2.Response(status, json=body, request=httpx2.Request("POST", "http://127.0.0.1/"))


def raised(kind: type[Exception]) -> Exception:
    """An exception as the SDK would make it; a class without a status of its own is made with each of its kind."""
    if issubclass(kind, openai.OAuthError):
        return kind(response=response(401), body=None)
    if issubclass(kind, openai.APIStatusError | anthropic.APIStatusError):
        return kind("words", response=response(getattr(kind, "status_code", 500)), body=None)
    error = kind.__new__(kind)
    error.args = ()
    return error


@pytest.mark.parametrize(("root", "kind"), CASES, ids=[f"{root.__name__}-{kind.__name__}" for root, kind in CASES])
def test_an_exception_of_the_sdk_has_a_row(root: type[Exception], kind: type[Exception]) -> None:
    table = TABLES[root]
    error = raised(kind)

    by_status = table.failure_of(error).status is not None
    rows = set(kind.__mro__) & (table.exceptions.keys() - {root})
    # APIError itself is raised for nothing but an error event, which the adapters read themselves.
    assert by_status or rows or kind.__name__ == "APIError"
    assert table.of_exception(error) is not None


def test_the_walk_finds_what_it_should() -> None:
    names = {kind.__name__ for _, kind in CASES}

    assert {"APITimeoutError", "RateLimitError", "OverloadedError", "ContractSpendLimitReachedError"} <= names
    assert len(names) > 60


def test_what_is_called_unused_exists() -> None:
    """A name that an update took away is not kept here for ever."""
    assert {kind.__name__ for root in TABLES for kind in exceptions_of(root)} >= UNUSED


def test_a_mistake_of_the_gateways_own_is_no_fault_of_the_provider() -> None:
    for table in TABLES.values():
        with pytest.raises(KeyError), table.raised():
            raise KeyError("ours")


@pytest.mark.parametrize(
    ("param", "field"),
    [
        ("messages[2].name", "messages[1].name"),
        ("messages.[2].name", "messages[1].name"),
        ("messages.2.name", "messages[1].name"),
        ("messages.1.content.0.image_url", "messages[0].content"),
        ("messages[1].content[0].image_url", "messages[0].content"),
        ("messages[1]", "messages[0]"),
        ("messages[1].secret", "messages[0]"),
        ("messages.0.content", "system"),
        ("max_tokens", "parameters.max_output_tokens"),
        ("messages.name", None),
        ("messages[1] of sk-secret", None),
        ("messages[999999].name", None),
        ("organization", None),
        (None, None),
    ],
)
def test_a_parameter_is_called_as_the_client_calls_it(param: str | None, field: str | None) -> None:
    table = replace(TABLES[openai.OpenAIError], preceding=1)
    fault = table.of_event({"code": "unsupported_parameter", "param": param})
    assert [error.field for error in fault.errors] == ([] if field is None else [field])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("overloaded_error", ProviderFailed),
        ("rate_limit_error", ProviderRateLimited),
        ("invalid_request_error", ProviderRejected),
        ("authentication_error", ProviderAuthFailed),
        ("billing_error", ProviderRefused),
        ("of_tomorrow", ProviderFailed),
    ],
)
def test_events_of_an_error_are_told_by_their_type(kind: str, expected: type) -> None:
    table = TABLES[anthropic.AnthropicError]

    assert type(table.of_event({"type": kind})) is expected


def test_every_type_of_error_that_anthropic_documents_has_a_row() -> None:
    from typing import get_args

    from anthropic.types.shared.error_type import ErrorType

    conflicts_of_other_apis = {"memory_precondition_failed_error", "memory_path_conflict_error", "conflict_error"}
    assert set(get_args(ErrorType)) - conflicts_of_other_apis <= TABLES[anthropic.AnthropicError].types.keys()
