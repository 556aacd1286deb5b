"""Requests in Anthropic's shape, read as the HTTP edge reads them."""

from typing import Any

from llm_gateway.domain.queries import QueryRequest
from llm_gateway.entrypoints.validation import validated
from llm_gateway.errors import ValidationFailed
from llm_gateway.wire.anthropic.requests import MessagesBody

HELLO: dict[str, Any] = {"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "Hello."}]}


def read(**changes: Any) -> QueryRequest:
    return validated(MessagesBody, HELLO | changes).to_domain()


def refused(**changes: Any) -> list[tuple[str, str]]:
    """What is wrong with it: each field with its message."""
    try:
        validated(MessagesBody, HELLO | changes)
    except ValidationFailed as error:
        return [(fault.field, fault.message) for fault in error.errors]
    raise AssertionError("nothing was refused")
