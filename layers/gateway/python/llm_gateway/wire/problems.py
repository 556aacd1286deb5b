"""Errors as callers read them: RFC 9457 problems."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import SerializationInfo, SerializerFunctionWrapHandler, model_serializer

from llm_gateway.errors import problem_type
from llm_gateway.wire.schema import Outgoing, root_path

if TYPE_CHECKING:
    from llm_gateway.domain.queries import Attempt, QueryProblem
    from llm_gateway.errors import FieldError


class FieldProblem(Outgoing):
    """What is wrong with one field."""

    field: str
    message: str


class Problem(Outgoing):
    """An error. `code` is the stable name to program against; `type` leads to this API's own page about it.

    `provider_message` is what the provider's own error says.
    """

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str | None = None
    errors: list[FieldProblem] | None = None
    query_id: str | None = None
    provider: str | None = None
    provider_message: str | None = None
    attempts: list[dict[str, Any]] | None = None

    # Without a return type, which would be published as the schema.
    @model_serializer(mode="wrap")
    def _what_applies(self, serialize: SerializerFunctionWrapHandler, info: SerializationInfo):  # type: ignore[no-untyped-def]
        shown = {name: value for name, value in serialize(self).items() if value is not None}
        return shown | {"type": root_path(info.context) + self.type}

    @classmethod
    def of(
        cls,
        problem: "QueryProblem",
        *,
        query_id: str | None,
        request_id: str | None = None,
        errors: Iterable["FieldError"] = (),
    ) -> "Problem":
        """`problem` as it is answered to the request `request_id`, or as it was answered before, where that is None."""
        return cls(
            type=problem_type(problem.code),
            title=problem.title,
            status=problem.status,
            detail=problem.detail,
            code=problem.code,
            request_id=request_id,
            errors=[FieldProblem(field=error.field, message=error.message) for error in errors] or None,
            query_id=query_id,
            provider=problem.provider,
            provider_message=problem.provider_message,
            attempts=_shown(problem.attempts) or None,
        )


def _shown(attempts: "Sequence[Attempt]") -> list[dict[str, Any]]:
    if not attempts:
        return []
    from llm_gateway.wire.attempts import AttemptShown

    return [AttemptShown.model_validate(attempt).model_dump(mode="json") for attempt in attempts]
