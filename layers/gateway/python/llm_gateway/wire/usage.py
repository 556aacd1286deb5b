"""Usage over HTTP."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import PlainSerializer, SerializerFunctionWrapHandler, model_serializer

from llm_gateway.domain.usage import Grouping, UsageRow
from llm_gateway.ports.system import Page
from llm_gateway.wire.schema import Outgoing, PageOf, Usd, whole_seconds

_OPTIONAL: Final = frozenset({*Grouping, "bucket"})


class UsageRowShown(Outgoing):
    """Sums of queries. `bucket` is there where a bucket was asked for, and so is the member that `group_by` names; null in it
    stands for queries that have no such thing."""

    key: str | None = None
    provider: str | None = None
    model: str | None = None
    prompt: str | None = None
    tag: str | None = None
    bucket: Annotated[datetime, PlainSerializer(whole_seconds, return_type=str)] | None = None
    requests: int
    errors: int
    cache_hits: int
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    reasoning_tokens: int
    cost_usd: Usd | None
    unpriced_requests: int

    # Without a return type, which would be published as the schema.
    @model_serializer(mode="wrap")
    def _what_was_asked_for(self, serialize: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        given = self.model_fields_set
        return {name: value for name, value in serialize(self).items() if name not in _OPTIONAL or name in given}

    @classmethod
    def of(cls, row: UsageRow, *, by: Grouping | None, bucketed: bool) -> "UsageRowShown":
        sums = row.sums
        return cls(
            **({by.value: row.value} if by else {}),
            **({"bucket": row.bucket} if bucketed else {}),
            requests=sums.requests,
            errors=sums.errors,
            cache_hits=sums.cache_hits,
            input_tokens=sums.input_tokens,
            output_tokens=sums.output_tokens,
            cached_input_tokens=sums.cached_input_tokens,
            reasoning_tokens=sums.reasoning_tokens,
            cost_usd=sums.cost_usd,
            unpriced_requests=sums.unpriced_requests,
        )


class UsagePage(PageOf[UsageRowShown]):
    """Some rows of usage, by bucket and then by what they are grouped by."""

    @classmethod
    def of(cls, page: Page[UsageRow], *, by: Grouping | None, bucketed: bool) -> "UsagePage":
        items = [UsageRowShown.of(row, by=by, bucketed=bucketed) for row in page.items]
        return cls(items=items, next_cursor=page.next_cursor)
