"""A prompt's performance over HTTP."""

from datetime import datetime
from typing import Annotated, Final

from pydantic import PlainSerializer, SerializerFunctionWrapHandler, model_serializer

from llm_gateway.ports.system import Page
from llm_gateway.services.evals.performance import Performance
from llm_gateway.wire.schema import Outgoing, PageOf, Usd, whole_seconds

_SHARES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


class PercentilesShown(Outgoing):
    """Percentiles of the milliseconds that queries took, those from the cache left out; null where there were none."""

    p50: int | None
    p95: int | None
    p99: int | None


class FeedbackSumShown(Outgoing):
    """Scores from 0 to 1; `mean` is null where there are none."""

    count: int
    mean: float | None


class PerformanceShown(Outgoing):
    """What the queries of a version came to. `bucket` is there where a bucket was asked for."""

    version: int
    bucket: Annotated[datetime, PlainSerializer(whole_seconds, return_type=str)] | None = None
    requests: int
    errors: int
    error_rate: float | None
    latency_ms: PercentilesShown
    input_tokens: int
    output_tokens: int
    cost_usd: Usd | None
    unpriced_requests: int
    cache_hits: int
    validation_failures: int
    feedback: FeedbackSumShown
    last_pass_rate: float | None

    # Without a return type, which would be published as the schema.
    @model_serializer(mode="wrap")
    def _what_was_asked_for(self, serialize: SerializerFunctionWrapHandler):  # type: ignore[no-untyped-def]
        given = self.model_fields_set
        return {name: value for name, value in serialize(self).items() if name != "bucket" or name in given}

    @classmethod
    def of(cls, performance: Performance, *, bucketed: bool) -> "PerformanceShown":
        row = performance.row
        sums, mean = row.sums, row.feedback.mean
        return cls(
            **({"bucket": row.bucket} if bucketed else {}),
            version=row.version,
            requests=sums.requests,
            errors=sums.errors,
            error_rate=round(sums.errors / sums.requests, 6) if sums.requests else None,
            latency_ms=PercentilesShown(
                **{name: _rounded(sums.latency_ms.quantile(at)) for name, at in _SHARES.items()}
            ),
            input_tokens=sums.input_tokens,
            output_tokens=sums.output_tokens,
            cost_usd=sums.cost_usd,
            unpriced_requests=sums.unpriced_requests,
            cache_hits=sums.cache_hits,
            validation_failures=sums.invalid,
            feedback=FeedbackSumShown(count=row.feedback.count, mean=None if mean is None else round(mean, 6)),
            last_pass_rate=performance.last_pass_rate,
        )


class PerformancePage(PageOf[PerformanceShown]):
    """Some rows of a prompt's performance, by bucket and then by version."""

    @classmethod
    def of(cls, page: Page[Performance], *, bucketed: bool) -> "PerformancePage":
        items = [PerformanceShown.of(row, bucketed=bucketed) for row in page.items]
        return cls(items=items, next_cursor=page.next_cursor)


def _rounded(figure: float | None) -> int | None:
    return None if figure is None else round(figure)
