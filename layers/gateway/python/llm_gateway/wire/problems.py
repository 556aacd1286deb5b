"""Errors as callers read them: RFC 9457 problems."""

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer

from llm_gateway.wire.schema import Outgoing

MEDIA_TYPE = "application/problem+json"
_DOCUMENTATION = "https://llm-gateway.dev/errors/"


class FieldProblem(Outgoing):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(Outgoing):
    """An error. `code` is the stable name to program against; `type` an address that identifies and documents it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: list[FieldProblem] | None = None
    query_id: str | None = None
    provider: str | None = None
    attempts: list[dict[str, Any]] | None = None

    # Without a return type, which would be published as the schema.
    @model_serializer(mode="wrap")
    def _what_applies(self, serialize: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        return {name: value for name, value in serialize(self).items() if value is not None}


def problem_type(code: str) -> str:
    """The address that documents `code`."""
    return _DOCUMENTATION + code
