"""Reading performance: what the queries of a prompt's versions add up to."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from llm_gateway.domain.prompts.performance import PerformanceRow, performance
from llm_gateway.domain.usage import Bucket, Rollup, is_of_tests
from llm_gateway.ports.evals import FeedbackStore, RunStore
from llm_gateway.ports.system import Clock, Page
from llm_gateway.services.prompts.reading import PromptBook
from llm_gateway.services.usage.spans import SpanReader, TimeSpan, cursor_after, place_of

_HOURS: Final = Bucket.HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceWanted:
    """Queries that ended from `since` on and before `until` (the last 24 hours where neither is given): of one version, or of
    each by itself; in a row each, or in one for each hour or day."""

    version: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    bucket: Bucket | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """A row, and the share of cases that passed in the newest run of its version; None without one."""

    row: PerformanceRow
    last_pass_rate: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PerformanceReader:
    prompts: PromptBook
    spans: SpanReader
    feedback: FeedbackStore
    runs: RunStore
    clock: Clock

    def page(self, prompt_id: str, wanted: PerformanceWanted, *, limit: int, cursor: str | None) -> Page[Performance]:
        """Raises `PromptNotFound`, `ValidationFailed` for a span that ends before it begins or has too many hours,
        `MalformedRequest` for a cursor of another list."""
        self.prompts.get(prompt_id)
        span, passed = TimeSpan.of(wanted.since, wanted.until, bucket=wanted.bucket, now=self.clock.now()), 0
        if cursor is not None:
            span, passed = place_of(cursor, bucket=wanted.bucket)
        rows = performance(
            self._rollups(span, days=wanted.bucket is not _HOURS),
            self.feedback.sums(prompt_id, since=span.since, until=span.until),
            prompt_id=prompt_id,
            version=wanted.version,
            bucket=wanted.bucket,
        )
        shown, end = rows[passed : passed + limit], passed + limit
        rates = {version: self._pass_rate(prompt_id, version) for version in {row.version for row in shown}}
        items = tuple(Performance(row=row, last_pass_rate=rates[row.version]) for row in shown)
        return Page(items=items, next_cursor=cursor_after(span, end) if end < len(rows) else None)

    def _rollups(self, span: TimeSpan, *, days: bool) -> Iterator[Rollup]:
        return (rollup for rollup in self.spans.read(span, days=days) if not is_of_tests(rollup.group))

    def _pass_rate(self, prompt_id: str, version: int) -> float | None:
        newest = self.runs.newest(prompt_id, version)
        return newest.tally.pass_rate if newest else None
